//! What goes by, as frames of a stream or as records on lines.

use std::io::{BufRead, BufReader, Cursor, Read};

use common::stream::{Frame, MAX_LINE, Reader};
use common::{Error, Result};
use serde_json::{Map, Value};

use crate::pass::Pass;
use crate::shown::Shown;

/// How a stream begins; other JSON is records.
const STREAM: &[u8] = b"{\"vae\":";

/// Reads everything, and shows what there is to see. `name` is what messages call the input.
pub fn all(mut pass: Pass, name: &str, shown: &Shown) -> Result<()> {
    let mut start = Vec::new();
    let failed = |e| Error::io(format!("cannot read {name}"), e);
    pass.by_ref().take(STREAM.len() as u64).read_to_end(&mut start).map_err(failed)?;
    let records = start.starts_with(b"{") && start != STREAM;
    let input = Cursor::new(start).chain(pass);
    match records {
        true => lines(BufReader::new(input), shown).map_err(|e| e.within(name)),
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
fn lines(mut input: impl BufRead, shown: &Shown) -> Result<()> {
    let failed = |e| Error::io("cannot read", e);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        input.by_ref().take(MAX_LINE as u64).read_until(b'\n', &mut line).map_err(failed)?;
        let (whole, long) = (line.ends_with(b"\n"), line.len() == MAX_LINE);
        if line.is_empty() {
            break;
        }
        match serde_json::from_slice::<Map<String, Value>>(&line) {
            Ok(record) => shown.record(&record),
            Err(_) if line.trim_ascii().is_empty() || !(whole || long) => {}
            Err(e) => return Err(Error::Data(format!("line {number}: expected a record, one JSON object: {e}"))),
        }
    }
    Ok(())
}
