//! Seconds per epoch of the classic nets, in turn with the peers, and whether all reach the same losses.

use crate::epochs::{Run, Trainer};
use crate::machine;
use crate::setup::Setup;
use crate::turns::{Compared, Turns};
use serde_json::{Value, json};
use vae_cli::Result;

/// In nats.
const LOSS: Compared = Compared { name: "test loss", digits: 1, of: |test| test.loss, apart: 1.5 };

pub fn measure(setup: &Setup) -> Result<Value> {
    let all = machine::cores();
    let classic = Run::classic(all);
    let mut runs = vec![
        classic,
        Run { batch: 512, ..classic },
        Run { batch: 4096, ..classic },
        Run { hidden: &[512, 256], latent: 2, ..classic },
    ];
    if all > 1 {
        runs.push(Run::classic(1));
    }
    let mut trainers = Trainer::all_ours();
    trainers.extend(setup.peers.iter().map(Trainer::peer));
    println!(
        "\ntraining, seconds per epoch of {} images, second epoch, median of {} in turn (range)",
        setup.images, setup.rounds
    );
    let numbers: Result<Vec<Value>> = runs.iter().map(|run| compare(setup, run, &trainers)).collect();
    Ok(numbers?.into())
}

fn compare(setup: &Setup, run: &Run, trainers: &[Trainer]) -> Result<Value> {
    let turns = Turns::take(setup, trainers, &run.options(), &LOSS)?;
    println!("  {}, N = {}, {} thread{}", run.net(), run.batch, run.threads, if run.threads > 1 { "s" } else { "" });
    let operations = run.operations(setup.images);
    let rows = turns.rows(|seconds, precision, row| {
        let speed = operations / seconds.median() / 1e9;
        let peak = machine::peak(run.threads, precision);
        row["gflops"] = speed.into();
        row["peak_gflops"] = peak.into();
        format!("{speed:.0} GFLOP/s, {:.0} % of peak", 100.0 * speed / peak)
    });
    turns.expect_alike(setup, &format!("{}, N = {}", run.net(), run.batch));
    Ok(
        json!({"net": run.net(), "batch": run.batch, "threads": run.threads, "gflop_per_epoch": operations / 1e9, "rows": rows}),
    )
}
