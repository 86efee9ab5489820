//! The stream of tensors that programs pass to each other: read by [`Reader`], written by [`Writer`].
//!
//! A filter clones the [`Head`] of its input, says in it what it changes, and turns frames into frames:
//!
//! ```no_run
//! use common::cli::{self, InputArgs, OutputArgs};
//! use common::stream::{Data, Dtype, Reader, Spec, Tensor, Writer};
//!
//! /// Turn black into white
//! #[derive(clap::Parser)]
//! struct Args {
//!     #[command(flatten)]
//!     input: InputArgs,
//!     #[command(flatten)]
//!     output: OutputArgs,
//! }
//!
//! fn run(args: Args) -> common::Result<()> {
//!     let input = Reader::open(&args.input, "x")?;
//!     let mut head = input.head().clone();
//!     let images = head.need("x")?;
//!     head.set_tensor("x", Spec::new(Dtype::F32, &images.shape));
//!     let work = |mut frame: Data, _| {
//!         let x = frame.f32("x")?;
//!         frame.set("x", Tensor::from_array(&x.mapv(|v| 1.0 - v)));
//!         Ok(frame)
//!     };
//!     Writer::create(&args.output, head)?.filter(input, [work])
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     cli::main(run)
//! }
//! ```
//!
#![doc = include_str!("../../FORMAT.md")]

mod bare;
mod convert;
mod dtype;
mod filter;
mod frame;
mod framed;
mod head;
mod jsonl;
mod npy;
mod reader;
mod records;
mod seal;
mod source;
mod tensor;
mod writer;

pub use dtype::Dtype;
pub use frame::{Data, Frame};
pub use head::{Head, ModelRef, Spec};
pub use reader::Reader;
pub use records::Records;
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
