//! The choice of a device.

use super::cpu::InstructionSet;
use super::{Backend, Cpu, Cuda};
use crate::plan::{Plan, Precision};
use crate::{Error, Result};
use vae_cli::memory;

/// A device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Device {
    /// The CPU.
    Cpu {
        /// Threads; results do not depend on their number.
        threads: usize,
        /// Its instruction set.
        isa: InstructionSet,
    },
    /// An NVIDIA GPU.
    Cuda {
        /// The driver's ordinal.
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
    /// The CPU, with its best instruction set or that of `VAE_CPU`.
    ///
    /// # Errors
    /// [`Error::InstructionSet`] if this CPU does not support `VAE_CPU`.
    pub fn cpu(threads: usize) -> Result<Device> {
        Ok(Device::Cpu { threads, isa: InstructionSet::from_env()? })
    }
    /// The precision of training here, where `asked` is faster than f32; f32 where it is not.
    pub fn precision(self, asked: Precision) -> Precision {
        match (self, asked) {
            (Device::Cpu { isa, .. }, Precision::Bf16) if !isa.has_bf16() => Precision::Fp32,
            _ => asked,
        }
    }
    /// Backends, each on a thread of its own, that saturate the device: two on a GPU, where copies overlap with compute.
    pub fn workers(self) -> usize {
        match self {
            Device::Cpu { .. } => 1,
            Device::Cuda { .. } => 2,
        }
    }
    /// Opens a backend with the buffers of a plan, at this precision.
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
