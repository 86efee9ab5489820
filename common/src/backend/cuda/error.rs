//! What can go wrong with a GPU.

/// Why a GPU cannot be used.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // a message says what the fields of its variant are
pub enum GpuError {
    /// No driver library.
    #[error("no CUDA driver was found: expected NVIDIA's libcuda.so.1, got: {0}")]
    NoDriver(String),
    /// A driver that finds no GPU.
    #[error("no CUDA device was found: expected an NVIDIA GPU, got: {0}")]
    NoDevice(String),
    /// A driver older than the kernels.
    #[error("the CUDA driver is too old: expected one of CUDA {} (NVIDIA 525), got {}", dotted(expected), dotted(got))]
    OldDriver { expected: (i32, i32), got: (i32, i32) },
    /// Fewer GPUs than that.
    #[error("there is no CUDA device {ordinal}: expected one of the {count} from 0 on")]
    NoSuchDevice { ordinal: u32, count: u32 },
    /// A GPU older than the kernels.
    #[error("the GPU is too old: expected compute capability {}, got {}", dotted(expected), dotted(got))]
    OldDevice { expected: (i32, i32), got: (i32, i32) },
    /// A GPU without tensor cores for a precision.
    #[error(
        "this GPU has no tensor cores for {precision}: expected compute capability {}, got {}",
        dotted(expected),
        dotted(got)
    )]
    NoTensorCores { precision: &'static str, expected: (i32, i32), got: (i32, i32) },
    /// Kernels that the driver does not compile.
    #[error("the CUDA driver refuses the kernels: {0}")]
    RefusedKernels(String),
    /// A kernel that is not among those compiled.
    #[error("the GPU has no kernel {0}: expected one")]
    NoKernel(String),
    /// Buffers of a plan beyond the free memory.
    #[error("this needs {} MB of the GPU's memory: expected at most the {} MB that are free", needed >> 20, free >> 20)]
    Memory { needed: u64, free: u64 },
    /// Memory that the driver refuses.
    #[error("the GPU gives no {} MB of memory: {why}", bytes >> 20)]
    Allocation { bytes: usize, why: String },
    /// A call of the driver that failed.
    #[error("the GPU failed to {doing}: {why}")]
    Failed { doing: String, why: String },
}

impl GpuError {
    /// Whether there is a GPU, which is too old, or whose driver is.
    pub fn is_age(&self) -> bool {
        matches!(self, GpuError::OldDriver { .. } | GpuError::OldDevice { .. })
    }
}

fn dotted((major, minor): &(i32, i32)) -> String {
    format!("{major}.{minor}")
}
