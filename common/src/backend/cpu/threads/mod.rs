//! Threads: a pool that lives as long as the backend, the queue of the tasks of a phase, and the barrier between
//! phases.
//!
//! The three are hand-made, so `model` explores their interleavings with loom.

mod barrier;
#[cfg(test)]
mod model;
mod pool;
mod queue;
mod sync;
#[cfg(test)]
mod tests;

pub(crate) use barrier::{Barrier, PoisonOnPanic};
pub(crate) use pool::Pool;
pub(crate) use queue::WorkQueue;
