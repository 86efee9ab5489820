//! Joins, cuts, checks and converts streams.

use std::process::ExitCode;

use clap::Parser;
use common::Result;
use common::cli::{self, InputArgs, OutputArgs};
use common::stream::{Reader, Writer};

/// Joins, cuts, checks and converts streams
#[derive(Parser)]
#[command(name = "vae-cat", version)]
struct Args {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    output: OutputArgs,
}

fn main() -> ExitCode {
    cli::main(run)
}

fn run(args: Args) -> Result<()> {
    let input = Reader::open(&args.input, "x")?;
    let output = Writer::create(&args.output, input.head().clone())?;
    output.filter(input, Ok)
}
