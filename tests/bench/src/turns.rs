//! Programs that train the same network in turn: their seconds, and whether all reach the same loss.

use crate::case::Case;
use crate::epochs::Trainer;
use crate::machine;
use crate::peak::Instruction;
use crate::setup::Setup;
use crate::times::Times;
use serde_json::{Value, json};
use vae_cli::Result;

/// What was measured of one program.
struct Measured<'a> {
    trainer: &'a Trainer,
    seconds: Times,
    test: Times,
}

/// All of them on one network.
pub struct Turns<'a> {
    case: &'a Case,
    all: Vec<Measured<'a>>,
    /// The peak of each instruction, of each round.
    peaks: Vec<(Instruction, Times)>,
    images: usize,
}

type Cells = Vec<(String, String)>;

impl<'a> Turns<'a> {
    /// Measures, each round with a seed of its own. A peer that fails is left out, with a word.
    pub fn take(setup: &Setup, trainers: &'a [Trainer], case: &'a Case) -> Result<Turns<'a>> {
        let trainers = trainers.iter().filter(|trainer| trainer.knows(case));
        let new = |trainer| Measured { trainer, seconds: Times::default(), test: Times::default() };
        let mut all: Vec<Measured> = trainers.clone().map(new).collect();
        let mut peaks: Vec<(Instruction, Times)> = vec![];
        for instruction in trainers.filter_map(|trainer| trainer.instruction) {
            if !peaks.iter().any(|(known, _)| *known == instruction) {
                peaks.push((instruction, Times::default()));
            }
        }
        let mut failed: Vec<&str> = vec![];
        for seed in 0..setup.rounds {
            for (instruction, times) in &mut peaks {
                times.0.push(instruction.peak(case.threads, machine::isa()));
            }
            for m in all.iter_mut().filter(|m| !failed.contains(&&m.trainer.name[..])).collect::<Vec<_>>() {
                match m.trainer.second_epoch(setup, case, seed) {
                    Ok(epoch) => {
                        m.seconds.0.push(epoch.seconds);
                        m.test.0.push((case.compared().of)(&epoch.test));
                    }
                    Err(e) if m.trainer.ours => return Err(e),
                    Err(e) => {
                        setup.note(&format!("{}: {e}: no figure", m.trainer.name));
                        failed.push(&m.trainer.name);
                    }
                }
            }
        }
        all.retain(|m| !failed.contains(&&m.trainer.name[..]));
        let images = case.images.unwrap_or(setup.images);
        Ok(Turns { case, all, peaks, images })
    }

    /// Seconds per epoch of each.
    pub fn seconds(&self) -> Cells {
        self.all.iter().map(|m| (m.trainer.name.clone(), format!("{:.2}", m.seconds))).collect()
    }

    /// How many times as long as ours of the same precision each peer takes, round by round.
    pub fn ratios(&self) -> Cells {
        self.beside().into_iter().map(|(name, ratio)| (name, format!("{ratio:.2}"))).collect()
    }

    fn beside(&self) -> Vec<(String, Times)> {
        let ours = |precision| self.all.iter().find(|m| m.trainer.ours && m.trainer.precision == precision);
        let peers = self.all.iter().filter(|m| !m.trainer.ours);
        peers
            .filter_map(|m| Some((m.trainer.name.clone(), m.seconds.over(&ours(m.trainer.precision)?.seconds))))
            .collect()
    }

    /// GFLOP/s of ours, and the share of the peak of the instruction that it used.
    pub fn shares(&self) -> Cells {
        let ours = self.all.iter().filter(|m| m.trainer.ours);
        ours.filter_map(|m| {
            let speed = self.case.gflop(self.images)? / m.seconds.median();
            let peak = self.peaks.iter().find(|(instruction, _)| Some(*instruction) == m.trainer.instruction);
            let share = peak.map_or("peak not measured".to_owned(), |(instruction, times)| {
                let most = times.0.iter().copied().fold(0.0, f64::max);
                format!("{:.0} % of {most:.0}, {}", 100.0 * speed / most, instruction.name())
            });
            Some((m.trainer.name.clone(), format!("{speed:.0} GFLOP/s, {share}")))
        })
        .collect()
    }

    /// All rounds.
    pub fn numbers(&self) -> Value {
        let Case { batch, threads, .. } = self.case;
        let program = |m: &Measured| {
            let instruction = m.trainer.instruction.map(Instruction::name);
            let name = m.trainer.name.clone();
            (name, json!({"seconds": m.seconds.json(), "test": m.test.json(), "instruction": instruction}))
        };
        let programs: serde_json::Map<_, _> = self.all.iter().map(program).collect();
        let ratios: serde_json::Map<_, _> =
            self.beside().into_iter().map(|(name, ratio)| (name, ratio.json())).collect();
        let peaks: serde_json::Map<_, _> =
            self.peaks.iter().map(|(instruction, times)| (instruction.name().to_owned(), times.json())).collect();
        json!({
            "batch": batch,
            "threads": threads,
            "images": self.images,
            "gflop_per_epoch": self.case.gflop(self.images),
            "compared": self.case.compared().name,
            "programs": programs,
            "times_vae_train": ratios,
            "peak_gflops": peaks,
        })
    }

    /// Alarms where they did not train the same network.
    pub fn expect_alike(&self, setup: &Setup) {
        let compared = self.case.compared();
        let spread = Times(self.all.iter().map(|m| m.test.mean()).collect()).spread();
        let tolerance = compared.tolerance(setup.rounds);
        if spread.is_nan() || spread > tolerance {
            let digits = compared.digits + 1;
            let each = self.all.iter().map(|m| format!("{} {:.digits$}", m.trainer.name, m.test.mean()));
            setup.alarm(format!(
                "{}: {}, means over {} seeds, differ by {spread:.digits$}, expected at most {tolerance:.digits$}: the programs \
                 do not train the same network: {}",
                self.case.name(),
                compared.name,
                setup.rounds,
                each.collect::<Vec<_>>().join(", ")
            ));
        }
    }
}
