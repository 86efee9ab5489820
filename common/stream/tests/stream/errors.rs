//! Each error by name.

use std::io::Cursor;

use serde_json::{Map, Value};
use vae_stream::{Data, Dtype, Error, Head, MAX_LINE, Memory, Reader, Tensor, Writer};

use crate::{fault, frames, head, images, read, sealed, write};

const HEAD: &[u8] = br#"{"vae":1,"type":"head","tensors":{"y":{"dtype":"|u1","shape":[]}}}"#;
const END: &[u8] = br#"{"type":"end","frames":0,"items":0}"#;

/// The fault of a stream with one line between its head and its end.
fn fault_of_line(line: &str) -> String {
    fault(&sealed(&[HEAD, line.as_bytes(), END]))
}

#[test]
fn no_bytes_point_to_the_stage_before() {
    assert_eq!(fault(b""), "test: nothing arrived; see the message of the stage before");
}

#[test]
fn a_missing_end_is_an_error() {
    assert!(fault(&sealed(&[HEAD])).contains("expected frames up to the end"));
}

#[test]
fn a_crc_of_another_stream_is_an_error() {
    let mut bytes = sealed(&[HEAD]);
    bytes.extend(sealed(&[END]));
    assert!(fault(&bytes).contains("the stream is damaged: expected a line that ends in"));
}

#[test]
fn a_crc_in_capitals_is_an_error() {
    let bytes = String::from_utf8(sealed(&[HEAD, END])).unwrap();
    let (start, crc) = bytes.split_at(bytes.len() - 11);
    let capitals = format!("{start}{}", crc.to_uppercase());
    assert_ne!(bytes, capitals, "the example needs a letter in its last crc");
    fault(capitals.as_bytes());
}

