//! Threads that live as long as one run, the jobs they share, and the barrier between two phases.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};

/// Jobs of one phase: each is done once in a step, by its own thread if that comes in time, so that its data stay in
/// that thread's cache; else by whoever is idle.
pub(super) struct Jobs(Vec<AtomicUsize>);

impl Jobs {
    pub(super) fn new(n: usize) -> Jobs {
        Jobs((0..n).map(|_| AtomicUsize::new(0)).collect())
    }
    /// Does the first `n` jobs of this step (1, 2, …) together with the other threads.
    pub(super) fn each(&self, [thread, threads]: [usize; 2], step: usize, n: usize, mut f: impl FnMut(usize)) {
        let own = n * thread / threads;
        for j in (own..n).chain(0..own) {
            if self.0[j].load(Relaxed) < step && self.0[j].fetch_max(step, Relaxed) < step {
                f(j);
            }
        }
    }
}

/// A barrier that spins for a few microseconds, then yields, so that a busy neighbour gets the core. A thread that
/// panics releases the others into a panic.
pub(super) struct Barrier {
    threads: AtomicUsize,
    arrived: AtomicUsize,
    turn: AtomicUsize,
    broken: AtomicBool,
}

impl Barrier {
    pub(super) fn new(threads: usize) -> Barrier {
        Barrier {
            threads: AtomicUsize::new(threads),
            arrived: AtomicUsize::new(0),
            turn: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        }
    }
    /// Expects so many threads less. For a thread that has not arrived yet: without it, nobody goes on.
    pub(super) fn expect_fewer(&self, absent: usize) {
        self.threads.fetch_sub(absent, AcqRel);
    }
    pub(super) fn wait(&self) {
        const SPINS: u32 = 2_000;
        let turn = self.turn.load(Acquire);
        if self.arrived.fetch_add(1, AcqRel) + 1 == self.threads.load(Acquire) {
            self.arrived.store(0, Relaxed);
            self.turn.store(turn + 1, Release);
            return;
        }
        let mut turns = 0;
        while self.turn.load(Acquire) == turn {
            assert!(!self.broken.load(Relaxed), "another thread of the team panicked");
            turns += 1;
            if turns < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
    }
}

/// Held by each thread of a team: breaks the barrier if the thread panics.
pub(super) struct Guard<'a>(pub(super) &'a Barrier);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.store(true, Relaxed);
        }
    }
}
