//! The CRC-32 at the end of every line.
//!
//! It covers all bytes from the first of the stream's head up to the `,"crc32":` before it: the text of its own line, and
//! all lines and payloads before that.

use serde_json::{Map, Value};

use crate::{Error, MAX_LINE, Result};

/// Length of `,"crc32":"01234567"}` and the newline.
pub(crate) const TAIL: usize = 21;

/// The running CRC-32 of one stream.
#[derive(Debug, Default)]
pub(crate) struct Checksum(crc32fast::Hasher);

impl Checksum {
    /// Adds the bytes of a payload.
    pub(crate) fn payload(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The complete line of `map`.
    pub(crate) fn sign(&mut self, mut map: Map<String, Value>) -> Result<Vec<u8>> {
        map.shift_remove("crc32");
        let mut line = serde_json::to_vec(&map).map_err(Error::WriteJson)?;
        line.pop(); // the closing brace
        self.0.update(&line);
        let start = line.len();
        line.extend_from_slice(self.tail().as_bytes());
        self.0.update(&line[start..]);
        if line.len() > MAX_LINE {
            return Err(Error::WriteLine { bytes: line.len(), most: MAX_LINE });
        }
        Ok(line)
    }

    /// The object of a complete line, without its CRC, which is checked.
    pub(crate) fn verify(&mut self, line: &[u8]) -> Result<Map<String, Value>> {
        let (body, tail) = line.split_at(line.len().saturating_sub(TAIL));
        self.0.update(body);
        let expected = self.tail();
        if tail != expected.as_bytes() {
            let got = tail.strip_suffix(b"\n").unwrap_or(tail).escape_ascii().to_string();
            return Err(Error::Checksum { expected: expected.trim_end().to_owned(), got });
        }
        self.0.update(tail);
        let mut map: Map<String, Value> = serde_json::from_slice(line).map_err(Error::Json)?;
        map.shift_remove("crc32");
        Ok(map)
    }

    fn tail(&self) -> String {
        format!(",\"crc32\":\"{:08x}\"}}\n", self.0.clone().finalize())
    }
}
