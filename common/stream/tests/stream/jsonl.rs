//! Newline JSON, in and out.

use ndarray::array;
use proptest::prelude::*;
use vae_stream::{Data, Dtype, Frame, Head, Memory, Tensor, Writer};

use crate::{fault, read, spec};

/// The only frame of some lines.
fn frame(lines: &str) -> Data {
    match &read(lines.as_bytes()).unwrap().1[..] {
        [Frame::Data(data)] => data.clone(),
        other => panic!("expected one frame, got {other:?}"),
    }
}

/// The lines of one frame.
fn lines(data: &Data) -> String {
    let memory = Memory::default();
    Writer::jsonl(memory.clone(), &Head::of(data)).run(|out| out.write(data.clone())).unwrap();
    String::from_utf8(memory.bytes()).unwrap()
}

#[test]
fn latents_can_be_typed_by_hand() {
    let (head, frames) = read(b"{\"z\":[0.5,-1.0],\"y\":3}\n{\"y\":4,\"z\":[1,2e0]}\n").unwrap();
    assert_eq!(head.tensors(), [("z".into(), spec(Dtype::F32, &[2])), ("y".into(), spec(Dtype::I64, &[]))]);
    let [Frame::Data(data)] = &frames[..] else { panic!("expected one frame, got {frames:?}") };
    assert_eq!(data.f32("z").unwrap(), array![[0.5, -1.0], [1.0, 2.0]].into_dyn());
    assert_eq!(data.u8("y").unwrap(), array![3, 4].into_dyn());
}

#[test]
fn the_dtype_of_images_is_settled_by_the_first_line_with_more_than_0_and_1() {
    for (lines, expected) in [
        ("{\"x\":[0,255]}\n{\"x\":[1,2]}\n", Dtype::U8),
        ("{\"x\":[0,0]}\n{\"x\":[0,1]}\n{\"x\":[9,0]}\n", Dtype::U8),
        ("{\"x\":[0,1]}\n{\"x\":[0.5,0.25]}\n", Dtype::F32),
        ("{\"x\":[0,1.0]}\n{\"x\":[0,1]}\n", Dtype::F32),
        ("{\"x\":[0,1]}\n{\"x\":[1,0]}\n", Dtype::F32),
        ("{\"x\":[-1,256]}\n{\"x\":[1,0]}\n", Dtype::F32),
        ("{\"x\":[true,false]}\n{\"x\":[false,false]}\n", Dtype::Bool),
    ] {
        let data = frame(lines);
        assert_eq!((data.need("x").unwrap().dtype(), data.items()), (expected, lines.lines().count()), "{lines}");
    }
    assert!(fault(b"{\"x\":[0,2]}\n{\"x\":[0,0.5]}\n").contains("line 2: x: expected |u1 [2], got [0,0.5]"));
    assert!(fault(b"{\"x\":[0,true]}\n").contains("line 1: x: expected <f4 [2], got [0,true]"));
}

#[test]
fn a_live_input_waits_for_a_frame_of_0_and_1_at_most() {
    let binary = "{\"x\":[0,1]}\n".repeat(vae_stream::BATCH);
    let lines = format!("{binary}{{\"x\":[0,7]}}\n");
    let (head, frames) = read(lines.as_bytes()).unwrap();
    assert_eq!(head.tensor("x"), Some(spec(Dtype::F32, &[2])), "what comes later is read as what came before");
    assert_eq!(frames.len(), 2);
}

