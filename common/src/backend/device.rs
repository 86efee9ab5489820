//! Where programs run.

use super::cpu::{self, Level};
use super::{Backend, Cpu, Cuda};
use crate::plan::{Plan, Precision};
use crate::{Error, Result};

/// Where programs run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Device {
    /// On the CPU.
    Cpu {
        /// Threads that compute; the result is the same for any number.
        threads: usize,
        /// The instructions that it uses.
        level: Level,
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
    /// [`Error::Usage`] where this CPU has not what `VAE_CPU` asks for.
    pub fn cpu(threads: usize) -> Result<Device> {
        Ok(Device::Cpu { threads, level: Level::chosen()? })
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
    /// [`Error::Unavailable`] where there is no such device, or it has not the memory.
    pub fn open(self, plan: &Plan, precision: Precision) -> Result<Box<dyn Backend>> {
        match self {
            Device::Cpu { threads, level } => {
                expect_memory(plan.bytes(precision), "try a smaller --batch, --samples or --hidden")?;
                Ok(Box::new(Cpu::new(plan, threads, precision, level)?))
            }
            Device::Cuda { ordinal } => Ok(Box::new(Cuda::new(plan, ordinal, precision)?)),
        }
    }
}

/// # Errors
/// [`Error::Unavailable`] with this remedy, where the machine has not so many bytes of memory.
pub(crate) fn expect_memory(needed: u64, remedy: &str) -> Result<()> {
    let there = cpu::memory_of_machine();
    if needed <= there {
        return Ok(());
    }
    Err(Error::Unavailable(format!(
        "this needs {} MB of memory: expected at most the {} MB of this machine; {remedy}",
        needed >> 20,
        there >> 20
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_no_machine_has_is_refused_with_a_remedy() {
        assert!(expect_memory(1 << 20, "").is_ok());
        let error = expect_memory(u64::MAX, "make it smaller").unwrap_err();
        assert_eq!(error.exit_code(), 69);
        assert!(error.to_string().ends_with("MB of this machine; make it smaller"), "{error}");
    }
}
