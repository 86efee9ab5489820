//! Joins, cuts, checks and converts streams.

mod check;
mod cut;
mod input;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use vae_cli::{Error, OutputArgs, Result};

use cut::Cutter;
use input::Input;

/// Join, cut, check and convert streams
///
/// Reads streams, .npy and newline JSON, one after the other; or makes one stream of several .npy with equal numbers of
/// items, say images with their labels: vae-cat x=images.npy y=labels.npy. Writes a stream, one .npy, or newline JSON.
/// Memory is one frame.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Args {
    /// The input: streams, .npy or newline JSON to join, or NAME=FILE for each tensor; standard input if absent or -
    #[arg(value_name = "FILE|NAME=FILE", value_hint = clap::ValueHint::AnyPath)]
    files: Vec<PathBuf>,
    /// The name of the tensor of a bare .npy, which has none
    #[arg(long, value_name = "NAME", default_value = "x")]
    name: String,
    /// Leave out the first N items
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: usize,
    /// Stop after N items
    #[arg(long, value_name = "N")]
    take: Option<usize>,
    /// Put N items into each frame
    #[arg(long, value_name = "N", value_parser = vae_cli::batch)]
    batch: Option<usize>,
    /// Take the frames of this group alone, as the main group
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Only print the head, as JSON
    #[arg(long, conflicts_with_all = ["check", "npy", "jsonl"])]
    head: bool,
    /// Only verify the input, and print counts as one line of JSON
    #[arg(long, conflicts_with_all = ["npy", "jsonl"])]
    check: bool,
    #[command(flatten)]
    output: OutputArgs,
}

const EXAMPLES: &str = "\
Examples:
  vae-cat x=images.npy y=labels.npy | vae-train -o model.bin
  mnist-dump | vae-encode -m model.bin | vae-cat --npy z > z.npy
  vae-cat --take 5 --jsonl latents.vae | jq -c '{z: [.z[] * 2]}' | vae-decode -m model.bin | grid-png > out.png";

fn main() -> ExitCode {
    vae_cli::main(run)
}

fn run(args: Args) -> Result<()> {
    let mut input = Input::open(args.files, &args.name)?;
    if let Some(group) = &args.group {
        input.select(group)?;
    }
    if args.head {
        let head = serde_json::to_string_pretty(input.head().as_json());
        return check::print(&args.output, &head.map_err(|e| Error::Failed(e.to_string()))?);
    }
    if args.check {
        return check::print(&args.output, &check::counts(&mut input)?.to_string());
    }
    let output = args.output.writer(input.head().clone())?;
    let mut cutter = Cutter::new(args.skip, args.take, args.batch);
    output.run(|output| {
        while !cutter.is_done()
            && let Some(frame) = input.next_frame()?
        {
            cutter.write(frame, output)?;
        }
        cutter.finish(output)
    })
}
