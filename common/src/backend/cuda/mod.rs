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
    one: Graph,
    /// [`MANY`] steps, once so many were asked for.
    many: Option<Graph>,
    launches: Launches,
    program: Program,
}

/// Steps of a graph that has many: between two graphs the GPU may wait for the host.
const MANY: usize = 32;

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

    /// Where the recording of a program is, with many steps if so many are asked for.
    fn record(&mut self, program: &Program, steps: usize) -> Result<usize> {
        let at = match self.recorded.iter().position(|recorded| recorded.program == *program) {
            Some(at) => at,
            None => {
                // Only learning is faster at the cost of precision, as on the CPU.
                let precision = if program.weights().is_empty() { Precision::Fp32 } else { self.precision };
                let launches = Launches::new(program, &self.memory, self.gpu, precision)?;
                let one = self.graph(&launches, 1)?;
                self.recorded.push(Recorded { one, many: None, launches, program: program.clone() });
                self.recorded.len() - 1
            }
        };
        if steps >= MANY && self.recorded[at].many.is_none() {
            self.recorded[at].many = Some(self.graph(&self.recorded[at].launches, MANY)?);
        }
        Ok(at)
    }
    fn graph(&self, launches: &Launches, steps: usize) -> Result<Graph> {
        let run = self.run.as_device_ptr();
        Graph::record(&self.stream, || (0..steps).try_for_each(|_| launches.step(&self.stream, run)))
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
        let at = self.record(program, steps)?;
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
        let Recorded { one, many, .. } = &mut self.recorded[at];
        if let Some(many) = many {
            (0..steps / MANY).try_for_each(|_| many.launch(&self.stream))?;
        }
        let single = if many.is_some() { steps % MANY } else { steps };
        (0..single).try_for_each(|_| one.launch(&self.stream))?;
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
