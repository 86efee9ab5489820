//! Seconds per epoch of the classic nets, in turn with the peers, and whether all reach the same losses.

use crate::epochs::{Run, Trainer};
use crate::machine;
use crate::place::Place;
use crate::times::Times;
use common::Result;
use serde_json::{Value, json};

/// Test losses of one network, means over seeds, that differ by more nats than this were not trained alike.
const APART: f64 = 1.5;

pub fn measure(place: &Place) -> Result<Value> {
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
    let mut trainers = vec![Trainer::ours()];
    trainers.extend(Trainer::ours_bf16());
    trainers.extend(Trainer::peers(place));
    println!(
        "\ntraining, seconds per epoch of {} images, second epoch, median of {} in turn (range)",
        place.images, place.rounds
    );
    let numbers: Result<Vec<Value>> = runs.iter().map(|run| compare(place, run, &trainers)).collect();
    Ok(numbers?.into())
}

/// What was measured of one program on one network.
struct Measured<'a> {
    trainer: &'a Trainer,
    seconds: Times,
    test: Times,
}

fn compare(place: &Place, run: &Run, trainers: &[Trainer]) -> Result<Value> {
    let new = |trainer| Measured { trainer, seconds: Times::default(), test: Times::default() };
    let mut all: Vec<Measured> = trainers.iter().map(new).collect();
    for seed in 0..place.rounds {
        for m in &mut all {
            let (seconds, test) = m.trainer.last_epoch(place, run, seed)?;
            m.seconds.0.push(seconds);
            m.test.0.push(test);
        }
    }
    println!("  {}, N = {}, {} thread{}", run.net(), run.batch, run.threads, if run.threads > 1 { "s" } else { "" });
    let ours: Vec<&Measured> = all.iter().filter(|m| m.trainer.precision.is_some()).collect();
    let operations = run.operations(place.images);
    let rows: Vec<Value> = all
        .iter()
        .map(|m| {
            let mut row = json!({"program": m.trainer.name, "seconds": m.seconds.json(), "test": m.test.json()});
            let note = match m.trainer.precision {
                Some(precision) => {
                    let speed = operations / m.seconds.median() / 1e9;
                    let peak = machine::peak(run.threads, precision);
                    row["gflops"] = speed.into();
                    row["peak_gflops"] = peak.into();
                    format!("{speed:.0} GFLOP/s, {:.0} % of peak", 100.0 * speed / peak)
                }
                None => {
                    let against = |ours: &&Measured| {
                        let ratio = m.seconds.over(&ours.seconds);
                        row["times"][&ours.trainer.name] = ratio.json();
                        format!("{ratio:.2} x {}", ours.trainer.name)
                    };
                    ours.iter().map(against).collect::<Vec<_>>().join(", ")
                }
            };
            println!("    {:<22} {:<22.3} test loss {:<7.1} {note}", m.trainer.name, m.seconds, m.test.mean());
            row
        })
        .collect();
    let apart = Times(all.iter().map(|m| m.test.mean()).collect()).spread();
    if apart > APART {
        place.alarm(format!(
            "{}, N = {}: the test losses, means over {} seeds, differ by {apart:.2} nats, expected at most {APART}: the \
             programs do not train the same network",
            run.net(),
            run.batch,
            place.rounds
        ));
    }
    Ok(
        json!({"net": run.net(), "batch": run.batch, "threads": run.threads, "gflop_per_epoch": operations / 1e9, "rows": rows}),
    )
}
