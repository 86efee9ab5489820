//! Model files: inspect, verify, import from PyTorch, export to it, and explore as a page.

mod export;
mod import;
mod info;
mod loaded;
mod naming;
mod page;
mod verify;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use vae_cli::Result;

/// Inspect or verify a model, import and export its weights, or make a page to explore its latent space
///
/// Each command reads model files, or for `import` a PyTorch state dict, and writes to standard output or --output
/// FILE. Memory is a few times the size of the model.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Info(info::Args),
    Verify(verify::Args),
    Import(import::Args),
    Export(export::Args),
    Page(page::Args),
}

const EXAMPLES: &str = "\
Examples:
  vae-model info model.bin | jq .objective
  vae-model import mnist_vae.npz -o model.bin
  vae-model page -m model.bin > explore.html";

fn main() -> ExitCode {
    vae_cli::main(run)
}

fn run(args: Args) -> Result<()> {
    match args.command {
        Command::Info(args) => info::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Import(args) => import::run(args),
        Command::Export(args) => export::run(args),
        Command::Page(args) => page::run(args),
    }
}
