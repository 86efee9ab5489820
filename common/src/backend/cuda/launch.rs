//! The kernel launches of a step.
#![allow(unsafe_code)] // kernel launches

use super::args::{GradientList, OpList, Run, THREADS};
use super::gpu::{Gpu, failed};
use super::lower::{KernelArgs, Launch, Lowered};
use super::memory::{Memory, zeros};
use super::pinned::Pinned;
use super::stream::Stream;
use crate::Result;
use crate::plan::{Precision, Program};
use cust::function::{Function, FunctionAttribute, GridSize};
use cust::launch;
use cust::memory::{DeviceBuffer, DevicePointer};

/// The launches of a step, in order. Kernels are resolved before a capture: a driver that loads lazily may synchronize,
/// which invalidates it.
pub(super) struct Launches {
    launches: Vec<Resolved>,
    advance: Function<'static>,
    /// Owned: the launches hold its addresses.
    _scratch: Vec<DeviceBuffer<f32>>,
}

/// A launch with its kernel resolved.
struct Resolved {
    function: Function<'static>,
    blocks: GridSize,
    args: KernelArgs,
}

impl Launches {
    pub(super) fn new(
        program: &Program,
        memory: &Memory,
        gpu: &'static Gpu,
        stream: &Stream,
        precision: Precision,
    ) -> Result<Launches> {
        let Lowered { launches, scratch } = Lowered::new(program, memory, stream, precision)?;
        let resolved = |Launch { kernel, blocks: [x, y], args }: Launch| {
            Ok(Resolved { function: resolve(gpu, &kernel)?, blocks: GridSize::xy(x as u32, y as u32), args })
        };
        let launches = launches.into_iter().map(resolved).collect::<Result<_>>()?;
        Ok(Launches { launches, advance: resolve(gpu, "advance")?, _scratch: scratch })
    }
    /// Launches this number of steps.
    pub(super) fn steps(&self, steps: i32, stream: &Stream, run: DevicePointer<Run>) -> Result<()> {
        (0..steps).try_for_each(|ahead| self.step(ahead, stream, run))?;
        let advance = &self.advance;
        // SAFETY: the signature is that of kernels/ops.cu; `run` is a live Run, which no other thread writes.
        unsafe { launch!(advance<<<1u32, 1u32, 0, stream>>>(run, steps)) }
    }
    /// Launches the step at this offset from the current step of the run.
    fn step(&self, ahead: i32, stream: &Stream, run: DevicePointer<Run>) -> Result<()> {
        const BLOCK: u32 = THREADS as u32;
        for Resolved { function, blocks, args } in &self.launches {
            // SAFETY: the arguments are the structures of kernels/args.h. `Program::new` has checked that the shapes of
            // operands agree, and `Memory` that each address is of a buffer of its shape, within which kernels write.
            // Buffers and scratch outlive the captured graph.
            unsafe {
                match args {
                    KernelArgs::Ops(ops) => {
                        launch!(function<<<blocks, BLOCK, 0, stream>>>(run, ahead, OpList::of(ops)))
                    }
                    KernelArgs::Gemm(gemm) => launch!(function<<<blocks, BLOCK, 0, stream>>>(*gemm)),
                    KernelArgs::Gradients(gradients) => {
                        launch!(function<<<blocks, BLOCK, 0, stream>>>(run, ahead, GradientList::of(gradients)))
                    }
                }
            }?;
        }
        Ok(())
    }
}

/// A kernel by name, loaded.
fn resolve(gpu: &'static Gpu, name: &str) -> Result<Function<'static>> {
    let function = gpu.kernel(name)?;
    // A query of an attribute makes a lazy driver load the kernel.
    function.get_attribute(FunctionAttribute::NumRegisters).map_err(|e| failed("load a kernel", e))?;
    Ok(function)
}

/// The check of a buffer for NaN and infinities.
pub(super) struct FiniteCheck {
    count_nonfinite: Function<'static>,
    /// Partial counts, one per block.
    counts: DeviceBuffer<f32>,
}

/// Blocks of the check.
const BLOCKS: usize = 96;

impl FiniteCheck {
    pub(super) fn new(gpu: &'static Gpu, stream: &Stream) -> Result<FiniteCheck> {
        Ok(FiniteCheck { count_nonfinite: resolve(gpu, "count_nonfinite")?, counts: zeros(BLOCKS, stream)? })
    }
    pub(super) fn all_finite(&self, values: &DeviceBuffer<f32>, pinned: &Pinned) -> Result<bool> {
        let (kernel, stream, blocks, threads) = (&self.count_nonfinite, pinned.stream(), BLOCKS as u32, THREADS as u32);
        let (from, count, to) = (values.as_device_ptr(), values.len() as u64, self.counts.as_device_ptr());
        // SAFETY: the signature is that of kernels/ops.cu; `values` has `count` elements, and `counts` one per block.
        unsafe { launch!(kernel<<<blocks, threads, 0, stream>>>(from, count, to)) }?;
        let mut counts = [0.0; BLOCKS];
        pinned.download(&self.counts, &mut counts)?;
        Ok(counts.iter().all(|count| *count == 0.0))
    }
}
