//! What goes by, as frames of a stream or as records on lines.

use std::io::{Cursor, Read};

use vae_cli::{Error, Result};
use vae_stream::{Frame, Reader, Records, START};

use crate::pass::Pass;
use crate::shown::Shown;

/// Reads everything, and shows what there is to see. `name` is what messages call the input.
pub fn all(mut pass: Pass, name: &str, shown: &Shown) -> Result<()> {
    let mut start = Vec::new();
    let failed = |e| Error::io(format!("cannot read {name}"), e);
    pass.by_ref().take(START.len() as u64).read_to_end(&mut start).map_err(failed)?;
    let records = start.starts_with(b"{") && start != START;
    let input = Cursor::new(start).chain(pass);
    match records {
        true => lines(Records::new(input, name)?, shown),
        false => frames(Reader::new(input, name, "x")?, shown),
    }
}

fn frames(mut input: Reader, shown: &Shown) -> Result<()> {
    while let Some(frame) = input.next_frame()? {
        match frame {
            Frame::Json(record) => shown.record(&record),
            Frame::Data(data) => shown.pictures(&data),
        }
    }
    Ok(())
}

/// Newline JSON; its last line may be unfinished, as that of a run that was killed.
fn lines(mut input: Records, shown: &Shown) -> Result<()> {
    while let Some(record) = input.next_record()? {
        shown.record(&record);
    }
    Ok(())
}
