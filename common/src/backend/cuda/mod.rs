//! The GPU backend, on `cust`: a step is captured once as a CUDA graph and replayed; all values stay on the device.
//!
//! ```text
//! gpu.rs      detection, context, modules           lower/      a program to kernel launches
//! memory.rs   the buffers of a plan                 launch.rs   the launches of a step
//! args.rs     kernel arguments                      graph.rs    launches, captured and replayed
//! stream.rs   the stream of a plan                  pinned.rs   copies through page-locked memory
//! ```
//!
//! All copies, fills and launches of a plan go to its own stream. The host synchronizes in `download`, and in a copy
//! for which no page-locked memory is free: a batch of inference is uploads, a run, a download and one synchronization.
//! Plans on other threads may copy or compute meanwhile.
//!
//! Deterministic: the order of every sum depends on shapes alone, and no kernel uses atomics. Results differ from those
//! of the CPU by that order, and by the rounding of GEMMs and Adam.

mod args;
mod error;
mod gpu;
mod graph;
mod launch;
mod lower;
mod memory;
mod pinned;
mod stream;

use super::{Backend, ProgramId, State};
use crate::Result;
use crate::plan::{Buf, Plan, Precision, Program};
use args::{Run, SampleIndex, Step};
pub use error::GpuError;
use gpu::Gpu;
use graph::Graph;
use launch::{FiniteCheck, Launches};
use memory::{List, Memory};
use pinned::Pinned;

/// The buffers of a plan on a GPU. (Fields are dropped in this order: graphs before the buffers of their kernels.)
pub struct Cuda {
    captured: Vec<Captured>,
    memory: Memory,
    indices: List<SampleIndex>,
    steps: List<Step>,
    /// Single-element; captured graphs hold its device address, so it is never reallocated.
    run: List<Run>,
    finite_check: FiniteCheck,
    pinned: Pinned,
    state: State,
    precision: Precision,
    gpu: &'static Gpu,
}

/// A program with its graphs. (Dropped in this order too.)
struct Captured {
    /// By number of steps, captured on first use.
    graphs: [Option<Graph>; GRAPH_STEPS.len()],
    launches: Launches,
}

/// Steps per graph: long ones amortize the launch of a graph by the host.
const GRAPH_STEPS: [usize; 3] = [32, 4, 1];

/// Checks that the kernels run on the GPU of this ordinal.
///
/// # Errors
/// The reason why they do not.
pub fn expect(ordinal: u32) -> Result<(), GpuError> {
    gpu::find(ordinal).map(drop)
}

impl Cuda {
    /// Allocates the buffers of a plan on the GPU of this ordinal. The state starts empty: no items, learning rate 0.
    ///
    /// # Errors
    /// [`Error::Gpu`](crate::Error::Gpu) without such a GPU, a recent driver or enough memory.
    pub fn new(plan: &Plan, ordinal: u32, precision: Precision) -> Result<Cuda> {
        let gpu = Gpu::open(ordinal)?;
        gpu.prepare(precision)?;
        let pinned = Pinned::new()?;
        let memory = Memory::new(plan, pinned.stream())?;
        let state = State::new(plan);
        let finite_check = {
            let _exclusive = gpu.exclusive();
            FiniteCheck::new(gpu, pinned.stream())?
        };
        // The upload last: a failure after it would free a buffer that the stream still writes.
        let (indices, steps, mut run) = (List::new(), List::new(), List::new());
        run.write(&[Run::of(&state, [0; 2])], &pinned)?;
        Ok(Cuda { captured: vec![], memory, indices, steps, run, finite_check, pinned, state, precision, gpu })
    }

    /// Runs steps of a program, asynchronously.
    fn launch(&mut self, program: ProgramId, mut steps: usize) -> Result<()> {
        let (run, stream) = (self.run.pointer(), self.pinned.stream());
        let Captured { graphs, launches } = &mut self.captured[program.0];
        for (graph, graph_steps) in graphs.iter_mut().zip(GRAPH_STEPS) {
            while steps >= graph_steps {
                if graph.is_none() {
                    let _exclusive = self.gpu.exclusive();
                    *graph = Some(Graph::capture(stream, || launches.steps(graph_steps as i32, stream, run))?);
                }
                graph.as_mut().expect("captured above").launch(stream)?;
                steps -= graph_steps;
            }
        }
        Ok(())
    }
}

impl Drop for Cuda {
    fn drop(&mut self) {
        // Buffers are freed in the current context, after all work that uses them. On failure the context is lost.
        let _ = self.gpu.make_current().and_then(|()| self.pinned.wait());
    }
}

impl Backend for Cuda {
    fn upload(&mut self, to: Buf, values: &[f32]) -> Result<()> {
        self.gpu.make_current()?;
        self.memory.upload(to, values, &self.pinned)
    }
    fn upload_bytes(&mut self, to: Buf, values: &[u8]) -> Result<()> {
        self.gpu.make_current()?;
        self.memory.upload_bytes(to, values, &self.pinned)
    }
    fn upload_indices(&mut self, order: &[super::SampleIndex]) -> Result<()> {
        self.gpu.make_current()?;
        let indices: Vec<SampleIndex> = order.iter().map(|index| (*index).into()).collect();
        self.indices.write(&indices, &self.pinned)
    }
    fn download(&self, from: Buf, first: usize, into: &mut [f32]) -> Result<()> {
        self.gpu.make_current()?;
        self.memory.download(from, first, into, &self.pinned)
    }
    fn all_finite(&self, of: Buf) -> Result<bool> {
        self.gpu.make_current()?;
        self.finite_check.all_finite(self.memory.floats(of), &self.pinned)
    }
    fn state(&mut self) -> &mut State {
        &mut self.state
    }
    fn compile(&mut self, program: &Program) -> Result<ProgramId> {
        self.gpu.make_current()?;
        // Reduced precision is for training only, as on the CPU.
        let precision = if program.gradients().is_empty() { Precision::Fp32 } else { self.precision };
        let _exclusive = self.gpu.exclusive();
        let launches = Launches::new(program, &self.memory, self.gpu, self.pinned.stream(), precision)?;
        self.captured.push(Captured { graphs: [const { None }; GRAPH_STEPS.len()], launches });
        Ok(ProgramId(self.captured.len() - 1))
    }
    fn run(&mut self, program: ProgramId, steps: usize) -> Result<()> {
        assert!(steps <= self.state.steps_left(), "a run ends with the epoch");
        assert!(self.state.items <= self.indices.capacity(), "every image of the epoch has a sample index");
        self.gpu.make_current()?;
        let mut state = self.state;
        let schedule: Vec<Step> = (0..steps)
            .map(|_| {
                let step = Step::of(&state);
                state.advance();
                step
            })
            .collect();
        self.steps.write(&schedule, &self.pinned)?;
        let lists = [self.steps.pointer().as_raw(), self.indices.pointer().as_raw()];
        self.run.write(&[Run::of(&self.state, lists)], &self.pinned)?;
        self.launch(program, steps)?;
        self.state = state;
        Ok(())
    }
}
