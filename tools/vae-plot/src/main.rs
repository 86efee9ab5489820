//! `vae-plot`: loss curves and scatter plots of latents.

mod annotations;
mod axis;
mod classes;
mod colours;
mod curves;
mod latent;
mod legend;
mod loss;
mod picture;
mod png;
mod points;
mod projection;
mod run;
mod scatter;
mod text;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use vae_cli::Result;

/// Plot losses by epoch, or latents as a scatter plot coloured by label
///
/// Each command reads what other programs write and writes one picture, a PNG or an SVG, to standard output or to
/// the file of --output, which appears only when all went well. Memory: the points drawn, and the picture.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Loss(loss::Args),
    Latent(latent::Args),
}

const EXAMPLES: &str = "\
Examples:
  mnist-dump | vae-train -o model.bin | vae-plot loss -o loss.png
  vae-plot loss small.jsonl large.jsonl -o losses.svg
  mnist-dump --split test | vae-encode -m model.bin | vae-plot latent -o latent.png";

fn main() -> ExitCode {
    vae_cli::main(run)
}

fn run(args: Args) -> Result<()> {
    match args.command {
        Command::Loss(args) => loss::run(args),
        Command::Latent(args) => latent::run(args),
    }
}
