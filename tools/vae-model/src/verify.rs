//! Verification of model files.

use crate::loaded::LoadedModel;
use std::io::Write;
use std::path::PathBuf;
use vae_cli::input::check_kept;
use vae_cli::output::{Format, Output};
use vae_cli::{Error, Result};

/// Verify models: the digest, every tensor of the network, its shape, and that all values are finite
///
/// Reads each file whole. Writes a line for each good model, and exits with 65 if any is bad. Memory is the size of the
/// largest, whatever their number.
#[derive(clap::Args)]
#[command(after_help = "Example: vae-model verify *.bin")]
pub struct Args {
    /// Models or checkpoints
    #[arg(value_name = "FILE", required_unless_present = "model", conflicts_with = "model")]
    files: Vec<PathBuf>,
    /// The same by an option, once for each
    #[arg(short, long, value_name = "FILE")]
    model: Vec<PathBuf>,
    /// Write to FILE, which appears only if all are good; standard output if absent or -
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub fn run(args: Args) -> Result<()> {
    let files = [args.files, args.model].concat();
    if let Some(output) = &args.output {
        check_kept(output, files.iter().map(PathBuf::as_path))?;
    }
    let mut output = Output::open(args.output.as_deref(), Format::Text)?;
    let mut bad = vec![];
    for file in &files {
        match LoadedModel::load_verified(file) {
            Ok(_) => writeln!(output, "{}: good", file.display()).map_err(|e| output.error(e))?,
            Err(e) => bad.push(e),
        }
    }
    // The good files are reported before the bad ones.
    output.push()?;
    match bad.len() {
        0 => output.commit(),
        1 => Err(bad.remove(0)),
        n => {
            let all: Vec<String> = bad.iter().map(Error::to_string).collect();
            Err(Error::Data(format!("{n} of {} files are bad: {}", files.len(), all.join("; "))))
        }
    }
}
