//! Where the time of a run goes.

use crate::plan::Program;
use std::time::{Duration, Instant};

/// The parts of a program and the time that all threads spent on each, in the order in which they come.
pub type Profile = Vec<(String, Duration)>;

/// The time of one thread, by the parts of a program: its operations, what the weights learn from, each that learns, and
/// the waiting for other threads.
pub(super) struct Clock {
    last: Option<Instant>,
    spent: Vec<Duration>,
    operations: usize,
}

impl Clock {
    /// Costs nothing unless `on`.
    pub(super) fn new(program: &Program, on: bool) -> Clock {
        let operations = program.ops().len();
        let parts = operations + 2 + program.gradients().len();
        Clock { last: on.then(Instant::now), spent: vec![Duration::ZERO; parts], operations }
    }
    fn lap(&mut self, part: usize) {
        if let Some(last) = &mut self.last {
            let now = Instant::now();
            self.spent[part] += now - *last;
            *last = now;
        }
    }
    pub(super) fn operation(&mut self, i: usize) {
        self.lap(i);
    }
    pub(super) fn operands(&mut self) {
        self.lap(self.operations);
    }
    pub(super) fn weight(&mut self, i: usize) {
        self.lap(self.operations + 2 + i);
    }
    pub(super) fn waited(&mut self) {
        self.lap(self.operations + 1);
    }
    /// Adds it to that of other threads and runs.
    pub(super) fn add_to(self, profile: &mut Profile, program: &Program) {
        let operations = program.ops().iter().map(|call| call.op.label());
        let waiting = ["cells and lists of what is learnt from".to_string(), "waiting for other threads".to_string()];
        let names = operations.chain(waiting).chain(program.gradients().iter().map(|learn| learn.label()));
        for (name, spent) in names.zip(self.spent) {
            match profile.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += spent,
                None => profile.push((name, spent)),
            }
        }
    }
}
