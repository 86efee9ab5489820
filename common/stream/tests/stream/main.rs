//! The stream, read and written in-process.

mod damage;
mod errors;
mod filter;
mod format;
mod forms;
mod joined;
mod jsonl;
mod live;
mod npy;
mod numpy;
mod tensors;
mod variants;

use std::io::Cursor;

use serde_json::{Value, json};
use vae_stream::{Data, Dtype, Error, Frame, Head, Memory, ModelRef, Reader, Result, Tensor, TensorSpec, Writer};

/// All that a reader gives.
fn read(bytes: &[u8]) -> Result<(Head, Vec<Frame>)> {
    let (head, frames, error) = read_some(bytes);
    match (head, error) {
        (Some(head), None) => Ok((head, frames)),
        (_, Some(error)) => Err(error),
        (None, None) => unreachable!("a reader without a head is an error"),
    }
}

/// What a reader gives before it fails.
fn read_some(bytes: &[u8]) -> (Option<Head>, Vec<Frame>, Option<Error>) {
    let mut frames = Vec::new();
    let mut reader = match Reader::new(Cursor::new(bytes.to_vec()), "test", "x") {
        Ok(reader) => reader,
        Err(e) => return (None, frames, Some(e)),
    };
    loop {
        match reader.next_frame() {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return (Some(reader.head().clone()), frames, None),
            Err(e) => return (Some(reader.head().clone()), frames, Some(e)),
        }
    }
}

/// The one clear line of the error that `bytes` must end in.
fn fault(bytes: &[u8]) -> String {
    match read_some(bytes) {
        (_, _, Some(error)) => clear_line(&error),
        (_, frames, None) => panic!("expected an error, got {} frames", frames.len()),
    }
}

/// Checks that an error of the input is one clear line.
fn clear_line(error: &Error) -> String {
    let line = error.to_string();
    assert!(!matches!(error, Error::Io { .. } | Error::Closed | Error::Relayed), "{line}");
    assert!(line.starts_with("test: ") || matches!(error, Error::Upstream { .. }), "names no input: {line}");
    assert!(line.len() > 20 && !line.contains('\n') && !line.contains('\0'), "{line:?}");
    line
}

/// The bytes of a framed stream.
fn write(head: &Head, frames: impl IntoIterator<Item = Frame>) -> Vec<u8> {
    let memory = Memory::default();
    let writer = Writer::framed(memory.clone(), head).unwrap();
    writer.run(|out| frames.into_iter().try_for_each(|frame| out.write(frame))).unwrap();
    memory.bytes()
}

/// Two images of 2 by 3 with labels, the first pixel being `first`.
fn images(first: u8) -> Data {
    let x: Vec<u8> = (first..).take(12).collect();
    Data::new([
        ("x", Tensor::from_bytes(Dtype::U8, &[2, 2, 3], &x)),
        ("y", Tensor::from_bytes(Dtype::U8, &[2], &[first, 7])),
    ])
}

/// The head of a stream of [`images`] with an embedded model and a key of the future.
fn head() -> Head {
    let mut head = Head::of(&images(0));
    head.set_model(Some(&ModelRef::Embedded { sha256: "ab".repeat(32) }));
    head.set("future", json!({"kept": [1, null]}));
    head
}

/// A frame of every kind.
fn frames() -> Vec<Frame> {
    let record = json!({"kind": "epoch", "epoch": 1, "loss": 105.62, "text": "é\n"});
    let Value::Object(record) = record else { unreachable!("an object was made") };
    let z = Tensor::from_array(&ndarray::array![[0.5f32, -1.0], [f32::MIN_POSITIVE, 3.0]]);
    let mut group = Data::new([("z", z)]);
    group.group = Some("sample".to_owned());
    group.epoch = Some(3);
    group.extra.insert("note".to_owned(), json!("kept"));
    vec![
        Data::model(b"not really a model").into(),
        images(1).into(),
        record.into(),
        images(40).slice(0..1).into(),
        group.into(),
    ]
}

/// A small stream with all there is, and a second one after it; and the length of the first.
fn joined() -> (Vec<u8>, usize) {
    let mut bytes = write(&head(), frames());
    let first = bytes.len();
    bytes.extend(write(&head(), [images(90).into()]));
    (bytes, first)
}

/// The frames of [`joined`].
fn joined_frames() -> Vec<Frame> {
    frames().into_iter().chain([images(90).into()]).collect()
}

/// Lines and payloads with their crc added, for streams that no writer would make.
fn sealed(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        match part.strip_suffix(b"}") {
            Some(body) => {
                bytes.extend_from_slice(body);
                let crc = crc32fast::hash(&bytes);
                bytes.extend_from_slice(format!(",\"crc32\":\"{crc:08x}\"}}\n").as_bytes());
            }
            None => bytes.extend_from_slice(part),
        }
    }
    bytes
}

/// A .npy with any text as its header.
fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend_from_slice(&(header.len() as u16).to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(data);
    bytes
}

/// What one item of a tensor is.
fn spec(dtype: Dtype, shape: &[usize]) -> TensorSpec {
    TensorSpec::new(dtype, shape)
}
