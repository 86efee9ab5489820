//! The face of a device: it holds the buffers of one plan and runs programs over them.
//!
//! [`Backend`] has six methods, whatever the number of operations: a new operation is a variant of
//! [`Op`](crate::plan::Op) and one match arm in each backend.

mod arena;
pub mod cpu;
pub mod cuda;
mod device;
mod memory;

use crate::Result;
use crate::plan::{Buf, Plan, Program};

pub use cpu::{Cpu, Level, Profile, peak};
pub use cuda::Cuda;
pub use device::Device;
pub(crate) use device::expect_memory;

/// One image of an epoch: which row of the data it is, and which noise it draws.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SampleIndex {
    /// The row of the tables of the data.
    pub row: u32,
    /// The index that keys its noise: its place in the source, so that a part of the data draws what the whole would.
    pub id: u32,
}

/// Adam (Kingma and Ba 2015, algorithm 1), the decay rates and epsilon.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Adam {
    /// Step size.
    pub lr: f32,
    /// Decay of the first and second moment.
    pub betas: [f32; 2],
    /// Added to the root of the second moment.
    pub eps: f32,
}

impl Adam {
    /// The decay rates and epsilon of the paper.
    pub fn new(lr: f32) -> Adam {
        Adam { lr, betas: [0.9, 0.999], eps: 1e-8 }
    }
    /// The bias correction of the step that follows so many (ibid., the end of section 2), as two factors: one of the step
    /// size, which is in it, and one of the root of the second moment.
    pub(crate) fn corrected(&self, steps: u64) -> [f32; 2] {
        let step = (steps + 1).min(i32::MAX as u64) as i32;
        let [first, second] = self.betas.map(|beta| 1.0 - (beta as f64).powi(step));
        [(self.lr as f64 / first) as f32, (1.0 / second.sqrt()) as f32]
    }
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
    /// Weight of the KL in the objective, after the warm-up.
    pub beta: f32,
    /// Steps in which it grows from 0 to that.
    pub warmup: u64,
    /// The number of the first of the draws of z for each image.
    pub first_sample: u32,
    /// The optimizer's settings.
    pub adam: Adam,
    /// Steps taken by the optimizer since the start.
    pub steps: u64,
}

impl State {
    /// No items, nothing learnt, beta 1.
    pub fn new(plan: &Plan) -> State {
        State {
            seed: 0,
            epoch: 0,
            at: 0,
            items: 0,
            batch: plan.batch,
            beta: 1.0,
            warmup: 0,
            first_sample: 0,
            adam: Adam::new(0.0),
            steps: 0,
        }
    }
    /// Images of this batch that exist; the others weigh nothing.
    pub fn live(&self) -> usize {
        self.batch.min(self.items.saturating_sub(self.at))
    }
    /// Weight of the KL in this step.
    pub fn kl_weight(&self) -> f32 {
        self.beta * if self.steps < self.warmup { self.steps as f32 / self.warmup as f32 } else { 1.0 }
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

/// A device with the buffers of a plan, for one thread at a time. It does what it is asked in that order. Its errors are those
/// of the device: memory that it has not, a device that is lost.
///
/// What is uploaded is taken at once. A device may do it, and what it is told to run, while the host goes on: then `download`
/// waits for all of it, and tells what went wrong.
#[allow(clippy::missing_errors_doc)] // told above, once for all
pub trait Backend: Send {
    /// Writes the first values of a buffer of floats.
    fn upload(&mut self, to: Buf, values: &[f32]) -> Result<()>;
    /// Fills a table of bytes.
    fn upload_bytes(&mut self, to: Buf, values: Vec<u8>) -> Result<()>;
    /// The order in which the images of the data are visited.
    fn upload_indices(&mut self, order: &[SampleIndex]) -> Result<()>;
    /// The first values of a buffer of floats.
    fn download(&self, from: Buf, into: &mut [f32]) -> Result<()>;
    /// The numbers that change.
    fn state(&mut self) -> &mut State;
    /// Runs the program on so many batches in turn, without a word to the host in between. What a backend makes of a
    /// program, say a captured graph, it may keep: equal programs do equal things.
    fn run(&mut self, program: &Program, steps: usize) -> Result<()>;
}
