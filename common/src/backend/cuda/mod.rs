//! A GPU, through `cust`: a step is recorded once and replayed, and between the host's calls all numbers stay on the device.
//!
//! ```text
//! gpu.rs      is there one, and which; its kernels        lower.rs    a program as launches
//! memory.rs   the buffers of a plan                       step.rs     the launches, with what they read
//! call.rs     what kernels are told                       graph.rs    launches, recorded and replayed
//! ```
//!
//! Sums are made in an order that the shapes alone decide, and nothing is added atomically: the same bytes come out run after
//! run. From the CPU the results differ by that order only, and by how products and Adam round.

mod call;
mod gpu;
mod graph;
mod lower;
mod memory;
mod step;

use super::{Backend, Precision, State, Visit};
use crate::Result;
use crate::plan::{Buf, Plan, Program};
use call::{Run, Step, Visited};
use cust::memory::{CopyDestination, DeviceBuffer, DeviceCopy};
use cust::stream::{Stream, StreamFlags};
pub use gpu::Missing;
use gpu::{Gpu, failed};
use graph::Graph;
use memory::{Memory, place};
use step::Launches;

/// The buffers of a plan on a GPU. (Fields are dropped in this order: the graphs before what their kernels use.)
pub struct Cuda {
    recorded: Vec<Recorded>,
    memory: Memory,
    order: DeviceBuffer<Visited>,
    steps: DeviceBuffer<Step>,
    run: DeviceBuffer<Run>,
    state: State,
    precision: Precision,
    stream: Stream,
    gpu: &'static Gpu,
}

/// A program, recorded. (Dropped in this order too.)
struct Recorded {
    /// Of these numbers of steps, each once it was asked for.
    graphs: [Option<Graph>; LENGTHS.len()],
    launches: Launches,
    program: Program,
}

/// Steps of a graph: between two of them the GPU may wait for the host.
const LENGTHS: [usize; 3] = [32, 4, 1];

/// Whether there is a GPU of this number that the kernels run on.
///
/// # Errors
/// What is missing.
pub fn expect(ordinal: u32) -> Result<(), Missing> {
    gpu::find(ordinal).map(drop)
}

impl Cuda {
    /// Puts the buffers of a plan on the GPU of this number. The state starts empty: no item, no learning rate.
    ///
    /// # Errors
    /// [`Error::Unavailable`](crate::Error::Unavailable) where there is no such GPU, no driver that takes the kernels, or not
    /// the memory.
    pub fn new(plan: &Plan, ordinal: u32, precision: Precision) -> Result<Cuda> {
        let gpu = Gpu::open(ordinal)?;
        gpu.prepare(precision)?;
        let stream = Stream::new(StreamFlags::DEFAULT, None).map_err(|e| failed("make a stream", e))?;
        let memory = Memory::new(plan)?;
        let state = State::new(plan);
        let (order, steps, run) = (place(&[])?, place(&[])?, place(&[Run::of(&state, [0; 2])])?);
        Ok(Cuda { recorded: vec![], memory, order, steps, run, state, precision, stream, gpu })
    }

    /// Where the recording of a program is.
    fn recorded(&mut self, program: &Program) -> Result<usize> {
        if let Some(at) = self.recorded.iter().position(|recorded| recorded.program == *program) {
            return Ok(at);
        }
        // Only learning is faster at the cost of precision, as on the CPU.
        let precision = if program.weights().is_empty() { Precision::Fp32 } else { self.precision };
        let launches = Launches::new(program, &self.memory, self.gpu, precision)?;
        self.recorded.push(Recorded { graphs: [const { None }; LENGTHS.len()], launches, program: program.clone() });
        Ok(self.recorded.len() - 1)
    }
    /// Runs so many steps of a program, without waiting for them.
    fn launch(&mut self, program: &Program, mut steps: usize) -> Result<()> {
        let (at, run) = (self.recorded(program)?, self.run.as_device_ptr());
        let Recorded { graphs, launches, .. } = &mut self.recorded[at];
        for (graph, length) in graphs.iter_mut().zip(LENGTHS) {
            while steps >= length {
                if graph.is_none() {
                    let record = || launches.steps(length as i32, &self.stream, run);
                    *graph = Some(Graph::record(&self.stream, record)?);
                }
                graph.as_mut().expect("it is there now").launch(&self.stream)?;
                steps -= length;
            }
        }
        Ok(())
    }
}

impl Drop for Cuda {
    fn drop(&mut self) {
        // What is freed next is freed in the context of the thread that drops it; if that fails, the GPU is lost with it.
        let _ = self.gpu.enter();
    }
}

impl Backend for Cuda {
    fn upload(&mut self, to: Buf, values: &[f32]) -> Result<()> {
        self.gpu.enter()?;
        self.memory.fill(to, values)
    }
    fn upload_bytes(&mut self, to: Buf, values: Vec<u8>) -> Result<()> {
        self.gpu.enter()?;
        self.memory.fill_bytes(to, &values)
    }
    fn upload_order(&mut self, order: &[Visit]) -> Result<()> {
        self.gpu.enter()?;
        let order: Vec<Visited> = order.iter().map(|visit| (*visit).into()).collect();
        write(&mut self.order, &order)
    }
    fn download(&self, from: Buf, into: &mut [f32]) -> Result<()> {
        self.gpu.enter()?;
        self.memory.copy(from, into)
    }
    fn state(&mut self) -> &mut State {
        &mut self.state
    }
    fn run(&mut self, program: &Program, steps: usize) -> Result<()> {
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
        write(&mut self.steps, &schedule)?;
        let places = [self.steps.as_device_ptr().as_raw(), self.order.as_device_ptr().as_raw()];
        write(&mut self.run, &[Run::of(&self.state, places)])?;
        self.launch(program, steps)?;
        self.stream.synchronize().map_err(|e| failed("run a step", e))?;
        self.state = state;
        Ok(())
    }
}

/// Writes values to the front of a buffer, or to a new one where it is too small.
fn write<T: DeviceCopy>(to: &mut DeviceBuffer<T>, values: &[T]) -> Result<()> {
    if to.len() < values.len() {
        *to = place(values)?;
        return Ok(());
    }
    if values.is_empty() {
        return Ok(());
    }
    to.index(..values.len()).copy_from(values).map_err(|e| failed("take what a run is", e))
}
