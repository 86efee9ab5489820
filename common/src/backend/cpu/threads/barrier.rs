//! A barrier that can be poisoned.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Spin-then-park barrier: spins 50 us (the usual skew), then parks so that other processes can run. A thread that
/// panics poisons it, and the others panic too.
pub(crate) struct Barrier {
    threads: AtomicUsize,
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
            threads: AtomicUsize::new(threads),
            arrived: AtomicUsize::new(0),
            generation: AtomicUsize::new(0),
            poisoned: AtomicBool::new(false),
            parked: Mutex::new(0),
            wake: Condvar::new(),
            // With more threads than cores, a spinning thread may hold the core of the one that it waits for.
            spin: Duration::from_micros(if threads > cores { 0 } else { 50 }),
        }
    }
    /// Expects `missing` threads fewer. Only for a thread that has not arrived: without it the others still wait.
    pub(crate) fn expect_fewer(&self, missing: usize) {
        self.threads.fetch_sub(missing, AcqRel);
    }
    pub(crate) fn wait(&self) {
        let generation = self.generation.load(Acquire);
        if self.arrived.fetch_add(1, AcqRel) + 1 == self.threads.load(Acquire) {
            self.arrived.store(0, Relaxed);
            self.generation.store(generation + 1, SeqCst);
            self.unpark();
            return;
        }
        let begun = Instant::now();
        while self.generation.load(Acquire) == generation {
            assert!(!self.poisoned.load(Relaxed), "another thread panicked");
            if begun.elapsed() > self.spin {
                return self.park(generation);
            }
            (0..32).for_each(|_| std::hint::spin_loop());
        }
    }
    fn park(&self, generation: usize) {
        let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        *parked += 1;
        while self.generation.load(SeqCst) == generation && !self.poisoned.load(SeqCst) {
            parked = self.wake.wait(parked).unwrap_or_else(PoisonError::into_inner);
        }
        *parked -= 1;
        drop(parked);
        assert!(!self.poisoned.load(Relaxed), "another thread panicked");
    }
    fn unpark(&self) {
        // A thread that read the old generation holds the lock until it is parked.
        if *self.parked.lock().unwrap_or_else(PoisonError::into_inner) > 0 {
            self.wake.notify_all();
        }
    }
}

/// Held by each thread of a barrier: poisons it if the thread panics.
pub(crate) struct PoisonOnPanic<'a>(pub(crate) &'a Barrier);

impl Drop for PoisonOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poisoned.store(true, SeqCst);
            self.0.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::{scope, sleep};

    /// Each thread adds to its own count and then sees that no other has gone further than one step.
    fn steps_together(threads: usize, cores: usize, late: Duration) {
        let barrier = Barrier::new(threads, cores);
        let counts: Vec<AtomicUsize> = (0..threads).map(|_| AtomicUsize::new(0)).collect();
        scope(|s| {
            for t in 0..threads {
                let (barrier, counts) = (&barrier, &counts);
                s.spawn(move || {
                    for step in 1..=50 {
                        if t == 0 && step % 10 == 0 {
                            sleep(late);
                        }
                        counts[t].store(step, SeqCst);
                        barrier.wait();
                        assert!(counts.iter().all(|c| (step..=step + 1).contains(&c.load(SeqCst))));
                    }
                });
            }
        });
    }

    #[test]
    fn threads_wait_for_each_other_spinning_or_parked() {
        steps_together(2, 2, Duration::ZERO);
        steps_together(3, 8, Duration::from_millis(2));
        steps_together(8, 1, Duration::from_millis(1));
    }

    #[test]
    fn a_thread_that_panics_releases_those_that_wait() {
        let barrier = Barrier::new(3, 3);
        let ends = scope(|s| {
            let waiting: Vec<_> = (0..2).map(|_| s.spawn(|| barrier.wait())).collect();
            let panicking = s.spawn(|| {
                let _guard = PoisonOnPanic(&barrier);
                sleep(Duration::from_millis(5));
                panic!("on purpose");
            });
            assert!(panicking.join().is_err());
            waiting.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
        });
        assert!(ends.iter().all(|end| end.is_err()));
    }

    #[test]
    fn a_barrier_with_fewer_threads_than_planned_opens() {
        let barrier = Barrier::new(4, 4);
        scope(|s| {
            s.spawn(|| barrier.wait());
            barrier.expect_fewer(2);
            barrier.wait();
        });
    }
}