#[test]
fn a_later_version_is_named() {
    let line = fault(&sealed(&[br#"{"vae":2,"type":"head","tensors":{}}"#]));
    assert!(line.contains("version 2: expected version 1"), "{line}");
}

#[test]
fn a_head_that_lacks_something_is_an_error() {
    for head in [
        r#"{"vae":0,"type":"head","tensors":{}}"#,
        r#"{"vae":"1","type":"head","tensors":{}}"#,
        r#"{"vae":1,"tensors":{}}"#,
        r#"{"vae":1,"type":"data","tensors":{}}"#,
        r#"{"vae":1,"type":"head"}"#,
        r#"{"vae":1,"type":"head","tensors":[]}"#,
        r#"{"vae":1,"type":"head","tensors":{"x":{}}}"#,
        r#"{"vae":1,"type":"head","tensors":{"x":{"dtype":">f4","shape":[]}}}"#,
        r#"{"vae":1,"type":"head","tensors":{"x":{"dtype":"<f4","shape":[0]}}}"#,
        r#"{"vae":1,"type":"head","tensors":{"x":{"dtype":"<f4","shape":[-1]}}}"#,
        r#"{"vae":1,"type":"head","tensors":{"../x":{"dtype":"<f4","shape":[]}}}"#,
        r#"{"vae":1,"type":"head","tensors":{},"history":{}}"#,
        r#"{"vae":1,"type":"head","tensors":{},"model":{}}"#,
        r#"{"vae":1,"type":"head","tensors":{},"model":{"path":"/m","sha256":"AB"}}"#,
        r#"{"vae":1,"type":"head","tensors":{},"model":{"sha256":"x","embedded":true}}"#,
    ] {
        let line = fault(&sealed(&[head.as_bytes(), END]));
        assert!(line.contains("bad head") || line.contains("bad name"), "{line}");
    }
}

#[test]
fn a_line_that_is_no_object_is_an_error() {
    for line in ["[1]}", "{]}", "nonsense}", "{\"a\":1}}", "{\"a\":\u{1}}"] {
        assert!(fault_of_line(line).contains("bad line"));
    }
}

#[test]
fn an_unknown_type_of_line_is_an_error() {
    assert!(fault_of_line(r#"{"type":"later"}"#).contains("expected type data, json, end or error, got later"));
    assert!(fault_of_line(r#"{"kind":"epoch"}"#).contains("got none"));
    assert!(fault_of_line(r#"{"vae":1,"type":"head","tensors":{}}"#).contains("got head"));
}

#[test]
fn a_line_past_the_cap_is_an_error() {
    let long = format!(r#"{{"type":"json","text":"{}"}}"#, "a".repeat(MAX_LINE));
    assert!(fault_of_line(&long).contains("expected at most 1048576 bytes"));
}

#[test]
fn a_line_of_the_cap_is_not() {
    let text = "a".repeat(MAX_LINE - r#"{"type":"json","text":""}"#.len() - 20);
    let record = Map::from_iter([("text".to_owned(), Value::from(text))]);
    let head = Head::new();
    let bytes = write(&head, [record.clone().into()]);
    assert_eq!(bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::len).max(), Some(MAX_LINE));
    assert_eq!(read(&bytes).unwrap().1, [record.into()]);
}

#[test]
fn a_frame_past_the_cap_is_an_error_before_it_arrives() {
    for nbytes in ["1073741824", "1152921504606846976", "18446744073709551615"] {
        let entry = format!(r#"{{"name":"y","dtype":"|u1","shape":[1073741800],"nbytes":{nbytes}}}"#);
        let line = fault_of_line(&format!(r#"{{"type":"data","group":"g","tensors":[{entry}]}}"#));
        assert!(line.contains("expected at most 1073741824 bytes") || line.contains("stops at"), "{line}");
    }
}

#[test]
fn a_shape_whose_size_overflows_is_an_error() {
    for shape in ["[1152921504606846976]", "[4294967296,4294967296]", "[9223372036854775807,9223372036854775807]"] {
        let line = fault_of_line(&format!(
            r#"{{"type":"data","tensors":[{{"name":"y","dtype":"<f8","shape":{shape},"nbytes":200}}]}}"#
        ));
        assert!(line.contains("nbytes that hold the shape"), "{line}");
    }
}

#[test]
fn a_frame_without_what_it_needs_is_an_error() {
    for line in [
        r#"{"type":"data"}"#,
        r#"{"type":"data","tensors":[]}"#,
        r#"{"type":"data","tensors":{}}"#,
        r#"{"type":"data","tensors":[{"name":"y","dtype":"|u1","shape":[1]}]}"#,
        r#"{"type":"data","tensors":[{"name":"y","dtype":"|u1","shape":[],"nbytes":129}]}"#,
        r#"{"type":"data","tensors":[{"name":"y","dtype":"|u1","shape":[0],"nbytes":128}]}"#,
        r#"{"type":"data","tensors":[{"name":"y","dtype":"|O","shape":[1],"nbytes":129}]}"#,
        r#"{"type":"data","tensors":[{"name":"y","dtype":"|u1","shape":[1.5],"nbytes":129}]}"#,
        r#"{"type":"data","group":7,"tensors":[{"name":"y","dtype":"|u1","shape":[1],"nbytes":129}]}"#,
        r#"{"type":"data","epoch":-1,"tensors":[{"name":"y","dtype":"|u1","shape":[1],"nbytes":129}]}"#,
    ] {
        let message = fault_of_line(line);
        assert!(message.contains("bad frame"), "{line}: {message}");
    }
}

#[test]
fn names_that_could_be_paths_are_an_error() {
    for name in ["", ".", "../x", "a/b", "-o", "a b", "é", &"a".repeat(65)] {
        let line = fault_of_line(&format!(
            r#"{{"type":"data","group":{name:?},"tensors":[{{"name":"y","dtype":"|u1","shape":[1],"nbytes":129}}]}}"#
        ));
        assert!(line.contains("bad name"), "{line}");
    }
}

#[test]
fn tensors_that_differ_from_the_head_are_an_error() {
    let entry = |name: &str, dtype: &str, shape: &str| {
        format!(r#"{{"name":"{name}","dtype":"{dtype}","shape":{shape},"nbytes":136}}"#)
    };
    for (entries, expected) in [
        (entry("y", "<f4", "[2]"), "tensor y: expected items of |u1 [] as the head says, got <f4 []"),
        (entry("y", "|u1", "[2,4]"), "got |u1 [4]"),
        (entry("z", "|u1", "[8]"), "tensor z is not in the head"),
        (format!("{0},{0}", entry("y", "|u1", "[8]")), "tensor y appears twice"),
        (format!("{},{}", entry("y", "|u1", "[8]"), entry("z", "|u1", "[7]")), "expected 8 items as in y, got 7"),
    ] {
        let line = fault_of_line(&format!(r#"{{"type":"data","tensors":[{entries}]}}"#));
        assert!(line.contains(expected), "{line}");
    }
}

#[test]
fn a_frame_that_lacks_a_tensor_of_the_head_is_an_error() {
    let head = br#"{"vae":1,"type":"head","tensors":{"x":{"dtype":"|u1","shape":[]},"y":{"dtype":"|u1","shape":[]}}}"#;
    let line = br#"{"type":"data","tensors":[{"name":"y","dtype":"|u1","shape":[8],"nbytes":136}]}"#;
    assert!(fault(&sealed(&[head, line])).contains("expected the 2 tensors of the head, got 1"));
}

#[test]
fn a_payload_that_differs_from_its_line_is_an_error() {
    let line = br#"{"type":"data","tensors":[{"name":"y","dtype":"|u1","shape":[8],"nbytes":136}]}"#;
    let payload = |dtype, shape: &[usize]| Tensor::from_bytes(dtype, shape, &[0; 8]).bytes().to_vec();
    let end = br#"{"type":"end","frames":1,"items":8}"#;
    assert!(read(&sealed(&[HEAD, line, &payload(Dtype::U8, &[8]), end])).is_ok());
    for (dtype, shape) in [(Dtype::I8, &[8][..]), (Dtype::U8, &[2, 4]), (Dtype::F64, &[1])] {
        let line = fault(&sealed(&[HEAD, line, &payload(dtype, shape), end]));
        assert!(line.contains("tensor y: expected |u1 [8], got "), "{line}");
    }
}

#[test]
fn a_payload_that_is_not_c_order_and_little_endian_is_an_error() {
    let line = br#"{"type":"data","tensors":[{"name":"y","dtype":"|u1","shape":[8],"nbytes":100}]}"#;
    for descr in ["'<f4', 'fortran_order': True", "'>f4', 'fortran_order': False"] {
        let npy = crate::npy(&format!("{:81}\n", format!("{{'descr': {descr}, 'shape': (1, 2), }}")), &[0; 8]);
        assert_eq!(npy.len(), 100);
        assert!(fault(&sealed(&[HEAD, line, &npy])).contains("expected C order, little endian"));
    }
}

#[test]
fn wrong_counts_at_the_end_are_an_error() {
    let line = fault(&sealed(&[HEAD, br#"{"type":"end","frames":1,"items":0}"#]));
    assert!(line.contains("bad end: expected 1 frames as it says, got 0"), "{line}");
    assert!(fault(&sealed(&[HEAD, br#"{"type":"end","frames":0}"#])).contains("expected nothing items"));
}

#[test]
fn the_origin_of_an_error_is_a_short_name() {
    let line = format!(r#"{{"type":"error","origin":"{}","message":"no data found"}}"#, "o".repeat(1_000_000));
    assert_eq!(fault(&sealed(&[HEAD, line.as_bytes()])), format!("{} failed: no data found", "o".repeat(64)));
}

#[test]
fn an_error_frame_names_its_origin_and_what_it_said() {
    let line = br#"{"type":"error","origin":"mnist-dump","message":"no data found"}"#;
    assert_eq!(fault(&sealed(&[HEAD, line])), "mnist-dump failed: no data found");
}

#[test]
fn an_error_frame_is_passed_on_silently() {
    let bytes = sealed(&[HEAD, br#"{"type":"error","origin":"mnist-dump","message":"no data found"}"#]);
    let memory = Memory::default();
    let reader = Reader::new(Cursor::new(bytes), "test", "x").unwrap();
    let writer = Writer::framed(memory.clone(), reader.head()).unwrap();
    assert!(matches!(writer.filter(reader, [|data, _| Ok(data)]), Err(Error::Relayed)));
    assert_eq!(fault(&memory.bytes()), "mnist-dump failed: no data found");
}

#[test]
fn a_sink_says_what_the_error_frame_says() {
    for jsonl in [false, true] {
        let bytes = sealed(&[HEAD, br#"{"type":"error","origin":"mnist-dump","message":"no data found"}"#]);
        let memory = Memory::default();
        let reader = Reader::new(Cursor::new(bytes), "test", "x").unwrap();
        let output = memory.clone();
        let writer = match jsonl {
            true => Writer::jsonl(output, reader.head()),
            false => Writer::npy(output, reader.head(), "y").unwrap(),
        };
        let error = writer.filter(reader, [|data, _| Ok::<_, Error>(data)]).expect_err("the input ended in an error");
        assert_eq!(error.to_string(), "mnist-dump failed: no data found");
        assert!(memory.bytes().is_empty());
    }
}

#[test]
fn a_program_cannot_write_what_its_head_does_not_say() {
    let mut other = images(0);
    other.take("y");
    let empty = Data::new([("x", Tensor::from_bytes(Dtype::U8, &[0, 2, 3], &[]))]);
    let mut group = images(0);
    group.group = Some("../group".to_owned());
    for data in [other, empty, Data::default(), group] {
        let mut writer = Writer::framed(Memory::default(), &head()).unwrap();
        writer.write(data).expect_err("it differs");
    }
}

#[test]
fn an_embedded_model_is_checked_against_its_hash() {
    let mut reader = Reader::new(Cursor::new(write(&head(), frames())), "test", "x").unwrap();
    let error = reader.embedded_model().expect_err("its hash is made up");
    assert!(error.to_string().contains("bad embedded model: expected sha256 abab"), "{error}");
}

#[test]
fn an_embedded_model_that_does_not_come_is_an_error() {
    let mut reader = Reader::new(Cursor::new(write(&head(), [images(0).into()])), "test", "x").unwrap();
    let error = reader.embedded_model().expect_err("there is none");
    assert!(error.to_string().contains("expected it right after the head"), "{error}");
}
