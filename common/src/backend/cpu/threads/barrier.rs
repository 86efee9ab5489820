//! Threads that live as long as one run, the jobs they share, and the barrier between two phases.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Jobs of one phase: each is done once in a step, by its own thread if that comes in time, so that its data stay in
/// that thread's cache; else by whoever is idle.
pub(super) struct Jobs {
    /// The last step in which each was done.
    done: Vec<AtomicUsize>,
    /// The first of each thread.
    own: Vec<usize>,
}

impl Jobs {
    /// Jobs of these costs, shared out evenly.
    pub(super) fn new(costs: Vec<usize>, threads: usize) -> Jobs {
        let all: usize = costs.iter().sum();
        let mut before = 0;
        let middles = costs.iter().map(|cost| {
            before += cost;
            before - cost / 2
        });
        let middles: Vec<usize> = middles.collect();
        let own = (0..threads).map(|t| middles.partition_point(|middle| middle * threads < all * t)).collect();
        Jobs { done: costs.iter().map(|_| AtomicUsize::new(0)).collect(), own }
    }
    /// Does the first `n` jobs of this step (1, 2, …) together with the other threads.
    pub(super) fn each(&self, thread: usize, step: usize, n: usize, mut f: impl FnMut(usize)) {
        let own = self.own[thread].min(n);
        for j in (own..n).chain(0..own) {
            if self.done[j].load(Relaxed) < step && self.done[j].fetch_max(step, Relaxed) < step {
                f(j);
            }
        }
    }
}

/// A barrier that spins for some microseconds, as long as phases differ where every thread has a core; then it sleeps, so
/// that a busy neighbour gets the core. A thread that panics releases the others into a panic.
pub(super) struct Barrier {
    threads: AtomicUsize,
    arrived: AtomicUsize,
    turn: AtomicUsize,
    broken: AtomicBool,
    /// How many sleep, or are about to.
    sleepers: Mutex<usize>,
    wake: Condvar,
    spin: Duration,
}

impl Barrier {
    pub(super) fn new(threads: usize, cores: usize) -> Barrier {
        // With more threads than cores, the one that is waited for may need the core of the one that waits.
        Barrier {
            threads: AtomicUsize::new(threads),
            arrived: AtomicUsize::new(0),
            turn: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
            sleepers: Mutex::new(0),
            wake: Condvar::new(),
            spin: Duration::from_micros(if threads > cores { 0 } else { 50 }),
        }
    }
    /// Expects so many threads less. For a thread that has not arrived yet: without it, nobody goes on.
    pub(super) fn expect_fewer(&self, absent: usize) {
        self.threads.fetch_sub(absent, AcqRel);
    }
    pub(super) fn wait(&self) {
        let turn = self.turn.load(Acquire);
        if self.arrived.fetch_add(1, AcqRel) + 1 == self.threads.load(Acquire) {
            self.arrived.store(0, Relaxed);
            self.turn.store(turn + 1, SeqCst);
            self.release();
            return;
        }
        let begun = Instant::now();
        while self.turn.load(Acquire) == turn {
            assert!(!self.broken.load(Relaxed), "another thread of the team panicked");
            if begun.elapsed() > self.spin {
                return self.sleep(turn);
            }
            (0..32).for_each(|_| std::hint::spin_loop());
        }
    }
    fn sleep(&self, turn: usize) {
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        *sleepers += 1;
        while self.turn.load(SeqCst) == turn && !self.broken.load(SeqCst) {
            sleepers = self.wake.wait(sleepers).unwrap_or_else(PoisonError::into_inner);
        }
        *sleepers -= 1;
        drop(sleepers);
        assert!(!self.broken.load(Relaxed), "another thread of the team panicked");
    }
    fn release(&self) {
        // Whoever looked at the turn before it changed holds the lock until it sleeps.
        if *self.sleepers.lock().unwrap_or_else(PoisonError::into_inner) > 0 {
            self.wake.notify_all();
        }
    }
}

/// Held by each thread of a team: breaks the barrier if the thread panics.
pub(super) struct Guard<'a>(pub(super) &'a Barrier);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.store(true, SeqCst);
            self.0.release();
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
    fn threads_wait_for_each_other_spinning_or_asleep() {
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
                let _guard = Guard(&barrier);
                sleep(Duration::from_millis(5));
                panic!("on purpose");
            });
            assert!(panicking.join().is_err());
            waiting.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
        });
        assert!(ends.iter().all(|end| end.is_err()));
    }

    #[test]
    fn a_team_with_fewer_threads_than_planned_goes_on() {
        let barrier = Barrier::new(4, 4);
        scope(|s| {
            s.spawn(|| barrier.wait());
            barrier.expect_fewer(2);
            barrier.wait();
        });
    }

    #[test]
    fn every_job_is_done_once_in_each_step_by_whoever_comes() {
        for threads in [1, 2, 5] {
            let jobs = Jobs::new(vec![5, 1, 1, 9, 2], threads);
            let done: Vec<AtomicUsize> = (0..5).map(|_| AtomicUsize::new(0)).collect();
            scope(|s| {
                for t in 0..threads {
                    let (jobs, done) = (&jobs, &done);
                    s.spawn(move || {
                        (1..=20).for_each(|step| {
                            jobs.each(t, step, 5, |j| {
                                done[j].fetch_add(1, SeqCst);
                            })
                        })
                    });
                }
            });
            assert!(done.iter().all(|n| n.load(SeqCst) <= 20 && n.load(SeqCst) > 0));
        }
    }
}
