//! The face of a device: it holds the buffers of one plan and runs programs over them.
//!
//! [`Backend`] has six methods, whatever the number of operations: a new operation is a variant of
//! [`Op`](crate::plan::Op) and one match arm in each backend.

mod arena;
pub mod cpu;
mod memory;

use crate::plan::{Buf, Plan, Program};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

pub use cpu::{Cpu, Level, Profile, peak};

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

impl Adam {
    /// The decay rates and epsilon of the paper.
    pub fn new(lr: f32) -> Adam {
        Adam { lr, betas: [0.9, 0.999], eps: 1e-8 }
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

/// A device with the buffers of a plan. Its errors are those of the device: memory that it has not, a device that is lost.
pub trait Backend {
    /// Writes the first values of a buffer of floats.
    fn upload(&mut self, to: Buf, values: &[f32]) -> Result<()>;
    /// Fills a table of bytes.
    fn upload_bytes(&mut self, to: Buf, values: Vec<u8>) -> Result<()>;
    /// The order in which the images of the data are visited.
    fn upload_order(&mut self, order: &[Visit]) -> Result<()>;
    /// The first values of a buffer of floats.
    fn download(&self, from: Buf, into: &mut [f32]) -> Result<()>;
    /// The numbers that change.
    fn state(&mut self) -> &mut State;
    /// Runs the program on so many batches in turn, without a word to the host in between. What a backend makes of a
    /// program, say a captured graph, it may keep: equal programs do equal things.
    fn run(&mut self, program: &Program, steps: usize) -> Result<()>;
}

/// The numbers that products multiply. Their sums, and all else, are f32.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// f32: a significand of 24 bits.
    #[default]
    Fp32,
    /// A significand of 8 bits, which is faster where the CPU has instructions for it. Weights are kept, and learn, in f32.
    Bf16,
}

/// Where programs run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Device {
    /// On the CPU.
    Cpu {
        /// Threads that compute; the result is the same for any number.
        threads: usize,
        /// The instructions that it uses.
        level: Level,
    },
}

impl Device {
    /// The name of the device, for records of a run.
    pub fn name(self) -> &'static str {
        match self {
            Device::Cpu { .. } => "cpu",
        }
    }
    /// The CPU, with the best instructions that it has, or those that `VAE_CPU` asks for.
    ///
    /// # Errors
    /// [`Error::Usage`] where this CPU has not what `VAE_CPU` asks for.
    pub fn cpu(threads: usize) -> Result<Device> {
        Ok(Device::Cpu { threads, level: Level::chosen()? })
    }
    /// A backend with the buffers of a plan, which multiplies at this precision.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the device has not the memory.
    pub fn open(self, plan: &Plan, precision: Precision) -> Result<Box<dyn Backend>> {
        match self {
            Device::Cpu { threads, level } => {
                expect_memory(plan.bytes(precision), "try a smaller --batch, --samples or --hidden")?;
                Ok(Box::new(Cpu::new(plan, threads, precision, level)?))
            }
        }
    }
}

/// # Errors
/// [`Error::Unavailable`] with this remedy, where the machine has not so many bytes of memory.
pub(crate) fn expect_memory(needed: u64, remedy: &str) -> Result<()> {
    let there = cpu::memory_of_machine();
    if needed <= there {
        return Ok(());
    }
    Err(Error::Unavailable(format!(
        "this needs {} MB of memory: expected at most the {} MB of this machine; {remedy}",
        needed >> 20,
        there >> 20
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_no_machine_has_is_refused_with_a_remedy() {
        assert!(expect_memory(1 << 20, "").is_ok());
        let error = expect_memory(u64::MAX, "make it smaller").unwrap_err();
        assert_eq!(error.exit_code(), 69);
        assert!(error.to_string().ends_with("MB of this machine; make it smaller"), "{error}");
    }
}
