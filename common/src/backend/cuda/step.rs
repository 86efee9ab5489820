//! The launches of a step, and what their kernels read.
#![allow(unsafe_code)] // kernels are launched here

use super::call::{Call, Job, Product, Run};
use super::gpu::{Gpu, failed};
use super::lower::{Lowered, Stage, THREADS};
use super::memory::{Memory, place};
use crate::Result;
use crate::backend::Precision;
use crate::plan::Program;
use cust::function::Function;
use cust::launch;
use cust::memory::{DeviceBuffer, DevicePointer};
use cust::stream::Stream;

/// What a step launches, in order. Kernels are looked up beforehand: a driver may load each only then, which a recording
/// would not survive.
pub(super) struct Launches {
    kernels: Vec<Kernel>,
    advance: Function<'static>,
    /// What the kernels use besides the buffers of the plan.
    _scratch: Vec<DeviceBuffer<f32>>,
}

/// A kernel, its blocks, and what it is told.
struct Kernel {
    function: Function<'static>,
    blocks: u32,
    told: Told,
}

enum Told {
    Calls(DeviceBuffer<Call>),
    Product(Product),
    Jobs(DeviceBuffer<Job>),
}

impl Launches {
    pub(super) fn new(program: &Program, memory: &Memory, gpu: &'static Gpu, precision: Precision) -> Result<Launches> {
        let Lowered { stages, scratch } = Lowered::new(program, memory, precision)?;
        let kernel = |stage: Stage| {
            let (name, blocks, told) = match stage {
                Stage::Each(calls) => ("each".to_owned(), memory.images, Told::Calls(place(&calls)?)),
                Stage::Product { kernel, blocks, product } => (kernel, blocks, Told::Product(product)),
                Stage::Jobs { kernel, blocks, jobs } => (kernel, blocks, Told::Jobs(place(&jobs)?)),
            };
            Ok(Kernel { function: gpu.kernel(&name)?, blocks: blocks as u32, told })
        };
        let kernels = stages.into_iter().map(kernel).collect::<Result<_>>()?;
        Ok(Launches { kernels, advance: gpu.kernel("advance")?, _scratch: scratch })
    }
    /// Launches them.
    pub(super) fn step(&self, stream: &Stream, run: DevicePointer<Run>) -> Result<()> {
        const ALL: u32 = THREADS as u32;
        let failed = |e| failed("launch a kernel", e);
        for Kernel { function, blocks, told } in &self.kernels {
            // SAFETY: the structures are those of kernels/program.h. Addresses are of buffers whose kinds and sizes the
            // lowering has asserted, on the device as long as the graph that is being recorded. Kernels write within the sizes
            // that they are told.
            let launched = unsafe {
                match told {
                    Told::Calls(calls) => {
                        let (calls, count) = (calls.as_device_ptr(), calls.len() as i32);
                        launch!(function<<<*blocks, ALL, 0, stream>>>(run, calls, count))
                    }
                    Told::Product(product) => launch!(function<<<*blocks, ALL, 0, stream>>>(*product)),
                    Told::Jobs(jobs) => {
                        let (jobs, count) = (jobs.as_device_ptr(), jobs.len() as i32);
                        launch!(function<<<*blocks, ALL, 0, stream>>>(run, jobs, count))
                    }
                }
            };
            launched.map_err(failed)?;
        }
        let advance = &self.advance;
        // SAFETY: `run` is a Run, and one thread moves it.
        unsafe { launch!(advance<<<1u32, 1u32, 0, stream>>>(run)) }.map_err(failed)
    }
}
