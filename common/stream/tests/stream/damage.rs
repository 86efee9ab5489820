//! Whatever happens to the bytes of a stream, a reader notices, and has given nothing that was harmed.

use std::io::Cursor;

use vae_stream::{Error, Memory, Reader, Writer};

use crate::{clear_line, joined, joined_frames, read, read_some};

#[test]
fn the_whole_stream_reads_as_it_was_written() {
    let (bytes, _) = joined();
    let (head, frames) = read(&bytes).unwrap();
    assert_eq!(head, crate::head());
    assert_eq!(frames, joined_frames());
}

#[test]
fn every_truncation_is_an_error_with_one_clear_line() {
    let (bytes, first) = joined();
    for len in 0..bytes.len() {
        let (_, frames, error) = read_some(&bytes[..len]);
        assert!(joined_frames().starts_with(&frames), "{len} bytes gave a frame that was never sent");
        if len == first {
            assert!(error.is_none(), "the first stream is whole by itself");
            continue;
        }
        let line = clear_line(&error.unwrap_or_else(|| panic!("{len} bytes read without an error")));
        match len {
            0 => assert!(line.contains("nothing arrived"), "{line}"),
            1..8 => {}
            _ => assert!(line.contains("stops at") || line.contains("after the end"), "{len}: {line}"),
        }
    }
}

#[test]
fn every_single_bit_flip_is_an_error_with_one_clear_line() {
    let (mut bytes, _) = joined();
    let sent = joined_frames();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            let (_, frames, error) = read_some(&bytes);
            assert!(sent.starts_with(&frames), "bit {bit} of byte {at} flipped gave a frame that was never sent");
            clear_line(&error.unwrap_or_else(|| panic!("bit {bit} of byte {at} flipped, and nobody noticed")));
            bytes[at] ^= 1 << bit;
        }
    }
}

#[test]
fn every_byte_left_out_or_put_in_is_an_error() {
    let (bytes, _) = joined();
    for at in 0..bytes.len() {
        let without = [&bytes[..at], &bytes[at + 1..]].concat();
        clear_line(&read(&without).expect_err("a byte was left out"));
        let with = [&bytes[..at], b"x", &bytes[at..]].concat();
        clear_line(&read(&with).expect_err("a byte was put in"));
    }
}

#[test]
fn bytes_after_the_end_are_an_error() {
    let (bytes, _) = joined();
    for garbage in ["\n", " ", "\0", "garbage", "{\"z\":1}\n", "\u{93}NUMPY"] {
        let line = crate::fault(&[&bytes, garbage.as_bytes()].concat());
        assert!(line.contains("after the end"), "{line}");
    }
}

#[test]
fn a_filter_of_a_harmed_stream_ends_in_an_error_frame_that_names_it() {
    let (bytes, first) = joined();
    for len in (0..bytes.len()).filter(|len| *len != first) {
        let Ok(reader) = Reader::new(Cursor::new(bytes[..len].to_vec()), "test", "x") else { continue };
        let memory = Memory::default();
        let writer = Writer::framed(memory.clone(), reader.head()).unwrap().by("vae-test");
        let error = writer.filter(reader, [|data, _| Ok(data)]).expect_err("the input was cut");
        assert!(!matches!(error, Error::Relayed), "the filter that met the fault prints it");
        match read(&memory.bytes()) {
            Err(Error::Upstream { origin, message }) => {
                assert_eq!(origin, "vae-test");
                assert_eq!(message, error.to_string());
            }
            other => panic!("expected the message of the filter, got {other:?}"),
        }
    }
}
