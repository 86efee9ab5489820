//! Each cause of an error has a variant of its own, wherever in the input it lies.

use std::io::{Cursor, ErrorKind};

use vae_stream::{CLASSES, Data, Dtype, Error, Foreign, Memory, Records, Tensor, Writer};

use crate::{head, images, npy, read, read_some, sealed, write};

const HEAD: &[u8] = br#"{"vae":1,"type":"head","tensors":{"y":{"dtype":"|u1","shape":[]}}}"#;

/// The error that `bytes` end in, with its places.
fn error(bytes: &[u8]) -> Error {
    read_some(bytes).2.expect("an error")
}

/// Asserts the variant of the cause of an error.
macro_rules! assert_cause {
    ($error:expr, $variant:pat $(if $guard:expr)?) => {
        let error = $error;
        assert!(matches!(error.cause(), $variant $(if $guard)?), "expected {}, got {error:?}", stringify!($variant));
    };
}

#[test]
fn formats_and_lengths() {
    assert_cause!(error(b""), Error::Empty);
    assert_cause!(error(b"\x1f\x8b\x08\x00"), Error::Format { got: Foreign::Packed { format: "gzip", .. }, .. });
    assert_cause!(error(b"[1, 2, 3]"), Error::Format { got: Foreign::JsonList, .. });
    assert_cause!(error(b"garbage"), Error::Format { got: Foreign::Other(_), .. });
    assert_cause!(error(&sealed(&[HEAD])), Error::Truncated { .. });
}

