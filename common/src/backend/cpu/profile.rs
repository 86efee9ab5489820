//! The profiler: the time spent on each part of a program.

use crate::plan::Program;
use std::time::{Duration, Instant};

/// The parts of a program, in order, and the time of all threads on each.
pub type Profile = Vec<(String, Duration)>;

/// The laps of one thread: each operation, packing operands, waiting at barriers, each gradient with its update.
pub(crate) struct Profiler {
    last: Option<Instant>,
    spent: Vec<Duration>,
    operations: usize,
}

impl Profiler {
    /// Reads no clock unless `enabled`.
    pub(crate) fn new(program: &Program, enabled: bool) -> Profiler {
        let operations = program.ops().len();
        let parts = operations + 2 + program.gradients().len();
        Profiler { last: enabled.then(Instant::now), spent: vec![Duration::ZERO; parts], operations }
    }
    fn lap(&mut self, part: usize) {
        if let Some(last) = &mut self.last {
            let now = Instant::now();
            self.spent[part] += now - *last;
            *last = now;
        }
    }
    pub(crate) fn operation(&mut self, i: usize) {
        self.lap(i);
    }
    pub(crate) fn operands(&mut self) {
        self.lap(self.operations);
    }
    pub(crate) fn barrier(&mut self) {
        self.lap(self.operations + 1);
    }
    pub(crate) fn gradient(&mut self, i: usize) {
        self.lap(self.operations + 2 + i);
    }
    /// Adds the laps to those of other threads and runs.
    pub(crate) fn add_to(self, profile: &mut Profile, program: &Program) {
        let operations = program.ops().iter().map(|checked| checked.op.label());
        let between = ["packing operands of weight gradients".to_string(), "waiting for other threads".to_string()];
        let names = operations.chain(between).chain(program.gradients().iter().map(|gradient| gradient.label()));
        for (name, spent) in names.zip(self.spent) {
            match profile.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += spent,
                None => profile.push((name, spent)),
            }
        }
    }
}
