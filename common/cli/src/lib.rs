//! The common parts of the programs: arguments, inputs and outputs, exit codes, man pages.
//!
//! ```no_run
//! use vae_cli::{InputArgs, OutputArgs, Result};
//! use vae_stream::{Data, Dtype, TensorSpec, Tensor};
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
//! fn run(args: Args) -> Result<()> {
//!     let input = args.input.reader("x")?;
//!     let mut head = input.head().clone();
//!     let images = head.need("x")?;
//!     head.set_tensor("x", TensorSpec::new(Dtype::F32, &images.shape));
//!     let work = |mut frame: Data, _| {
//!         let x = frame.f32("x")?;
//!         frame.set("x", Tensor::from_array(&x.mapv(|v| 1.0 - v)));
//!         Ok(frame)
//!     };
//!     args.output.writer(head)?.filter(input, [work])
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     vae_cli::main(run)
//! }
//! ```
#![warn(clippy::missing_errors_doc)]

mod args;
mod error;
mod fd;
mod format;
pub mod html;
mod image_args;
pub mod indices;
pub mod input;
mod manual;
pub mod memory;
mod new_file;
pub mod output;
mod program;
mod progress;
pub mod remedy;
pub mod selection;
pub mod source;
mod suggestion;

pub use args::{InputArgs, OutputArgs, ThreadArgs, batch, stdin_holds_something};
pub use error::{Error, Result};
pub use image_args::ImageArgs;
pub use program::{main, tell, tell_line, tool_name};
pub use progress::progress_bar;
pub use suggestion::meant;
