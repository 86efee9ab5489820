//! A GPU, through `cust`: a step is recorded once and replayed, and between the host's calls all numbers stay on the device.
//!
//! ```text
//! gpu.rs      is there one, and which; its kernels        lower.rs    a program as launches
//! memory.rs   the buffers of a plan                       step.rs     the launches, with what they read
//! call.rs     what kernels are told                       graph.rs    launches, recorded and replayed
//! stream.rs   what the device does, in turn               staging.rs  copies, by page-locked memory
//! ```
//!
//! Every copy, fill and launch of a plan goes into its own stream, and the host waits for that in `download`, and where a copy
//! finds no page-locked room: a batch of inference is uploads, a run and a download, and one wait. Another plan, on another
//! thread, may copy or compute meanwhile.
//!
//! Sums are made in an order that the shapes alone decide, and nothing is added atomically: the same bytes come out run after
//! run. From the CPU the results differ by that order only, and by how products and Adam round.

mod call;
mod error;
mod gpu;
mod graph;
mod lower;
mod memory;
mod staging;
mod step;
mod stream;

use super::{Backend, ProgramId, SampleIndex, State};
use crate::Result;
use crate::plan::{Buf, Plan, Precision, Program};
use call::{Run, Step, Visited};
pub use error::GpuError;
use gpu::Gpu;
use graph::Graph;
use memory::{List, Memory};
use staging::Staging;
use step::Launches;

/// The buffers of a plan on a GPU. (Fields are dropped in this order: the graphs before what their kernels use.)
pub struct Cuda {
    recorded: Vec<Recorded>,
    memory: Memory,
    order: List<Visited>,
    steps: List<Step>,
    /// The one; its address is in the graphs.
    run: List<Run>,
    staging: Staging,
    state: State,
    precision: Precision,
    gpu: &'static Gpu,
}

/// A program, recorded. (Dropped in this order too.)
struct Recorded {
    /// Of these numbers of steps, each once it was asked for.
    graphs: [Option<Graph>; LENGTHS.len()],
    launches: Launches,
}

/// Steps of a graph: between two of them the GPU may wait for the host.
const LENGTHS: [usize; 3] = [32, 4, 1];

/// Whether there is a GPU of this number that the kernels run on.
///
/// # Errors
/// What is missing.
pub fn expect(ordinal: u32) -> Result<(), GpuError> {
    gpu::find(ordinal).map(drop)
}

impl Cuda {
    /// Puts the buffers of a plan on the GPU of this number. The state starts empty: no item, no learning rate.
    ///
    /// # Errors
    /// [`Error::Gpu`](crate::Error::Gpu) where there is no such GPU, no driver that takes the kernels, or not the memory.
    pub fn new(plan: &Plan, ordinal: u32, precision: Precision) -> Result<Cuda> {
        let gpu = Gpu::open(ordinal)?;
        gpu.prepare(precision)?;
        let staging = Staging::new()?;
        let memory = Memory::new(plan, staging.stream())?;
        let state = State::new(plan);
        let (order, steps, mut run) = (List::new(), List::new(), List::new());
        run.write(&[Run::of(&state, [0; 2])], &staging)?;
        Ok(Cuda { recorded: vec![], memory, order, steps, run, staging, state, precision, gpu })
    }

    /// Runs so many steps of a program, without waiting for them.
    fn launch(&mut self, program: ProgramId, mut steps: usize) -> Result<()> {
        let (run, stream) = (self.run.pointer(), self.staging.stream());
        let Recorded { graphs, launches } = &mut self.recorded[program.0];
        for (graph, length) in graphs.iter_mut().zip(LENGTHS) {
            while steps >= length {
                if graph.is_none() {
                    let _alone = self.gpu.alone();
                    *graph = Some(Graph::record(stream, || launches.steps(length as i32, stream, run))?);
                }
                graph.as_mut().expect("it is there now").launch(stream)?;
                steps -= length;
            }
        }
        Ok(())
    }
}

impl Drop for Cuda {
    fn drop(&mut self) {
        // What is freed next is freed in the context of the thread that drops it, and behind all that uses it; if that fails,
        // the GPU is lost with it.
        let _ = self.gpu.enter().and_then(|()| self.staging.wait());
    }
}

impl Backend for Cuda {
    fn upload(&mut self, to: Buf, values: &[f32]) -> Result<()> {
        self.gpu.enter()?;
        self.memory.fill(to, values, &self.staging)
    }
    fn upload_bytes(&mut self, to: Buf, values: &[u8]) -> Result<()> {
        self.gpu.enter()?;
        self.memory.fill_bytes(to, values, &self.staging)
    }
    fn upload_indices(&mut self, order: &[SampleIndex]) -> Result<()> {
        self.gpu.enter()?;
        let order: Vec<Visited> = order.iter().map(|visit| (*visit).into()).collect();
        self.order.write(&order, &self.staging)
    }
    fn download(&self, from: Buf, first: usize, into: &mut [f32]) -> Result<()> {
        self.gpu.enter()?;
        self.memory.copy(from, first, into, &self.staging)
    }
    fn all_finite(&self, of: Buf) -> Result<bool> {
        self.gpu.enter()?;
        self.memory.all_finite(of, &self.staging)
    }
    fn state(&mut self) -> &mut State {
        &mut self.state
    }
    fn compile(&mut self, program: &Program) -> Result<ProgramId> {
        self.gpu.enter()?;
        // Only training trades precision for speed, as on the CPU.
        let precision = if program.gradients().is_empty() { Precision::Fp32 } else { self.precision };
        let _alone = self.gpu.alone();
        let launches = Launches::new(program, &self.memory, self.gpu, self.staging.stream(), precision)?;
        self.recorded.push(Recorded { graphs: [const { None }; LENGTHS.len()], launches });
        Ok(ProgramId(self.recorded.len() - 1))
    }
    fn run(&mut self, program: ProgramId, steps: usize) -> Result<()> {
        assert!(steps <= self.state.steps_left(), "a run ends with the epoch");
        assert!(self.state.items <= self.order.len(), "every image of the epoch has a place in its order");
        self.gpu.enter()?;
        let mut state = self.state;
        let schedule: Vec<Step> = (0..steps)
            .map(|_| {
                let step = Step::of(&state);
                state.advance();
                step
            })
            .collect();
        self.steps.write(&schedule, &self.staging)?;
        let places = [self.steps.pointer().as_raw(), self.order.pointer().as_raw()];
        self.run.write(&[Run::of(&self.state, places)], &self.staging)?;
        self.launch(program, steps)?;
        self.state = state;
        Ok(())
    }
}
