//! Where programs run.

use super::cpu::InstructionSet;
use super::{Backend, Cpu, Cuda};
use crate::plan::{Plan, Precision};
use crate::{Error, Result};
use vae_cli::memory;

/// Where programs run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Device {
    /// On the CPU.
    Cpu {
        /// Threads that compute; the result is the same for any number.
        threads: usize,
        /// The instructions that it uses.
        isa: InstructionSet,
    },
    /// On an NVIDIA GPU.
    Cuda {
        /// Which, as the driver counts.
        ordinal: u32,
    },
}

impl Device {
    /// The name of the device, for records of a run.
    pub fn name(self) -> &'static str {
        match self {
            Device::Cpu { .. } => "cpu",
            Device::Cuda { .. } => "cuda",
        }
    }
    /// The CPU, with the best instructions that it has, or those that `VAE_CPU` asks for.
    ///
    /// # Errors
    /// [`Error::InstructionSet`] where this CPU has not what `VAE_CPU` asks for.
    pub fn cpu(threads: usize) -> Result<Device> {
        Ok(Device::Cpu { threads, isa: InstructionSet::from_env()? })
    }
    /// How many plans keep it busy, each used by a thread of its own: on a GPU, one copies while the other computes; on the CPU,
    /// one has all threads.
    pub fn workers(self) -> usize {
        match self {
            Device::Cpu { .. } => 1,
            Device::Cuda { .. } => 2,
        }
    }
    /// A backend with the buffers of a plan, which multiplies at this precision.
    ///
    /// # Errors
    /// [`Error::Gpu`], [`Error::Memory`] or [`Error::Allocation`], where there is no such device, or it has not the memory.
    pub fn open(self, plan: &Plan, precision: Precision) -> Result<Box<dyn Backend>> {
        match self {
            Device::Cpu { threads, isa } => {
                let (needed, available) = (plan.bytes(precision), memory::total());
                if needed > available {
                    return Err(Error::Memory { needed, available });
                }
                Ok(Box::new(Cpu::new(plan, threads, precision, isa)?))
            }
            Device::Cuda { ordinal } => Ok(Box::new(Cuda::new(plan, ordinal, precision)?)),
        }
    }
}
