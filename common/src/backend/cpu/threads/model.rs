//! loom's model checker runs these tests in every interleaving, of few preemptions, that the memory model allows. The
//! files of this module are compiled a second time, over loom's atomics and locks.
#![allow(clippy::duplicate_mod)] // on purpose
#![allow(dead_code)] // not all of it is explored

#[path = "barrier.rs"]
mod barrier;
#[path = "pool.rs"]
mod pool;
#[path = "queue.rs"]
mod queue;
mod sync {
    pub(super) use loom::sync::atomic::{AtomicBool, AtomicUsize};
    pub(super) use loom::sync::{Arc, Condvar, Mutex};
    pub(super) use loom::thread::{Builder, JoinHandle};
    use std::time::Duration;

    /// One look, and then the thread parks.
    pub(super) fn spin(_: Duration, done: impl Fn() -> bool) -> bool {
        done()
    }
}

use barrier::Barrier;
use loom::cell::UnsafeCell;
use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;
use pool::Pool;
use queue::WorkQueue;

/// Explores every interleaving with at most so many preemptions.
fn explore(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// Runs on as many threads as loom's, of which the first is this one.
fn on_threads(threads: usize, work: impl Fn(usize) + Send + Sync + 'static) {
    let work = Arc::new(work);
    let spawn = |t| {
        let work = work.clone();
        thread::spawn(move || work(t))
    };
    let others: Vec<_> = (1..threads).map(spawn).collect();
    work(0);
    others.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn what_was_written_before_the_barrier_is_read_after_it() {
    for (threads, preemptions, steps) in [(2, 3, 2), (3, 2, 1)] {
        explore(preemptions, move || {
            let barrier = Barrier::new(threads, threads);
            let written: Vec<UnsafeCell<usize>> = (0..threads).map(|_| UnsafeCell::new(0)).collect();
            let written = SharedCells(written);
            on_threads(threads, move |t| {
                for step in 1..=steps {
                    written.set(t, step);
                    barrier.wait();
                    (0..threads).for_each(|other| assert_eq!(written.get(other), step));
                    barrier.wait();
                }
            });
        });
    }
}

/// Memory without synchronisation of its own, so that loom reports a race on it.
struct SharedCells(Vec<UnsafeCell<usize>>);

// SAFETY: loom checks every access.
#[allow(unsafe_code)]
unsafe impl Sync for SharedCells {}

impl SharedCells {
    fn set(&self, i: usize, value: usize) {
        // SAFETY: loom checks that nobody else accesses it.
        #[allow(unsafe_code)]
        self.0[i].with_mut(|p| unsafe { *p = value });
    }
    fn get(&self, i: usize) -> usize {
        // SAFETY: loom checks that nobody writes it.
        #[allow(unsafe_code)]
        self.0[i].with(|p| unsafe { *p })
    }
}

#[test]
fn a_poisoned_barrier_holds_nobody() {
    explore(2, || {
        let barrier = Barrier::new(3, 3);
        on_threads(3, move |t| match t {
            0 => barrier.poison(),
            _ => assert!(!barrier.arrive(), "it opened without the first thread"),
        });
    });
}

#[test]
fn a_task_runs_once_in_each_step_and_its_writes_are_read_in_the_next_phase() {
    explore(3, || {
        let (queue, barrier) = (WorkQueue::new(vec![1, 1], 2), Barrier::new(2, 2));
        let runs = SharedCells((0..2).map(|_| UnsafeCell::new(0)).collect());
        on_threads(2, move |t| {
            for step in 1..=2 {
                queue.for_each(t, step, 2, |task| runs.set(task, runs.get(task) + 1));
                barrier.wait();
                (0..2).for_each(|task| assert_eq!(runs.get(task), step));
                barrier.wait();
            }
        });
    });
}

#[test]
fn a_pool_runs_each_job_on_all_its_threads_and_ends() {
    explore(3, || {
        let mut pool = Pool::new();
        assert_eq!(pool.grow(2), 2);
        for job in 1..=2 {
            let runs = SharedCells((0..2).map(|_| UnsafeCell::new(0)).collect());
            pool.run(2, &|t| runs.set(t, job));
            assert_eq!([runs.get(0), runs.get(1)], [job; 2]);
        }
    });
    explore(2, || {
        let mut pool = Pool::new();
        assert_eq!(pool.grow(3), 3);
        for threads in [2, 3] {
            let runs = SharedCells((0..3).map(|_| UnsafeCell::new(0)).collect());
            pool.run(threads, &|t| runs.set(t, 1));
            assert_eq!((0..3).map(|t| runs.get(t)).sum::<usize>(), threads);
        }
    });
}
