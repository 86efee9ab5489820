//! Standard error: a line for each epoch with a spark of the losses so far, and a bar, where it is a terminal; plain lines
//! with -v where it is not.

use crate::spark::Spark;

use common::model::Spec;
use common::train::{Losses, Trainer};
use indicatif::ProgressBar;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

/// How often the run comes back from the device, to show itself and to hear signals.
const BEAT: Duration = Duration::from_millis(200);

pub struct Progress {
    bar: ProgressBar,
    lines: bool,
    /// Losses of the epochs, of test images if there are any, where the terminal can show their course.
    spark: Option<Spark>,
    epochs: usize,
    /// Steps between two beats, from the time that the last ones took.
    pace: usize,
    since: Instant,
}

impl Progress {
    pub fn new(verbose: bool, spec: &Spec, images: usize) -> Progress {
        let terminal = stderr().is_terminal();
        let epochs = spec.training.epochs;
        let steps = epochs * images.div_ceil(spec.training.batch);
        let bar = vae_cli::progress_bar(steps as u64, "{wide_bar} {pos}/{len} steps, {eta} left");
        let draws = terminal && std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        let spark = draws.then(Spark::default);
        Progress { bar, lines: terminal || verbose, spark, epochs, pace: 1, since: Instant::now() }
    }
    /// Tells of a run that goes on.
    pub fn begin(&self, trainer: &Trainer) {
        if trainer.taken() > 0 {
            self.say(&format!("going on after step {}", trainer.taken()));
        }
    }
    /// How many steps to take now: a beat's worth, and not past the next checkpoint.
    pub fn steps(&mut self, to_checkpoint: Option<u64>) -> usize {
        self.since = Instant::now();
        to_checkpoint.map_or(self.pace, |n| self.pace.min(n as usize))
    }
    /// After `taken` steps.
    pub fn show(&mut self, trainer: &Trainer, taken: u64) {
        let pace = BEAT.as_secs_f64() / (self.since.elapsed().as_secs_f64() / taken.max(1) as f64);
        self.pace = (pace as usize).clamp(1, 2 * self.pace);
        self.bar.set_position(trainer.taken());
    }
    pub fn epoch(&mut self, number: usize, [train, test]: [Option<&Losses>; 2], seconds: f64) {
        let show = |name: &str, losses: Option<&Losses>| {
            let part = |losses: &Losses| {
                let terms = losses.terms.iter().map(|term| format!("{:.2}", term.weight * term.mean));
                format!("  {name} {:.2} = {}", losses.loss(), terms.collect::<Vec<_>>().join(" + "))
            };
            losses.map(part).unwrap_or_default()
        };
        let course = match (&mut self.spark, test.or(train)) {
            (Some(spark), Some(losses)) => {
                spark.push(losses.loss());
                format!("  {}", spark.text())
            }
            _ => String::new(),
        };
        let (epochs, train, test) = (self.epochs, show("train", train), show("test", test));
        let line = format!("epoch {number}/{epochs}{train}{test}  {seconds:.2} s{course}");
        self.say(line.trim_end());
    }
    fn say(&self, line: &str) {
        if self.lines {
            // Where it cannot be written, the run matters more.
            self.bar.suspend(|| vae_cli::tell_line(line));
        }
    }
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
