//! Peak memory of each program: of the filters over a short and a long stream.

use crate::setup::Setup;
use crate::table::Table;
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::json;
use std::process::{Command, Stdio};
use vae_cli::{Error, Result};

pub const TITLE: &str = "Peak memory";
const ABOUT: &str =
    "MB of resident memory, over 10,000 images and over 300,000; of training, over the training images. Once.";

pub fn measure(setup: &Setup) -> Result<Vec<Table>> {
    const TIMES: usize = 30;
    let mut table = Table::new(TITLE, ABOUT, ["10,000 images", "300,000 images", "training images"]);
    setup.sh(&format!("for i in $(seq {TIMES}); do cat test.vae; done > long.vae"))?;
    setup.sh("vae-encode -m model.bin test.vae -o latents.vae")?;
    setup.sh(&format!("for i in $(seq {TIMES}); do cat latents.vae; done > long-latents.vae"))?;
    for (filter, short, long) in [
        ("vae-cat", "test.vae", "long.vae"),
        ("vae-encode -m model.bin", "test.vae", "long.vae"),
        ("vae-decode", "latents.vae", "long-latents.vae"),
        ("grid-png -o grid.png", "test.vae", "long.vae"),
        ("vae-sample -m model.bin -n", "10000", "300000"),
    ] {
        let [short, long] = [peak(setup, &format!("{filter} {short}"))?, peak(setup, &format!("{filter} {long}"))?];
        table.push_all(filter, [short, long].map(|mb| format!("{mb:.1}")), json!({"short": short, "long": long}));
    }
    for line in [setup.dump, "vae-train --device cpu train.vae --epochs 1 -o bench.bin"] {
        let peak = peak(setup, line)?;
        let cell = ("training images".to_owned(), format!("{peak:.1}"));
        table.push(table.rows.len(), line, [cell], json!({"peak": peak}));
    }
    Ok(vec![table])
}

/// MB. The benchmark calls itself for each program: the peak over all its children is then that of one.
fn peak(setup: &Setup, line: &str) -> Result<f64> {
    let itself = setup.tools.join("bench");
    let output = setup.command(&format!("exec '{}' --peak '{line}'", itself.display())).stderr(Stdio::piped()).output();
    let output = output.map_err(|e| Error::io(format!("cannot run {}", itself.display()), e))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let kib = text.trim().parse::<f64>().map_err(|_| Error::Failed(format!("{line}: {}", text.trim())))?;
    Ok(kib * 1024.0 / 1e6)
}

/// Runs a program and prints its peak, in KiB.
pub fn print_peak(line: &str) -> Result<()> {
    let status = Command::new("sh").args(["-c", &format!("exec {line}")]).status();
    let status = status.map_err(|e| Error::io(format!("cannot run {line}"), e))?;
    if !status.success() {
        return Err(Error::Failed(format!("{line}: {status}")));
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|e| Error::io("cannot see the memory", e.into()))?;
    eprintln!("{}", usage.max_rss());
    Ok(())
}
