//! Progress on standard error: at a terminal a bar, and a line per epoch with a sparkline of the losses; elsewhere, with -v,
//! plain lines.

use crate::spark::Spark;

use common::model::Spec;
use common::train::{Losses, Trainer};
use indicatif::ProgressBar;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

/// The interval between updates of the bar and looks at signals: the device runs steps without a pause for so long.
const INTERVAL: Duration = Duration::from_millis(200);

pub struct Progress {
    bar: ProgressBar,
    lines: bool,
    /// The losses of the epochs, of the test images if there are any; at a terminal that can show it.
    spark: Option<Spark>,
    epochs: usize,
    /// Steps per interval, by the time of the last ones.
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
    /// Says where a resumed run goes on.
    pub fn begin(&self, trainer: &Trainer) {
        if trainer.taken() > 0 {
            self.say(&format!("going on after step {}", trainer.taken()));
        }
    }
    /// The next steps to take: those of an interval, up to the next checkpoint.
    pub fn steps(&mut self, to_checkpoint: Option<u64>) -> usize {
        self.since = Instant::now();
        to_checkpoint.map_or(self.pace, |n| self.pace.min(n as usize))
    }
    /// Updates the bar, and the steps per interval, after `taken` steps.
    pub fn show(&mut self, trainer: &Trainer, taken: u64) {
        let pace = INTERVAL.as_secs_f64() / (self.since.elapsed().as_secs_f64() / taken.max(1) as f64);
        self.pace = (pace as usize).clamp(1, 2 * self.pace);
        self.bar.set_position(trainer.taken());
    }
    /// A line with the losses of an epoch.
    pub fn epoch(&mut self, number: usize, [train, test]: [Option<&Losses>; 2], seconds: f64) {
        let show = |name: &str, losses: Option<&Losses>| {
            let part = |losses: &Losses| {
                let terms = losses.terms.iter().map(|term| format!("{:.2}", term.weight * term.mean));
                format!("  {name} {:.2} = {}", losses.loss(), terms.collect::<Vec<_>>().join(" + "))
            };
            losses.map(part).unwrap_or_default()
        };
        let sparkline = match (&mut self.spark, test.or(train)) {
            (Some(spark), Some(losses)) => {
                spark.push(losses.loss());
                format!("  {}", spark.text())
            }
            _ => String::new(),
        };
        let (epochs, train, test) = (self.epochs, show("train", train), show("test", test));
        let line = format!("epoch {number}/{epochs}{train}{test}  {seconds:.2} s{sparkline}");
        self.say(line.trim_end());
    }
    fn say(&self, line: &str) {
        if self.lines {
            // A closed standard error does not end the run.
            self.bar.suspend(|| vae_cli::tell_line(line));
        }
    }
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
