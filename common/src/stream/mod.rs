#![doc = include_str!("../../FORMAT.md")]

mod bare;
mod convert;
mod dtype;
mod frame;
mod framed;
mod head;
mod jsonl;
mod npy;
mod reader;
mod seal;
mod source;
mod tensor;
mod writer;

pub use dtype::Dtype;
pub use frame::{Data, Frame};
pub use head::{Head, Model, Spec};
pub use reader::Reader;
pub use tensor::{Element, Tensor};
pub use writer::Writer;

use crate::{Error, Result};

/// The version of the format.
pub const VERSION: u64 = 1;
/// Items per frame, where a program has no reason for another number.
pub const BATCH: usize = 256;
/// Bytes of a line at most, its newline included.
pub const MAX_LINE: usize = 1 << 20;
/// Bytes of a frame's tensors at most.
pub const MAX_FRAME: usize = 1 << 30;

/// How every stream begins.
const START: &[u8] = b"{\"vae\":";
/// Length of a tensor's or group's name at most.
const MAX_NAME: usize = 64;

/// Checks the name of a tensor or a group: they become parts of file names and of options.
fn check_name(name: &str) -> Result<()> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if plain && name.len() <= MAX_NAME && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    Err(Error::Data(format!("bad name: expected up to {MAX_NAME} letters, digits, _, - or ., got {name:?}")))
}
