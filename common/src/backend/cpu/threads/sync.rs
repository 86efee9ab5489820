//! What the files of this module synchronise with. `model` has the same names from loom.

pub(super) use std::sync::atomic::{AtomicBool, AtomicUsize};
pub(super) use std::sync::{Arc, Condvar, Mutex};
pub(super) use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Spins until `done`, or for `limit`; outputs whether it is done.
pub(super) fn spin(limit: Duration, done: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        if done() {
            return true;
        }
        if begun.elapsed() > limit {
            return false;
        }
        (0..32).for_each(|_| std::hint::spin_loop());
    }
}
