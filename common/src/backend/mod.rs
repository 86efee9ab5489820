//! The interface of a device: it holds the buffers of one plan and runs programs over them.
//!
//! [`Backend`] has a few methods, whatever the number of operations: a new operation is an entry in the table of
//! [`Op`](crate::plan::Op), a match arm and a function in each backend and, if differentiable, an arm of
//! [`reverse::training`](crate::plan::reverse::training).

pub mod cpu;
pub mod cuda;
mod device;

use crate::plan::{Buf, Plan, Program, TermWeight};

use crate::Result;
pub use cpu::{Cpu, InstructionSet, Profile};
pub use cuda::Cuda;
pub use device::Device;

/// An image of an epoch: its row in the tables, and its noise key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SampleIndex {
    /// Row of the image and label tables.
    pub row: u32,
    /// Noise key: its index in the original data, so that a shard draws the same noise as the full set.
    pub id: u32,
}

/// Hyperparameters of Adam (Kingma and Ba 2015, algorithm 1).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Adam {
    /// alpha, the step size.
    pub lr: f32,
    /// Decay rates of the first and second moment.
    pub betas: [f32; 2],
    /// Added to the root of the second moment.
    pub eps: f32,
}

impl Adam {
    /// The paper's decay rates and epsilon.
    pub fn new(lr: f32) -> Adam {
        Adam { lr, betas: [0.9, 0.999], eps: 1e-8 }
    }
    /// Bias correction of step `steps + 1` (ibid., the end of section 2): `[lr / (1 - beta1^t), 1 / sqrt(1 - beta2^t)]`.
    pub(crate) fn corrected(&self, steps: u64) -> [f32; 2] {
        let step = (steps + 1).min(i32::MAX as u64) as i32;
        let [first, second] = self.betas.map(|beta| 1.0 - (beta as f64).powi(step));
        [(self.lr as f64 / first) as f32, (1.0 / second.sqrt()) as f32]
    }
}

/// Everything that changes from step to step. The host sets it between runs; `advance` moves it
/// after each step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// Key of all noise.
    pub seed: u32,
    /// Part of the noise key: from 1 in training, 0 in evaluation.
    pub epoch: u32,
    /// Position in the epoch, in images.
    pub at: usize,
    /// Images in the epoch.
    pub items: usize,
    /// N, the batch size.
    pub batch: usize,
    /// beta, the weight of the KL after its warm-up.
    pub beta: f32,
    /// Steps of the linear warm-up of beta from 0.
    pub warmup: u64,
    /// Index of the first draw of z per image.
    pub first_sample: u32,
    /// The optimizer's hyperparameters.
    pub adam: Adam,
    /// Optimizer steps taken.
    pub steps: u64,
}

impl State {
    /// No images, no steps, beta 1, learning rate 0.
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
    /// Valid images of this batch; the rest is padding with weight 0.
    pub fn valid(&self) -> usize {
        self.batch.min(self.items.saturating_sub(self.at))
    }
    /// Weight of the KL in this step.
    pub fn kl_weight(&self) -> f32 {
        self.beta * if self.steps < self.warmup { self.steps as f32 / self.warmup as f32 } else { 1.0 }
    }
    /// The weight of a term of the objective in this step.
    pub fn weight(&self, weight: TermWeight) -> f32 {
        match weight {
            TermWeight::One => 1.0,
            TermWeight::Beta => self.kl_weight(),
        }
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

/// A compiled program of a backend.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProgramId(pub(crate) usize);

/// A device with the buffers of one plan, for one thread at a time; all buffers start at zero. Calls take effect in order. A
/// device may upload and run asynchronously: then `download` waits for everything before it, and reports what failed.
#[allow(clippy::missing_errors_doc)] // each: a lack of device memory, or a lost device
pub trait Backend: Send {
    /// Writes the first elements of a buffer of floats. The values are copied before it returns.
    fn upload(&mut self, to: Buf, values: &[f32]) -> Result<()>;
    /// Writes the first elements of a table of bytes.
    fn upload_bytes(&mut self, to: Buf, values: &[u8]) -> Result<()>;
    /// The same for a whole table, by move: no copy on the CPU.
    fn move_bytes(&mut self, to: Buf, values: Vec<u8>) -> Result<()> {
        self.upload_bytes(to, &values)
    }
    /// The samples of an epoch, in order.
    fn upload_indices(&mut self, samples: &[SampleIndex]) -> Result<()>;
    /// Elements `first` to `first + into.len()` of a buffer of floats; of a parameter all of them.
    fn download(&self, from: Buf, first: usize, into: &mut [f32]) -> Result<()>;
    /// Whether no element of a buffer of floats is NaN or infinite.
    fn all_finite(&self, of: Buf) -> Result<bool>;
    /// The numbers that change from step to step.
    fn state(&mut self) -> &mut State;
    /// Prepares a program of this plan: scratch memory, tiles, launches.
    fn compile(&mut self, program: &Program) -> Result<ProgramId>;
    /// Runs a program on the next `steps` batches of the epoch.
    fn run(&mut self, program: ProgramId, steps: usize) -> Result<()>;
}
