//! On the threads of the system; see `model` for their interleavings.

use super::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread::{current, scope, sleep};
use std::time::Duration;

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
fn every_task_runs_once_in_each_step_on_whichever_thread_comes() {
    for threads in [1, 2, 5] {
        let queue = WorkQueue::new(vec![5, 1, 1, 9, 2], threads);
        let barrier = Barrier::new(threads, 2);
        let runs: Vec<AtomicUsize> = (0..5).map(|_| AtomicUsize::new(0)).collect();
        Pool::with_threads(threads).run(threads, &|t| {
            (1..=20).for_each(|step| {
                queue.for_each(t, step, 5, |task| {
                    runs[task].fetch_add(1, SeqCst);
                });
                barrier.wait();
            })
        });
        assert!(runs.iter().all(|n| n.load(SeqCst) == 20));
    }
}

impl Pool {
    fn with_threads(threads: usize) -> Pool {
        let mut pool = Pool::new();
        assert_eq!(pool.grow(threads), threads);
        pool
    }
}

#[test]
fn a_pool_has_the_same_threads_in_each_job_of_which_the_first_is_the_callers() {
    let mut pool = Pool::with_threads(3);
    let names = |pool: &mut Pool, threads| {
        let ids = std::sync::Mutex::new(vec![None; threads]);
        pool.run(threads, &|t| ids.lock().unwrap()[t] = Some(current().id()));
        ids.into_inner().unwrap()
    };
    let first = names(&mut pool, 3);
    assert_eq!(first[0], Some(current().id()));
    for threads in [1, 2, 3, 2] {
        assert_eq!(names(&mut pool, threads), first[..threads]);
    }
    assert_eq!(pool.grow(5), 5);
    assert_eq!(names(&mut pool, 5)[..3], first);
    assert_eq!(pool.grow(2), 2, "no more than asked for");
}

#[test]
fn a_panic_on_any_thread_comes_out_of_the_pool_which_goes_on() {
    let mut pool = Pool::with_threads(3);
    for panicking in 0..3 {
        let barrier = Barrier::new(3, 3);
        let job = |t| {
            let _guard = PoisonOnPanic(&barrier);
            assert!(t != panicking, "on purpose");
            barrier.wait();
        };
        assert!(catch_unwind(AssertUnwindSafe(|| pool.run(3, &job))).is_err());
    }
    let runs = AtomicUsize::new(0);
    pool.run(3, &|_| {
        runs.fetch_add(1, SeqCst);
    });
    assert_eq!(runs.into_inner(), 3);
}
