//! `make torture`: the release programs killed, starved, and fed with damage, and a table of what came of it.
//!
//! Every trial runs one command line under one adverse condition and is judged by the same rules ([`verdict`]): no hang, no
//! panic, no exit 0 with another output than that of an undisturbed run, an exit code of FORMAT.md, one line of message, and
//! files that are whole or not there. Trials are drawn with a seed, and a fault is printed with its command line.

mod bench;
mod case;
mod damage;
mod descriptors;
mod kills;
mod limits;
#[cfg(test)]
mod planted;
mod report;
mod space;
mod syscalls;
mod verdict;

use bench::Bench;
use clap::ValueEnum;
use report::Report;
use std::path::PathBuf;
use std::process::ExitCode;
use vae_cli::{Error, Result};

/// Kill, starve and damage the programs of this workspace
#[derive(clap::Parser)]
#[command(name = "torture")]
struct Args {
    /// Run only these sections
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SECTIONS")]
    only: Vec<Section>,
    /// Run only command lines that begin like this
    #[arg(long, default_value = "", value_name = "LINE")]
    line: String,
    /// Kills of training runs, and a tenth of it for every other command line
    #[arg(long, default_value = "1000", value_name = "N")]
    kills: usize,
    /// Damaged files for each input of each command line, and as many truncated ones
    #[arg(long, default_value = "200", value_name = "N")]
    damaged: usize,
    /// Seed of moments, system calls and bytes
    #[arg(long, default_value = "0", value_name = "N")]
    seed: u64,
    /// The folder of the programs [default: that of this one]
    #[arg(long, value_name = "DIR")]
    tools: Option<PathBuf>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq)]
enum Section {
    /// SIGKILL at random moments and at system calls
    Kills,
    /// No space on the device
    Space,
    /// System calls that fail
    Syscalls,
    /// Closed and odd descriptors
    Descriptors,
    /// Limits of the process, and its environment
    Limits,
    /// Flipped bits and truncations
    Damage,
}

fn main() -> ExitCode {
    vae_cli::main(run)
}

fn run(args: Args) -> Result<()> {
    let itself = std::env::current_exe().map_err(|e| Error::io("cannot find this program", e))?;
    let tools = args.tools.or_else(|| itself.parent().map(PathBuf::from)).unwrap_or_default();
    let bench = Bench::new(&tools, args.seed)?;
    let cases = case::all(&bench, &args.line)?;
    let sections = if args.only.is_empty() { Section::value_variants() } else { &args.only };
    let mut report = Report::default();
    println!("{}\n", bench::machine());
    for section in sections {
        match section {
            Section::Kills => kills::run(&bench, &cases, args.kills, &mut report)?,
            Section::Space => space::run(&bench, &cases, &mut report)?,
            Section::Syscalls => syscalls::run(&bench, &cases, &mut report)?,
            Section::Descriptors => descriptors::run(&bench, &cases, &mut report)?,
            Section::Limits => limits::run(&bench, &cases, &mut report)?,
            Section::Damage => damage::run(&bench, &cases, args.damaged, &mut report)?,
        }
    }
    report.print();
    report.verdict()
}
