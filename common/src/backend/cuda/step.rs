//! The launches of a step, and what their kernels read.
#![allow(unsafe_code)] // kernels are launched here

use super::call::{Calls, Jobs, Run};
use super::gpu::{Gpu, failed};
use super::lower::{Lowered, Stage, THREADS, Told};
use super::memory::Memory;
use super::stream::Stream;
use crate::Result;
use crate::plan::{Precision, Program};
use cust::function::{Function, FunctionAttribute, GridSize};
use cust::launch;
use cust::memory::{DeviceBuffer, DevicePointer};

/// What a step launches, in order. Kernels are looked up beforehand: a driver may load each only then, which a recording
/// would not survive.
pub(super) struct Launches {
    kernels: Vec<Kernel>,
    advance: Function<'static>,
    /// What the kernels use besides the buffers of the plan.
    _scratch: Vec<DeviceBuffer<f32>>,
}

/// A stage whose kernel is found.
struct Kernel {
    function: Function<'static>,
    blocks: GridSize,
    told: Told,
}

impl Launches {
    pub(super) fn new(
        program: &Program,
        memory: &Memory,
        gpu: &'static Gpu,
        stream: &Stream,
        precision: Precision,
    ) -> Result<Launches> {
        let Lowered { stages, scratch } = Lowered::new(program, memory, stream, precision)?;
        let loaded = |name: &str| -> Result<_> {
            let function = gpu.kernel(name)?;
            // Asked for something, the driver has it loaded, if it has put that off.
            function.get_attribute(FunctionAttribute::NumRegisters).map_err(|e| failed("load a kernel", e))?;
            Ok(function)
        };
        let kernel = |Stage { kernel, blocks: [across, down], told }: Stage| {
            Ok(Kernel { function: loaded(&kernel)?, blocks: GridSize::xy(across as u32, down as u32), told })
        };
        let kernels = stages.into_iter().map(kernel).collect::<Result<_>>()?;
        Ok(Launches { kernels, advance: loaded("advance")?, _scratch: scratch })
    }
    /// Launches them for so many steps.
    pub(super) fn steps(&self, steps: i32, stream: &Stream, run: DevicePointer<Run>) -> Result<()> {
        (0..steps).try_for_each(|ahead| self.step(ahead, stream, run))?;
        let advance = &self.advance;
        // SAFETY: `run` is a Run, and one thread moves it.
        unsafe { launch!(advance<<<1u32, 1u32, 0, stream>>>(run, steps)) }
    }
    /// For the step that is so many ahead of where the run is.
    fn step(&self, ahead: i32, stream: &Stream, run: DevicePointer<Run>) -> Result<()> {
        const ALL: u32 = THREADS as u32;
        for Kernel { function, blocks, told } in &self.kernels {
            // SAFETY: the structures are those of kernels/program.h. Addresses are of buffers whose kinds and sizes the
            // lowering has asserted, on the device as long as the graph that is being recorded. Kernels write within the sizes
            // that they are told.
            unsafe {
                match told {
                    Told::Calls(calls) => launch!(function<<<blocks, ALL, 0, stream>>>(run, ahead, Calls::of(calls))),
                    Told::Product(product) => launch!(function<<<blocks, ALL, 0, stream>>>(*product)),
                    Told::Jobs(jobs) => launch!(function<<<blocks, ALL, 0, stream>>>(run, ahead, Jobs::of(jobs))),
                }
            }?;
        }
        Ok(())
    }
}