#[test]
fn lines() {
    let line = |line: &str| error(&sealed(&[HEAD, line.as_bytes()]));
    assert_cause!(error(b"{\"vae\":1,\"crc32\":\"00000000\"}\n"), Error::Checksum { .. });
    assert_cause!(line("{]}"), Error::Json(_));
    assert_cause!(line(r#"{"type":"later"}"#), Error::LineType { got } if got == "later");
    assert_cause!(line(r#"{"type":"end","frames":1,"items":0}"#), Error::EndCount { unit: "frames", got: 0, .. });
    let whole = write(&head(), []);
    assert_cause!(error(&[&whole[..], b"more"].concat()), Error::TrailingBytes);
}

#[test]
fn heads() {
    assert_cause!(error(&sealed(&[br#"{"vae":2,"type":"head"}"#])), Error::Version { got: 2 });
    assert_cause!(error(&sealed(&[br#"{"vae":1,"type":"head"}"#])), Error::Head { .. });
    let whole = write(&head(), []);
    assert_cause!(error(&[whole, sealed(&[HEAD])].concat()), Error::JoinedTensors { .. });
    let mut other = head();
    other.set_model(None);
    assert_cause!(head().check_same(&other).unwrap_err(), Error::JoinedModels { .. });
    let mut other = head();
    other.set(CLASSES, serde_json::json!(["cat", "dog"]));
    assert_cause!(head().check_same(&other).unwrap_err(), Error::JoinedClasses { .. });
    assert!(other.check_same(&other).is_ok());
}

#[test]
fn frames_that_arrive() {
    let frame = |tensors: &str| error(&sealed(&[HEAD, format!(r#"{{"type":"data","tensors":{tensors}}}"#).as_bytes()]));
    assert_cause!(frame("[]"), Error::Frame { expected: "a list of tensors", .. });
    let y = r#"{"name":"y","dtype":"|u1","shape":[2],"nbytes":130}"#;
    assert_cause!(frame(&format!("[{y},{y}]")), Error::DuplicateTensor { .. });
    assert_cause!(frame(&format!("[{y},{}]", y.replace("\"y\"", "\"z\""))), Error::Undeclared { .. });
    assert_cause!(frame(&format!("[{}]", y.replace("u1", "i1"))), Error::Declared { .. });
    assert_cause!(frame(&format!("[{}]", y.replace("\"y\"", "\"../y\""))), Error::Name { .. });
    assert_cause!(frame(&format!("[{}]", y.replace("130", "2000000000"))), Error::FrameTooLarge);
}

#[test]
fn frames_that_are_written() {
    let write = |data: Data| Writer::framed(Memory::default(), &head()).unwrap().write(data).unwrap_err();
    assert_cause!(write(Data::default()), Error::NoTensors);
    assert_cause!(write(Data::new([("x", Tensor::from_bytes(Dtype::U8, &[0, 2, 3], &[]))])), Error::NoItems { .. });
    let mut data = images(0);
    data.set("y", Tensor::from_bytes(Dtype::U8, &[3], &[1, 2, 3]));
    assert_cause!(write(data), Error::ItemCount { expected: 2, got: 3, .. });
    let mut data = images(0);
    data.take("y");
    assert_cause!(write(data.clone()), Error::TensorCount { expected: 2, got: 1 });
    assert_cause!(data.need("y").unwrap_err(), Error::MissingTensor { available, .. } if *available == ["x"]);
    assert_cause!(head().need("z").unwrap_err(), Error::MissingTensor { .. });
}

#[test]
fn arrays() {
    let header =
        |dtype: &str, fortran: &str| format!("{{'descr': '{dtype}', 'fortran_order': {fortran}, 'shape': (2,)}}\n");
    assert_cause!(error(&npy("{]\n", &[])), Error::Npy { .. });
    assert_cause!(Tensor::parse(npy(&header(">i2", "False"), &[0; 4])).unwrap_err(), Error::Layout);
    let (two, one) = (npy(&header("|u1", "False"), &[1, 2]), npy(&header("|i1", "False"), &[1, 2]));
    assert_cause!(error(&[two, one].concat()), Error::NextNpy { .. });
    let bytes = Tensor::from_bytes(Dtype::U8, &[2], &[1, 2]);
    assert_cause!(bytes.to_array::<f32>().unwrap_err(), Error::Type { expected: Dtype::F32, got: Dtype::U8 });
    assert_cause!(Tensor::from_bytes(Dtype::Bool, &[1], &[2]).to_u8().unwrap_err(), Error::Elements { .. });
    assert_cause!(Tensor::from_bytes(Dtype::I8, &[1], &[200]).to_u8().unwrap_err(), Error::Range { .. });
    assert_cause!(Tensor::concat(&[]).unwrap_err(), Error::NoTensors);
    assert_cause!(
        Tensor::concat(&[bytes, Tensor::from_bytes(Dtype::I8, &[1], &[0])]).unwrap_err(),
        Error::Concat { .. }
    );
}

#[test]
fn newline_json() {
    assert_cause!(error(b"{]\n"), Error::JsonLine(_));
    assert_cause!(error(b"{}\n"), Error::EmptyItem);
    assert_cause!(error(b"{\"y\":1}\n{\"z\":1,\"y\":1}\n"), Error::ExtraKey { name } if name == "z");
    assert_cause!(error(b"{\"y\":1,\"z\":1}\n{\"y\":1}\n"), Error::MissingKey { name } if name == "z");
    assert_cause!(error(b"{\"y\":0.5}\n"), Error::Value { .. });
    let mut log = Records::new(Cursor::new(b"{\"epoch\":1}\n{]\n".to_vec()), "test").unwrap();
    assert!(log.next_record().unwrap().is_some());
    assert!(log.next_record().unwrap().is_none());
    assert!(log.passed_over().unwrap().starts_with("test: 1 of 2 lines passed over: line 2: expected one JSON object"));
    let mut log = Records::new(Cursor::new(b"{]\n{\n".to_vec()), "test").unwrap();
    assert_cause!(log.next_record().unwrap_err(), Error::JsonLine(_));
}

#[test]
fn the_system() {
    let error = |kind: ErrorKind| Error::io("cannot write out", kind.into()).within("nowhere");
    assert!(matches!(error(ErrorKind::BrokenPipe), Error::Closed));
    assert!(matches!(error(ErrorKind::StorageFull), Error::Io { .. }));
    assert!(read(b"").is_err_and(|e| matches!(e, Error::Within { place, .. } if place == "test")));
}