#[test]
fn every_number_of_every_dtype_comes_back_from_its_line() {
    let y = Tensor::from_array(&array![1000i64, -1, 300]);
    let data = Data::new([
        ("x", Tensor::from_array(&array![[0.0f32, 1.0], [1.0, 0.0], [0.0, 0.0]])),
        ("y", y),
        ("b1", Tensor::from_array(&array![true, false, true])),
        ("f8", Tensor::from_array(&array![0.1, 1e300, -0.0])),
        ("i4", Tensor::from_array(&array![20_000_001, -20_000_001, 0])),
        ("i8", Tensor::from_array(&array![(1i64 << 53) + 1, i64::MIN, 0])),
        ("u8", Tensor::from_array(&array![u64::MAX, 0, 1])),
        ("u1", Tensor::from_array(&array![255u8, 0, 1])),
    ]);
    let text = lines(&data);
    let back = frame(&text);
    assert_eq!(
        lines(&back),
        text.replace("\"i4\":20000001,", "\"i4\":20000001.0,")
            .replace("-20000001,", "-20000001.0,")
            .replace("\"i4\":0,", "\"i4\":0.0,")
            .replace("\"u1\":255", "\"u1\":255.0")
            .replace("\"u1\":0", "\"u1\":0.0")
            .replace("\"u1\":1}", "\"u1\":1.0}")
    );
    for (name, tensor) in &data.tensors {
        match tensor.dtype() {
            Dtype::U64 => assert_eq!(back.need(name).unwrap(), tensor),
            dtype if dtype.is_whole() => assert_eq!(back.i64(name).unwrap(), tensor.to_i64().unwrap(), "{name}"),
            Dtype::F64 => assert_eq!(back.need(name).unwrap(), tensor),
            _ => assert_eq!(back.f32(name).unwrap(), tensor.to_f32().unwrap(), "{name}"),
        }
    }
}

#[test]
fn numbers_that_python_writes_are_read() {
    let data = frame("{\"z\":[3,NaN,-Infinity,Infinity,1e-2],\"NaN\":1}\n");
    let z = data.f32("z").unwrap();
    assert!(z[[0, 1]].is_nan() && z[[0, 2]] == f32::NEG_INFINITY && z[[0, 3]] == f32::INFINITY);
    assert_eq!(data.f32("NaN").unwrap()[[0]], 1.0);
    for (line, expected) in [
        ("{\"z\":[3,Nan]}", "line 1: expected one JSON object per line"),
        ("{\"z\":[3,null]}", "invalid type: null, expected numbers, which are \"NaN\", \"inf\" and \"-inf\""),
        ("{\"z\":\"three\"}", "invalid value: string \"three\", expected numbers"),
        ("{\"z\":{\"a\":1}}", "z: invalid type: map, expected numbers"),
        ("{\"z\":1,\"z\":2}", "the key z appears twice"),
        ("{\"z\":[\"\\\"NaN\"]}", "invalid value: string"),
    ] {
        let message = fault(format!("{line}\n").as_bytes());
        assert!(message.contains(expected), "{line}: {message}");
    }
}

#[test]
fn empty_lines_and_a_byte_order_mark_before_the_first_item_do_not_count() {
    assert_eq!(frame("\n \r\n{\"y\":1}\r\n").items(), 1);
    assert_eq!(frame("\u{feff}{\"y\":1}\n").items(), 1);
    assert!(fault(b"\n\n").contains("nothing arrived"));
    assert!(fault(b" x").contains("bytes that begin with \"x\""));
}

#[test]
fn numbers_that_are_not_finite_are_strings() {
    let z = array![[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0]];
    let text = lines(&Data::new([("z", Tensor::from_array(&z))]));
    assert_eq!(text, "{\"z\":[\"NaN\",\"inf\",\"-inf\",-0.0]}\n");
    let back = frame(&text).f32("z").unwrap();
    assert!(back[[0, 0]].is_nan() && back[[0, 1]] == f32::INFINITY && back[[0, 2]] == f32::NEG_INFINITY);
}

#[test]
fn every_tensor_of_an_item_is_on_its_line() {
    let data = Data::new([
        ("x", Tensor::from_array(&array![[[1u8, 2], [3, 4]], [[5, 6], [7, 8]]])),
        ("i", Tensor::from_array(&array![-1i64, i64::MAX])),
        ("f8", Tensor::from_array(&array![[0.1], [1e+300]])),
        ("u8", Tensor::from_array(&array![u64::MAX, 0])),
        ("b1", Tensor::from_array(&array![true, false])),
    ]);
    assert_eq!(
        lines(&data),
        "{\"x\":[[1,2],[3,4]],\"i\":-1,\"f8\":[0.1],\"u8\":18446744073709551615,\"b1\":true}\n\
         {\"x\":[[5,6],[7,8]],\"i\":9223372036854775807,\"f8\":[1e+300],\"u8\":0,\"b1\":false}\n"
    );
}

#[test]
fn empty_lines_do_not_count() {
    assert_eq!(frame("{\"y\":1}\n\n  \n{\"y\":2}\n\n").items(), 2);
}

