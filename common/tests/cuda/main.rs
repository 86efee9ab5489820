//! The GPU backend, on the emulator of `kernels/emulator`; with `VAE_CUDA_TEST=device`, on the installed GPU.

mod copies;
mod operations;
mod reference;
mod runs;

use std::path::Path;
use std::sync::OnceLock;

/// The ordinal of the GPU under test. None skips the test: no C++ compiler builds the emulator.
fn gpu() -> Option<u32> {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    let real = std::env::var("VAE_CUDA_TEST").is_ok_and(|v| v == "device");
    AVAILABLE.get_or_init(|| real || cuda_emulator::load(Path::new(env!("CARGO_TARGET_TMPDIR")))).then_some(0)
}
