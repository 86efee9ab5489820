//! A barrier that can be poisoned.

use super::sync::{AtomicBool, AtomicUsize, Condvar, Mutex, spin};
use std::sync::PoisonError;
use std::sync::atomic::Ordering::*;
use std::time::Duration;

/// Spin-then-park barrier: spins 50 us (the usual skew), then parks so that other processes can run. A thread that
/// panics poisons it, and the others panic too.
pub(crate) struct Barrier {
    threads: usize,
    arrived: AtomicUsize,
    generation: AtomicUsize,
    poisoned: AtomicBool,
    /// Number of threads that are parked, or about to park.
    parked: Mutex<usize>,
    wake: Condvar,
    spin: Duration,
}

impl Barrier {
    pub(crate) fn new(threads: usize, cores: usize) -> Barrier {
        Barrier {
            threads,
            arrived: AtomicUsize::new(0),
            generation: AtomicUsize::new(0),
            poisoned: AtomicBool::new(false),
            parked: Mutex::new(0),
            wake: Condvar::new(),
            // With more threads than cores, a spinning thread may hold the core of the one that it waits for.
            spin: Duration::from_micros(if threads > cores { 0 } else { 50 }),
        }
    }
    /// Waits until every thread has arrived.
    ///
    /// # Panics
    /// If the barrier is poisoned.
    pub(crate) fn wait(&self) {
        assert!(self.arrive(), "another thread panicked");
    }
    /// As [`wait`](Barrier::wait); false if the barrier is poisoned.
    pub(super) fn arrive(&self) -> bool {
        let generation = self.generation.load(Acquire);
        if self.arrived.fetch_add(1, AcqRel) + 1 == self.threads {
            self.arrived.store(0, Relaxed);
            self.generation.store(generation + 1, Release);
            self.unpark();
            return true;
        }
        if !spin(self.spin, || self.is_open(generation)) {
            self.park(generation);
        }
        !self.poisoned.load(Acquire)
    }
    fn is_open(&self, generation: usize) -> bool {
        self.generation.load(Acquire) != generation || self.poisoned.load(Acquire)
    }
    fn park(&self, generation: usize) {
        let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        *parked += 1;
        while !self.is_open(generation) {
            parked = self.wake.wait(parked).unwrap_or_else(PoisonError::into_inner);
        }
        *parked -= 1;
    }
    fn unpark(&self) {
        // A thread that found the barrier closed holds the lock until it is parked.
        if *self.parked.lock().unwrap_or_else(PoisonError::into_inner) > 0 {
            self.wake.notify_all();
        }
    }
    /// Opens the barrier for good, for all who wait and will wait.
    pub(super) fn poison(&self) {
        self.poisoned.store(true, Release);
        self.unpark();
    }
}

/// Held by each thread of a barrier: poisons it if the thread panics.
pub(crate) struct PoisonOnPanic<'a>(pub(crate) &'a Barrier);

impl Drop for PoisonOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poison();
        }
    }
}
