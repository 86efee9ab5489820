//! The stream of tensors that programs pass to each other: read by [`Reader`], written by [`Writer`].
//!
//! A filter clones the [`Head`] of its input, says in it what it changes, and turns frames into frames:
//!
//! ```no_run
//! use std::io::{stdin, stdout};
//! use vae_stream::{Data, Dtype, Pipe, Reader, Result, Spec, Tensor, Writer};
//!
//! /// Turns black into white.
//! fn main() -> Result<()> {
//!     let input = Reader::new(stdin(), "standard input", "x")?;
//!     let mut head = input.head().clone();
//!     let images = head.need("x")?;
//!     head.set_tensor("x", Spec::new(Dtype::F32, &images.shape));
//!     let work = |mut frame: Data, _| {
//!         let x = frame.f32("x")?;
//!         frame.set("x", Tensor::from_array(&x.mapv(|v| 1.0 - v)));
//!         Ok(frame)
//!     };
//!     Writer::framed(Pipe(stdout()), &head)?.filter(input, [work])
//! }
//! ```
//!
#![doc = include_str!("../../FORMAT.md")]
#![warn(clippy::missing_errors_doc)]

mod bare;
mod convert;
mod dtype;
mod error;
mod filter;
mod frame;
mod framed;
mod head;
pub mod images;
mod jsonl;
mod npy;
mod reader;
pub mod record;
mod records;
mod seal;
mod sha256;
mod sink;
mod source;
mod tensor;
mod writer;

pub use dtype::Dtype;
pub use error::{Error, Failure, Result};
pub use frame::{Data, Frame};
pub use head::{Head, ModelRef, Spec};
pub use reader::Reader;
pub use records::Records;
pub use sha256::{hex, sha256};
pub use sink::{Memory, Pipe, Sink};
pub use tensor::{Element, Tensor};
pub use writer::Writer;

/// The version of the format.
pub const VERSION: u64 = 1;
/// Items per frame, where a program has no reason for another number.
pub const BATCH: usize = 256;
/// Bytes of a line at most, its newline included.
pub const MAX_LINE: usize = 1 << 20;
/// Bytes of a frame's tensors at most.
pub const MAX_FRAME: usize = 1 << 30;

/// How every stream begins.
pub const START: &[u8] = b"{\"vae\":";
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

/// Text that may come from a stream of anyone, as one line that does nothing to a terminal.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => line.push(' '),
            c if c.is_control() => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    line
}
