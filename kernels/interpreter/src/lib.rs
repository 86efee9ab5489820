//! An emulator of the CUDA driver, for tests on machines without a GPU: a `libcuda.so.1` whose one device interprets the
//! PTX that it is given, and stops at what a GPU does not promise to do well.
//!
//! ```text
//! ptx/            text to kernels: declarations, instructions, where branches meet
//! execute/        launches: blocks, warps, instructions, loads and stores
//! memory/         global and shared memory, and who accessed each word last
//! tensor_core.rs  matrix products
//! fault.rs        what is found: races, reads of what was not written, bounds, alignment, barriers
//! counters.rs     counts by instruction
//! driver/         the functions of libcuda: queues, captures, allocations, failures on demand
//! ```
//!
//! A lane waits for the others of its warp where the ways of a branch meet; warps run one after another from barrier to
//! barrier. That is one of the orders that a GPU may take. No other order gives another result as long as there is no
//! race, and a race is a fault, whether it shows or not.

mod counters;
mod driver;
mod execute;
mod fault;
mod memory;
mod ptx;
mod tensor_core;

pub use counters::{Count, Counters};
pub use execute::Machine;
pub use fault::{Fault, FaultKind};
pub use ptx::{Kernel, Module, PtxError};
pub use tensor_core::TensorCore;
