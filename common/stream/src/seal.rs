//! The crc32 at the end of every line.
//!
//! It covers all bytes from the first of the stream's head up to the `,"crc32":` before it: the line's own text, and all
//! lines and payloads before it.

use serde_json::{Map, Value};

use crate::{Error, MAX_LINE, Result};

/// Length of `,"crc32":"01234567"}` and the newline.
const TAIL: usize = 21;

/// The running CRC-32 of one stream.
#[derive(Debug, Default)]
pub(crate) struct Seal(crc32fast::Hasher);

impl Seal {
    /// Takes bytes of a payload into account.
    pub(crate) fn payload(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The complete line for `map`.
    pub(crate) fn close(&mut self, mut map: Map<String, Value>) -> Result<Vec<u8>> {
        map.shift_remove("crc32");
        let mut line = serde_json::to_vec(&map).map_err(|e| Error::Failed(format!("cannot write a line: {e}")))?;
        line.pop(); // the closing brace
        self.0.update(&line);
        let start = line.len();
        line.extend_from_slice(self.tail().as_bytes());
        self.0.update(&line[start..]);
        if line.len() > MAX_LINE {
            return Err(Error::Failed(format!("a line of {} bytes: expected at most {MAX_LINE}", line.len())));
        }
        Ok(line)
    }

    /// Checks a complete line and gives what it says, without the crc.
    pub(crate) fn open(&mut self, line: &[u8]) -> Result<Map<String, Value>> {
        let (body, tail) = line.split_at(line.len().saturating_sub(TAIL));
        self.0.update(body);
        let expected = self.tail();
        if tail != expected.as_bytes() {
            let (expected, got) = (expected.trim_end(), tail.trim_ascii_end().escape_ascii());
            return Err(Error::Data(format!(
                "the stream is damaged: expected a line that ends in {expected}, got {got}"
            )));
        }
        self.0.update(tail);
        let mut map: Map<String, Value> = serde_json::from_slice(line)
            .map_err(|e| Error::Data(format!("bad line: expected one JSON object, got an error: {e}")))?;
        map.shift_remove("crc32");
        Ok(map)
    }

    fn tail(&self) -> String {
        format!(",\"crc32\":\"{:08x}\"}}\n", self.0.clone().finalize())
    }
}
