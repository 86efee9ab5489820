//! What the numbers were measured on.

use crate::peak;
use crate::setup::Setup;
use common::backend::InstructionSet;
use common::plan::Precision;
use serde_json::{Value, json};
use vae_cli::Result;

/// The machine, the day, and the versions of all that is measured.
pub fn describe(setup: &Setup) -> Result<Value> {
    let line = |command: &str| setup.sh(command).map(|text| text.trim().to_owned());
    let version = format!("git -C '{}' describe --always --dirty 2>/dev/null || true", setup.repo.display());
    Ok(json!({
        "cpu": cpu(),
        "cores": cores(),
        "system": line("uname -srm")?,
        "date": line("date -u +%FT%TZ")?,
        "version": format!("{} {}", env!("CARGO_PKG_VERSION"), line(&version)?).trim(),
        "peers": setup.peers.iter().map(|peer| peer.version.clone()).collect::<Vec<_>>(),
        "images": setup.dump,
        "rounds": setup.rounds,
    }))
}

pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub fn cpu() -> String {
    info("model name").unwrap_or("unknown CPU".into())
}

/// The first value of this name in `/proc/cpuinfo`.
fn info(name: &str) -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// GFLOP/s that so many threads reach on numbers in registers.
pub fn peak(threads: usize, precision: Precision) -> f64 {
    peak::peak(threads, precision, isa())
}

/// The instructions that our programs use.
pub fn isa() -> InstructionSet {
    InstructionSet::from_env().unwrap_or_else(|e| panic!("{e}"))
}
