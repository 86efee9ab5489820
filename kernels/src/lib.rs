//! The CUDA kernels as PTX, which the driver compiles for its GPU. `make kernels` recompiles them from the `.cu` files.

/// The interpreter of ops, and the step counter; compute capability 7.5 and later.
pub const OPS: &str = include_str!("../ptx/ops.ptx");
/// GEMMs in f32; compute capability 7.5 and later.
pub const GEMM: &str = include_str!("../ptx/gemm.ptx");
/// GEMMs in tf32 and bf16 on tensor cores; compute capability 8.0 and later.
pub const GEMM_TENSOR_CORES: &str = include_str!("../ptx/gemm_tensor_cores.ptx");
/// All of them.
pub const ALL: [&str; 3] = [OPS, GEMM, GEMM_TENSOR_CORES];
