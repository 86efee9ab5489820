//! Threads: the queue of the tasks of a phase, and the barrier between phases.

mod barrier;
mod queue;

pub(crate) use barrier::{Barrier, PoisonOnPanic};
pub(crate) use queue::WorkQueue;
