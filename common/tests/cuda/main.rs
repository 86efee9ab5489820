//! What the GPU computes, on the stand-in of `kernels/emulator`; with `VAE_CUDA_TEST=device`, on the GPU that is there.

mod copies;
mod operations;
mod reference;
mod runs;

use std::path::Path;
use std::sync::OnceLock;

/// The number of a GPU to test; none, and the test is skipped, where there is no C++ compiler to make a stand-in.
fn gpu() -> Option<u32> {
    static THERE: OnceLock<bool> = OnceLock::new();
    let real = std::env::var("VAE_CUDA_TEST").is_ok_and(|v| v == "device");
    THERE.get_or_init(|| real || cuda_emulator::load(Path::new(env!("CARGO_TARGET_TMPDIR")))).then_some(0)
}
