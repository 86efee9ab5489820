//! Writes images as a stream: MNIST and its like from IDX files, or built-in digits.

mod data;
mod download;
mod files;
mod folder;
mod idx;
mod npz;
mod synthetic;
mod text;
mod transposed;

use std::io::{IsTerminal, stdout};
use std::process::ExitCode;

use clap::Parser;
use vae_cli::selection::SelectionArgs;
use vae_cli::{OutputArgs, Result, source};
use vae_stream::BATCH;

/// Write images as a stream: MNIST, files like MNIST's, or built-in digits
///
/// Reads IDX files, raw or gzip, of any height and width, with labels or without, under the names of MNIST,
/// Fashion-MNIST and KMNIST, EMNIST, and QMNIST, also where each file is in a folder of its own name; or Larochelle's
/// .amat text, whose lines may end in a label; or a table .csv, whose lines may begin with one; or the arrays of an .npz
/// as Keras and MedMNIST have them; or draws handwritten-looking digits itself. Writes the images
/// `x [N, H, W]`, integers and black and white as bytes and floats from 0 to 1 as f32, their labels `y [N]` if there
/// are any, and their indices `i [N]` in the source. Memory is one frame, however many the images; --shuffle, .amat, .csv
/// and .npz hold them all (47 MB for MNIST).
#[derive(Parser)]
#[command(version, after_help = "Example: mnist-dump --split test --only 3,7 -n 64 | grid-png > out.png")]
struct Args {
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    data: data::Data,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Key of --shuffle and of the built-in digits
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    /// Images per frame
    #[arg(long, value_name = "N", default_value_t = BATCH, value_parser = vae_cli::batch)]
    batch: usize,
}

fn main() -> ExitCode {
    vae_cli::main(run)
}

fn run(args: Args) -> Result<()> {
    if args.data.download {
        let folder = folder::of_user()?;
        let fetched = download::fetch(&folder, &download::MNIST, &args.data.mirrors, &download::TIMEOUTS)?;
        let only_download = args.output.output.is_none() && !args.output.jsonl && stdout().is_terminal();
        if fetched > 0 || only_download {
            vae_cli::tell(&format!("MNIST is in {}", folder.display()));
        }
        if only_download {
            return Ok(());
        }
    }
    let mut source = args.data.open(args.seed)?;
    if args.selection.shuffles() {
        source = source.random_access()?;
    }
    let indices = args.selection.indices(&*source, args.seed)?;
    let output = args.output.writer(source::head(&*source))?;
    output.run(|output| source::write(&mut *source, &indices, args.batch, output))
}
