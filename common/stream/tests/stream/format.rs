//! FORMAT.md speaks of the format that the code reads.

use vae_stream::{MAX_FRAME, MAX_LINE};

use crate::read;

const TEXT: &str = include_str!("../../../FORMAT.md");

#[test]
fn the_whole_stream_of_the_document_is_one() {
    let (_, rest) = TEXT.split_once("```json\n").unwrap();
    let (stream, _) = rest.split_once("```").unwrap();
    let (head, frames) = read(stream.as_bytes()).unwrap();
    assert_eq!((head.tensors().len(), frames.len()), (0, 1));
}

#[test]
fn the_head_of_the_postcard_has_the_right_crc() {
    let (_, rest) = TEXT.split_once("```text\n").unwrap();
    let head = rest.lines().next().unwrap();
    let error = read(format!("{head}\n").as_bytes()).unwrap_err().to_string();
    assert!(error.contains("the input stops at"), "the head itself is good: {error}");
}

#[test]
fn the_limits_of_the_document_are_those_of_the_code() {
    assert_eq!((MAX_LINE, MAX_FRAME), (1 << 20, 1 << 30));
    assert!(TEXT.contains("at most 1 MiB (1,048,576 bytes)") && TEXT.contains("MUST NOT pass 1 GiB"));
}
