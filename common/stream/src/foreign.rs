//! Formats that are no input, by their first bytes.

use std::fmt;

/// Bytes that a message shows of an unknown format.
const SHOWN: usize = 8;

/// The format of an input that cannot be read here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Foreign {
    /// gzip.
    Gzip,
    /// A PNG picture.
    Png,
    /// IDX, the format of the MNIST files.
    Idx,
    /// A zip archive: .npz, or a file of PyTorch.
    Zip,
    /// A Python pickle.
    Pickle,
    /// A JSON list.
    JsonList,
    /// safetensors, the format of models.
    Safetensors,
    /// Another, with these first bytes.
    Other(Vec<u8>),
}

impl Foreign {
    /// The format of an input with these first bytes; 512 tell every one, and fewer most.
    pub fn of(start: &[u8]) -> Foreign {
        match start {
            [0x1f, 0x8b, ..] => Foreign::Gzip,
            [0x89, b'P', b'N', b'G', ..] => Foreign::Png,
            [0, 0, 8..=14, 1..=4, ..] => Foreign::Idx,
            [b'P', b'K', 3, 4, ..] => Foreign::Zip,
            [0x80, 2..=5, ..] => Foreign::Pickle,
            [b'[', ..] => Foreign::JsonList,
            _ if is_safetensors(start) => Foreign::Safetensors,
            _ => Foreign::Other(start[..start.len().min(SHOWN)].to_owned()),
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Foreign::Gzip => "gzip data",
            Foreign::Png => "a PNG picture",
            Foreign::Idx => "an IDX file",
            Foreign::Zip => "a zip archive",
            Foreign::Pickle => "a Python pickle",
            Foreign::JsonList => "a JSON list",
            Foreign::Safetensors => "a model or another safetensors file",
            Foreign::Other(start) => return write!(f, "bytes that begin with \"{}\"", start.escape_ascii()),
        })
    }
}

/// Whether the first 8 bytes are the length of a JSON header. The length of some begins with `{`.
pub(crate) fn is_safetensors(start: &[u8]) -> bool {
    start.first_chunk().is_some_and(|&len| (2..100 << 20).contains(&u64::from_le_bytes(len)))
}
