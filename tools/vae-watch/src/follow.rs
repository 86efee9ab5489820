//! Reads the input: frames of a stream, or newline JSON.

use std::io::{Cursor, Read};

use vae_cli::{Error, Result};
use vae_stream::{Frame, Reader, Records, START};

use crate::state::Shared;
use crate::tee::Tee;

/// Reads the input to its end into the state of the page. `name` is the input in messages.
pub fn follow(mut tee: Tee, name: &str, shared: &Shared) -> Result<()> {
    let mut start = Vec::new();
    let failed = |e| Error::io(format!("cannot read {name}"), e);
    tee.by_ref().take(START.len() as u64).read_to_end(&mut start).map_err(failed)?;
    let is_lines = start.starts_with(b"{") && start != START;
    let input = Cursor::new(start).chain(tee);
    match is_lines {
        true => lines(Records::new(input, name)?, shared),
        false => frames(Reader::new(input, name, "x")?, shared),
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

/// Newline JSON; the last line may be incomplete, as after a kill.
fn lines(mut input: Records, shared: &Shared) -> Result<()> {
    while let Some(record) = input.next_record()? {
        shared.record(&record);
    }
    Ok(())
}
