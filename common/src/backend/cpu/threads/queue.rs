//! A work queue with thread affinity.

use super::sync::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

/// The tasks of one phase. Each runs once per step, on the thread that ran it before if that comes in time, so that its
/// data stay in that core's cache; else on an idle one.
pub(crate) struct WorkQueue {
    /// The last step in which each task was claimed.
    claimed: Vec<AtomicUsize>,
    /// The first task of each thread.
    first: Vec<usize>,
}

impl WorkQueue {
    /// Tasks of these costs, divided evenly among threads.
    pub(crate) fn new(costs: Vec<usize>, threads: usize) -> WorkQueue {
        let total: usize = costs.iter().sum();
        let mut before = 0;
        let midpoints = costs.iter().map(|cost| {
            before += cost;
            before - cost / 2
        });
        let midpoints: Vec<usize> = midpoints.collect();
        let first = (0..threads).map(|t| midpoints.partition_point(|point| point * threads < total * t)).collect();
        WorkQueue { claimed: costs.iter().map(|_| AtomicUsize::new(0)).collect(), first }
    }
    /// Runs the first `n` tasks of a step (1, 2, …) together with the other threads.
    pub(crate) fn for_each(&self, thread: usize, step: usize, n: usize, mut f: impl FnMut(usize)) {
        let first = self.first[thread].min(n);
        for task in (first..n).chain(0..first) {
            if self.claimed[task].load(Relaxed) < step && self.claimed[task].fetch_max(step, Relaxed) < step {
                f(task);
            }
        }
    }
}
