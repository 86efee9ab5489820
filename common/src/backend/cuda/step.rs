//! The launches of a step, and what their kernels read.
#![allow(unsafe_code)] // kernels are launched here

use super::call::{Call, Job, Run};
use super::gpu::{Gpu, failed};
use super::lower::{Lowered, Stage, THREADS};
use super::memory::{Memory, place};
use crate::Result;
use crate::backend::Precision;
use crate::plan::Program;
use cust::launch;
use cust::memory::{DeviceBuffer, DevicePointer};
use cust::stream::Stream;

/// What a step launches, in order.
pub(super) struct Launches {
    kernels: Vec<Kernel>,
    images: u32,
    /// What the kernels use besides the buffers of the plan.
    _scratch: Vec<DeviceBuffer<f32>>,
}

enum Kernel {
    Each(DeviceBuffer<Call>),
    Product(String, u32, super::call::Product),
    Jobs(String, u32, DeviceBuffer<Job>),
}

impl Launches {
    pub(super) fn new(program: &Program, memory: &Memory, precision: Precision) -> Result<Launches> {
        let Lowered { stages, scratch } = Lowered::new(program, memory, precision)?;
        let kernel = |stage: Stage| {
            Ok(match stage {
                Stage::Each(calls) => Kernel::Each(place(&calls)?),
                Stage::Product { kernel, blocks, product } => Kernel::Product(kernel, blocks as u32, product),
                Stage::Jobs { kernel, blocks, jobs } => Kernel::Jobs(kernel, blocks as u32, place(&jobs)?),
            })
        };
        let kernels = stages.into_iter().map(kernel).collect::<Result<_>>()?;
        Ok(Launches { kernels, images: memory.images as u32, _scratch: scratch })
    }
    /// Launches them.
    pub(super) fn step(&self, gpu: &Gpu, stream: &Stream, run: DevicePointer<Run>) -> Result<()> {
        let threads = THREADS as u32;
        for kernel in &self.kernels {
            // SAFETY: the structures are those of kernels/program.h. Addresses are of buffers whose kinds and sizes the
            // lowering has asserted, on the device as long as the graph that is being recorded. Kernels write within the sizes
            // that they are told.
            let launched = unsafe {
                match kernel {
                    Kernel::Each(calls) => {
                        let each = gpu.kernel("each")?;
                        let (calls, count) = (calls.as_device_ptr(), calls.len() as i32);
                        launch!(each<<<self.images, threads, 0, stream>>>(run, calls, count))
                    }
                    Kernel::Product(name, blocks, product) => {
                        let kernel = gpu.kernel(name)?;
                        launch!(kernel<<<*blocks, threads, 0, stream>>>(*product))
                    }
                    Kernel::Jobs(name, blocks, jobs) => {
                        let kernel = gpu.kernel(name)?;
                        let (jobs, count) = (jobs.as_device_ptr(), jobs.len() as i32);
                        launch!(kernel<<<*blocks, threads, 0, stream>>>(run, jobs, count))
                    }
                }
            };
            launched.map_err(|e| failed("launch a kernel", e))?;
        }
        let advance = gpu.kernel("advance")?;
        // SAFETY: `run` is a Run, and one thread moves it.
        unsafe { launch!(advance<<<1u32, 1u32, 0, stream>>>(run)) }.map_err(|e| failed("launch a kernel", e))
    }
}
