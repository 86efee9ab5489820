//! `make bench`: speed, memory and size of the programs, measured on this machine as a user meets them, beside JAX and
//! PyTorch where `$PYTHON` has them.
//!
//! What is compared is run in turn, several rounds of it, and told as median and range, since the speed of a machine
//! drifts. The same numbers, round by round, go to `target/bench.json`. Uses MNIST if mnist-dump finds it, and else the
//! synthetic digits.

mod digits;
mod engine;
mod epochs;
mod machine;
mod memory;
mod models;
mod neighbour;
mod peak;
mod peers;
mod pipes;
mod setup;
mod sizes;
mod throughput;
mod times;
mod training;
mod turns;

use clap::ValueEnum;
use serde_json::{Map, Value};
use setup::Setup;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use vae_cli::{Error, Result};

/// Measure the programs of this workspace
#[derive(clap::Parser)]
#[command(name = "bench")]
struct Args {
    /// Measure only these
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SECTIONS")]
    only: Vec<Section>,
    /// Rounds of everything that is compared
    #[arg(long, env = "BENCH_ROUNDS", default_value = "5", value_name = "N")]
    rounds: NonZeroUsize,
    /// Run a line of shell and print its peak memory in KiB on standard error
    #[arg(long, hide = true)]
    peak: Option<String>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq)]
enum Section {
    Training,
    Models,
    Engine,
    Neighbour,
    Pipes,
    Memory,
    Sizes,
    Digits,
}

impl Section {
    /// Prints a table, and gives its numbers.
    fn measure(self, setup: &Setup) -> Result<Value> {
        match self {
            Section::Training => training::measure(setup),
            Section::Models => models::measure(setup),
            Section::Engine => engine::measure(setup),
            Section::Neighbour => neighbour::measure(setup),
            Section::Pipes => pipes::measure(setup),
            Section::Memory => memory::measure(setup),
            Section::Sizes => sizes::measure(setup),
            Section::Digits => digits::measure(setup),
        }
    }
    fn name(self) -> String {
        self.to_possible_value().expect("no section is hidden").get_name().to_owned()
    }
}

fn main() -> ExitCode {
    vae_cli::main(run)
}

fn run(args: Args) -> Result<()> {
    if let Some(line) = &args.peak {
        return memory::print_peak(line);
    }
    let folder = tempfile::tempdir().map_err(|e| Error::io("cannot make a temporary folder", e))?;
    let setup = Setup::new(folder.path(), args.rounds.get())?;
    let sections = if args.only.is_empty() { Section::value_variants() } else { &args.only };
    let machine = machine::describe(&setup)?;
    println!("{} · {} cores · {}", machine::cpu(), machine::cores(), setup.dump);
    for section in sections {
        let numbers = section.measure(&setup)?;
        keep(&setup, *section, machine.clone(), numbers)?;
    }
    setup.verdict()
}

/// Writes a section, and where and when it was measured, into `target/bench.json`; others stay as they were.
fn keep(setup: &Setup, section: Section, machine: Value, numbers: Value) -> Result<()> {
    let path = setup.repo.join("target/bench.json");
    let text = std::fs::read(&path).unwrap_or_default();
    let mut all: Map<String, Value> = serde_json::from_slice(&text).unwrap_or_default();
    all.insert(section.name(), serde_json::json!({"measured": machine, "numbers": numbers}));
    let text = format!("{:#}\n", Value::Object(all));
    std::fs::write(&path, text).map_err(|e| Error::io(format!("cannot write {}", path.display()), e))
}
