//! `make bench`: speed, memory and size of the programs, measured on this machine as a user meets them, beside JAX and
//! PyTorch where `$PYTHON` has them.
//!
//! What is compared is run in turn, several rounds of it, and told as median and range, since the speed of a machine
//! drifts. Tables are printed as Markdown. The same numbers, round by round, are kept in `target/bench.json`, from which
//! `--document` writes docs/BENCHMARKS.md. Uses MNIST if mnist-dump finds it, and else the synthetic digits.

mod case;
mod digits;
mod engine;
mod epochs;
mod itself;
mod likelihood;
mod machine;
mod memory;
mod neighbour;
mod others;
mod peak;
mod peers;
mod pipes;
mod results;
mod setup;
mod sizes;
mod table;
mod throughput;
mod times;
mod training;
mod turns;

use clap::ValueEnum;
use results::Results;
use setup::{Chosen, Setup};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use table::{Measured, Table};
use training::{PERCEPTRONS, PRESETS};
use vae_cli::{Error, Result};

/// Measure the programs of this workspace
#[derive(clap::Parser)]
#[command(name = "bench")]
struct Args {
    /// Measure only these
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SECTIONS")]
    only: Vec<Section>,
    /// Of the sections that have rows by name, measure those rows whose name holds one of these words, and no other section
    #[arg(long, value_delimiter = ',', value_name = "WORDS")]
    rows: Vec<String>,
    /// Measure only programs whose name holds one of these words, as in vae-train,jax,compile or fp32
    #[arg(long, value_delimiter = ',', value_name = "WORDS")]
    programs: Vec<String>,
    /// Rounds of everything that is compared
    #[arg(long, env = "BENCH_ROUNDS", default_value = "5", value_name = "N")]
    rounds: NonZeroUsize,
    /// Measure again, up to twice, what was measured while other programs took more of the CPU than this
    #[arg(long, default_value = "100", value_name = "PERCENT")]
    quiet: f64,
    /// Print the sections and the names of their rows, and stop
    #[arg(long)]
    list: bool,
    /// Measure nothing: write the tables of target/bench.json into this document, in place of those of the same machine
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
    /// Run a line of shell and print its peak memory in KiB on standard error
    #[arg(long, hide = true)]
    peak: Option<String>,
}

#[derive(ValueEnum, Clone, Copy, PartialEq)]
enum Section {
    Training,
    Models,
    Itself,
    Engine,
    Likelihood,
    Neighbour,
    Pipes,
    Memory,
    Sizes,
    Digits,
}

impl Section {
    fn measure(self, setup: &Setup) -> Result<Vec<Table>> {
        match self {
            Section::Training => PERCEPTRONS.measure(setup),
            Section::Models => PRESETS.measure(setup),
            Section::Itself => itself::measure(setup),
            Section::Engine => engine::measure(setup),
            Section::Likelihood => likelihood::measure(setup),
            Section::Neighbour => neighbour::measure(setup),
            Section::Pipes => pipes::measure(setup),
            Section::Memory => memory::measure(setup),
            Section::Sizes => sizes::measure(setup),
            Section::Digits => digits::measure(setup),
        }
    }
    /// Titles of its tables.
    fn titles(self) -> Vec<&'static str> {
        match self {
            Section::Training => vec![PERCEPTRONS.seconds, PERCEPTRONS.ratios, PERCEPTRONS.shares],
            Section::Models => vec![PRESETS.seconds, PRESETS.ratios, PRESETS.shares],
            Section::Itself => vec![itself::TITLE],
            Section::Engine => vec![engine::TITLE],
            Section::Likelihood => vec![likelihood::TITLE],
            Section::Neighbour => vec![neighbour::TITLE],
            Section::Pipes => vec![pipes::TITLE, throughput::TITLE],
            Section::Memory => vec![memory::TITLE],
            Section::Sizes => vec![sizes::TITLE],
            Section::Digits => vec![digits::TITLE],
        }
    }
    /// Names of its rows, where they can be chosen.
    fn rows(self) -> Vec<&'static str> {
        match self {
            Section::Training => PERCEPTRONS.ids(),
            Section::Models => PRESETS.ids(),
            Section::Itself => itself::ids(),
            Section::Engine => engine::ids(),
            _ => vec![],
        }
    }
    fn has_peers(self) -> bool {
        matches!(self, Section::Training | Section::Models | Section::Neighbour)
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
    if args.list {
        for section in Section::value_variants() {
            println!("{:<12}{}", section.name(), section.rows().join(" "));
        }
        return Ok(());
    }
    let repo = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."));
    let path = repo.join("target/bench.json");
    if let Some(document) = &args.document {
        return write_document(document, &Results::read(&path));
    }
    let sections = sections(&args)?;
    let folder = tempfile::tempdir().map_err(|e| Error::io("cannot make a temporary folder", e))?;
    let chosen = Chosen { rounds: args.rounds.get(), rows: args.rows, programs: args.programs, quiet: args.quiet };
    let mut setup = Setup::new(folder.path(), path, chosen, sections.iter().any(|section| section.has_peers()))?;
    setup.measured = measured(&setup)?;
    for section in sections {
        let mut tables = section.measure(&setup)?;
        setup.keep(tables.iter_mut())?;
        for table in tables.iter().filter(|table| !table.rows.is_empty()) {
            println!("\n{}", table.markdown(&setup.machine));
        }
    }
    setup.verdict()
}

/// The chosen sections: with `--rows`, those that have such rows.
fn sections(args: &Args) -> Result<Vec<Section>> {
    let all = if args.only.is_empty() { Section::value_variants() } else { &args.only[..] };
    let has = |section: &&Section| section.rows().iter().any(|row| setup::is_chosen(&args.rows, row));
    let sections: Vec<Section> = match args.rows.is_empty() {
        true => all.to_vec(),
        false => all.iter().filter(has).copied().collect(),
    };
    match sections.is_empty() {
        false => Ok(sections),
        true => {
            let names: Vec<_> = all.iter().flat_map(|section| section.rows()).collect();
            let given = args.rows.join(",");
            Err(Error::Usage(format!("--rows {given}: expected a part of one of {}", names.join(", "))))
        }
    }
}

fn measured(setup: &Setup) -> Result<Measured> {
    let line = |command: &str| setup.sh(command).map(|text| text.trim().to_owned());
    let version = format!("git -C '{}' describe --always --dirty 2>/dev/null || true", setup.repo.display());
    let mut peers: Vec<String> = setup.peers.iter().map(|peer| peer.version.clone()).collect();
    peers.dedup();
    Ok(Measured {
        date: line("date -u +%F")?,
        version: format!("{} {}", env!("CARGO_PKG_VERSION"), line(&version)?).trim().into(),
        rounds: setup.rounds,
        peers,
        images: setup.dump.into(),
        others: None,
    })
}

fn write_document(path: &Path, results: &Results) -> Result<()> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(format!("cannot read {}", path.display()), e))?;
    let order: Vec<&str> = Section::value_variants().iter().flat_map(|section| section.titles()).collect();
    let text = results.document(&text, &order);
    std::fs::write(path, text).map_err(|e| Error::io(format!("cannot write {}", path.display()), e))
}
