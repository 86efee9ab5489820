//! The face of a device: it holds the buffers of one plan and runs programs over them.
//!
//! [`Backend`] has six methods, whatever the number of operations: a new operation is a variant of
//! [`Op`](crate::plan::Op) and one match arm in each backend.

pub mod cpu;
mod memory;

use crate::plan::{Buf, Program};

pub use cpu::Cpu;

/// One image of an epoch: which row of the data it is, and which noise it draws.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Visit {
    /// The row of the tables of the data.
    pub row: u32,
    /// The index that keys its noise: its place in the source, so that a part of the data draws what the whole would.
    pub id: u32,
}

/// Adam (Kingma and Ba 2015), the decay rates and epsilon.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Adam {
    /// Step size.
    pub lr: f32,
    /// Decay of the first and second moment.
    pub betas: [f32; 2],
    /// Added to the root of the second moment.
    pub eps: f32,
}

/// All numbers that change from step to step. The host sets them between runs; inside a run `advance` moves them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// Key of all noise.
    pub seed: u32,
    /// Part of the counter of the noise: 1 in the first epoch of training, 0 in evaluation.
    pub epoch: u32,
    /// Position in the order of the epoch.
    pub at: usize,
    /// Where the epoch ends.
    pub items: usize,
    /// N.
    pub batch: usize,
    /// Weight of the KL in the objective.
    pub beta: f32,
    /// The optimizer's settings.
    pub adam: Adam,
    /// Steps taken by the optimizer since the start.
    pub steps: u64,
}

impl State {
    /// Images of this batch that exist; the others weigh nothing.
    pub fn live(&self) -> usize {
        self.batch.min(self.items.saturating_sub(self.at))
    }
    /// To the next batch.
    pub fn advance(&mut self) {
        self.at += self.batch;
        self.steps += 1;
    }
    /// Batches from here to the end of the epoch.
    pub fn steps_left(&self) -> usize {
        self.items.saturating_sub(self.at).div_ceil(self.batch)
    }
}

/// A device with the buffers of a plan.
pub trait Backend {
    /// Writes the first values of a buffer of floats.
    fn upload(&mut self, to: Buf, values: &[f32]);
    /// Fills a table of bytes.
    fn upload_bytes(&mut self, to: Buf, values: Vec<u8>);
    /// The order in which the images of the data are visited.
    fn upload_order(&mut self, order: &[Visit]);
    /// The first values of a buffer of floats.
    fn download(&self, from: Buf, into: &mut [f32]);
    /// The numbers that change.
    fn state(&mut self) -> &mut State;
    /// Runs the program on so many batches in turn, without a word to the host in between.
    fn run(&mut self, program: &Program, steps: usize);
}
