//! Programs that train the same network in turn: their seconds, and whether all reach the same loss.

use crate::epochs::{Losses, Trainer};
use crate::setup::Setup;
use crate::times::Times;
use common::plan::Precision;
use serde_json::{Value, json};
use vae_cli::Result;

/// What was measured of one program.
struct Measured<'a> {
    trainer: &'a Trainer,
    seconds: Times,
    test: Times,
}

/// A loss by which programs are compared.
pub struct Compared {
    /// `test loss`.
    pub name: &'static str,
    /// As it is printed.
    pub digits: usize,
    pub of: fn(&Losses) -> f64,
    /// Means over seeds that differ by more were not trained alike.
    pub apart: f64,
}

/// All of them on one network.
pub struct Turns<'a> {
    all: Vec<Measured<'a>>,
    by: &'a Compared,
}

impl<'a> Turns<'a> {
    /// Measures, each round with a seed of its own.
    pub fn take(setup: &Setup, trainers: &'a [Trainer], options: &str, by: &'a Compared) -> Result<Turns<'a>> {
        let new = |trainer| Measured { trainer, seconds: Times::default(), test: Times::default() };
        let mut all: Vec<Measured> = trainers.iter().map(new).collect();
        for seed in 0..setup.rounds {
            for m in &mut all {
                let epoch = m.trainer.last_epoch(setup, options, seed)?;
                m.seconds.0.push(epoch.seconds);
                m.test.0.push((by.of)(&epoch.test));
            }
        }
        Ok(Turns { all, by })
    }

    /// Prints them, and gives their numbers. `ours`: what more there is to tell of a program of ours, and to add to its
    /// numbers; of a peer it is how many times as long it takes.
    pub fn rows(&self, ours: impl Fn(&Times, Precision, &mut Value) -> String) -> Vec<Value> {
        let (by, digits) = (self.by, self.by.digits);
        let row = |m: &Measured| {
            let mut row = json!({"program": m.trainer.name, "seconds": m.seconds.json(), "test": m.test.json()});
            let note = match m.trainer.precision {
                Some(precision) => ours(&m.seconds, precision, &mut row),
                None => self.ratios(m, &mut row),
            };
            let (name, test) = (&m.trainer.name, m.test.mean());
            let line = format!("    {name:<22} {:<22.3} {} {test:<7.digits$} {note}", m.seconds, by.name);
            println!("{}", line.trim_end());
            row
        };
        self.all.iter().map(row).collect()
    }

    /// How many times as long as programs of ours a peer takes.
    fn ratios(&self, peer: &Measured, row: &mut Value) -> String {
        let ours = self.all.iter().filter(|m| m.trainer.precision.is_some());
        let against = |ours: &Measured| {
            let ratio = peer.seconds.over(&ours.seconds);
            row["times"][&ours.trainer.name] = ratio.json();
            format!("{ratio:.2} x {}", ours.trainer.name)
        };
        ours.map(against).collect::<Vec<_>>().join(", ")
    }

    /// Alarms where they did not train the same network, which is what `what` was.
    pub fn expect_alike(&self, setup: &Setup, what: &str) {
        let Compared { name, digits, apart, .. } = self.by;
        let spread = Times(self.all.iter().map(|m| m.test.mean()).collect()).spread();
        if spread.is_nan() || spread > *apart {
            setup.alarm(format!(
                "{what}: {name}, means over {} seeds, differ by {spread:.*}, expected at most {apart}: the programs do not \
                 train the same network",
                setup.rounds,
                digits + 1
            ));
        }
    }
}
