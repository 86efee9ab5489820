//! Reads the input: frames of a stream, or newline JSON.

use std::io::{Cursor, Read};

use vae_cli::{Error, Result};
use vae_stream::{Frame, Reader, Records, START};

use crate::state::Shared;
use crate::tee::Tee;

/// The first bytes of a .npy, which goes through and shows nothing.
const NPY: &[u8] = b"\x93NUMPY";

/// Reads the input to its end into the state of the page. `name` is the input in messages.
pub fn follow(mut tee: Tee, name: &str, shared: &Shared) -> Result<()> {
    let mut start = Vec::new();
    let failed = |e| Error::io(format!("cannot read {name}"), e);
    tee.by_ref().take(START.len() as u64).read_to_end(&mut start).map_err(failed)?;
    let is_frames = start == START || start.starts_with(NPY);
    let input = Cursor::new(start).chain(tee);
    match is_frames {
        true => frames(Reader::new(input, name, "x")?, shared),
        false => lines(Records::new(input, name)?, shared),
    }
}

fn frames(mut input: Reader, shared: &Shared) -> Result<()> {
    while let Some(frame) = input.next_frame()? {
        match frame {
            Frame::Json(record) => shared.record(&record),
            Frame::Data(data) => shared.preview(&data),
        }
    }
    Ok(())
}

/// Newline JSON, and other text between.
fn lines(mut input: Records, shared: &Shared) -> Result<()> {
    while let Some(record) = input.next_record()? {
        shared.record(&record);
    }
    if let Some(message) = input.passed_over() {
        vae_cli::tell(&message);
    }
    Ok(())
}