#[test]
fn lines_that_differ_from_the_first_are_an_error_with_their_number() {
    for (line, expected) in [
        ("{\"z\":[1]}", "line 3: z: expected <f4 [2], got [1]"),
        ("{\"z\":[1,2,3]}", "line 3: z: expected <f4 [2], got [1,2,3]"),
        ("{\"z\":[1,[2]]}", "line 3: expected one JSON object per line: z: expected lists of equal length, got a list"),
        ("{\"z\":[[1],2]}", "z: expected lists of equal length, got a number beside a list"),
        ("{\"z\":[[1],[2,3]]}", "z: expected lists of equal length, got 1 and 2"),
        ("{\"z\":[[1],[]]}", "z: expected lists of equal length, got 1 and 0"),
        ("{\"z\":[1,\"two\"]}", "line 3: expected one JSON object per line: z: invalid value: string \"two\""),
        ("{\"z\":[1,null]}", "z: invalid type: null, expected numbers"),
        ("{\"z\":[1,true]}", "line 3: z: expected <f4 [2], got [1,true]"),
        ("{\"z\":[1,1e39]}", "line 3: z: expected <f4 [2]"),
        ("{\"z\":[1,16777217]}", "line 3: z: expected <f4 [2]"),
        ("{\"w\":[1,2]}", "line 3: expected the keys of the first line, got w too"),
        ("{\"z\":[1,2],\"y\":1}", "got y too"),
        ("{}", "line 3: expected an item"),
        ("[1,2]", "line 3: expected one JSON object per line"),
        ("{\"z\":[1,2", "line 3: expected one JSON object per line"),
        ("{\"z\":[1,2]} {\"z\":[1,2]}", "line 3: expected one JSON object per line"),
    ] {
        let message = fault(format!("{{\"z\":[0.5,1]}}\n\n{line}\n").as_bytes());
        assert!(message.contains(expected), "{line}: {message}");
    }
}

#[test]
fn a_first_line_that_is_no_item_is_an_error() {
    for line in
        ["{}", "{\"z\":[]}", "{\"z\":[[1],[1,2]]}", "{\"kind\":\"epoch\",\"loss\":1}", "{\"a b\":1}", "{\"y\":0.5}"]
    {
        let message = fault(format!("{line}\n").as_bytes());
        assert!(message.contains("line 1"), "{line}: {message}");
    }
    assert!(fault(b"{\"y\":1e19}\n").contains("line 1: y: expected"));
}

#[test]
fn a_line_past_the_cap_is_an_error() {
    let long = format!("{{\"z\":[{}1]}}\n", "1,".repeat(1 << 25));
    assert!(fault(long.as_bytes()).contains("at most 67108864 bytes"));
    let long = format!("{{\"z\":[{}1]}}\n", "1,".repeat(1 << 19));
    assert_eq!(frame(&long).need("z").unwrap().shape(), [1, (1 << 19) + 1]);
}

#[test]
fn deep_lists_are_an_error_and_not_a_crash() {
    for depth in [64, 126, 127, 100_000] {
        let deep = format!("{{\"z\":{}1{}}}\n", "[".repeat(depth), "]".repeat(depth));
        assert!(fault(deep.as_bytes()).contains("lists nested at most 63 deep"), "{depth}");
    }
    let deep = format!("{{\"z\":{}1{}}}\n", "[".repeat(63), "]".repeat(63));
    assert_eq!(frame(&deep).need("z").unwrap().shape(), [1; 64]);
}

#[test]
fn other_groups_and_records_are_left_out() {
    let memory = Memory::default();
    let frames = crate::frames();
    Writer::jsonl(memory.clone(), &crate::head()).run(|out| frames.into_iter().try_for_each(|f| out.write(f))).unwrap();
    assert_eq!(String::from_utf8(memory.bytes()).unwrap().lines().count(), 3);
}

proptest! {
    #[test]
    fn any_f32_comes_back_from_its_line(values: [f32; 8]) {
        let z = ndarray::Array::from_iter(values).into_shape_with_order((2, 4)).unwrap();
        let back = frame(&lines(&Data::new([("z", Tensor::from_array(&z))]))).f32("z").unwrap();
        for (a, b) in z.iter().zip(&back) {
            prop_assert!(a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(), "{a} came back as {b}");
        }
    }
}
