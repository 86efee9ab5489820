//! The CUDA kernels, as PTX, which the driver compiles for its GPU. `make kernels` writes them anew from the `.cu` beside.

/// Operations on the rows of each image, and the step counter; for compute capability 7.5 and later.
pub const EACH: &str = include_str!("../ptx/each.ptx");
/// Products of f32; for 7.5 and later.
pub const PRODUCTS: &str = include_str!("../ptx/products.ptx");
/// Products of tf32 and bf16 on tensor cores; for 8.0 and later.
pub const TENSOR: &str = include_str!("../ptx/tensor.ptx");
