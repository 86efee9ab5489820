//! A pool of threads, parked between jobs.
#![allow(unsafe_code)]

use super::sync::{Arc, Builder, Condvar, JoinHandle, Mutex};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// A function of the thread's number, its lifetime erased.
type Task = &'static (dyn Fn(usize) + Sync);

/// Worker threads 1, 2, …; the caller is thread 0. A job uses the first of them. They end when the pool is dropped.
pub(crate) struct Pool {
    workers: Vec<JoinHandle<()>>,
    shared: Arc<Shared>,
}

struct Shared {
    job: Mutex<Job>,
    /// Notified when there is a job, or the pool is closed.
    start: Condvar,
    /// Notified when the last worker has finished its part.
    finished: Condvar,
}

/// The current job.
#[derive(Default)]
struct Job {
    /// The number of jobs started.
    generation: usize,
    task: Option<Task>,
    /// Workers that take part: 1 to this.
    workers: usize,
    /// Workers that have not finished.
    running: usize,
    /// The payload of a worker that panicked.
    panic: Option<Box<dyn Any + Send>>,
    closed: bool,
}

impl Pool {
    /// Without threads.
    pub(crate) fn new() -> Pool {
        let shared = Shared { job: Mutex::default(), start: Condvar::new(), finished: Condvar::new() };
        Pool { workers: vec![], shared: Arc::new(shared) }
    }
    /// Grows to `threads` threads, the caller's included. Returns the number that can be used: fewer if the system refuses.
    pub(crate) fn grow(&mut self, threads: usize) -> usize {
        while self.workers.len() + 1 < threads {
            let (shared, thread) = (self.shared.clone(), self.workers.len() + 1);
            let last = shared.lock().generation;
            match Builder::new().spawn(move || shared.work(thread, last)) {
                Ok(worker) => self.workers.push(worker),
                Err(_) => break,
            }
        }
        threads.min(self.workers.len() + 1)
    }
    /// Calls `task` with 0 to `threads - 1`, each on its own thread, and waits for all.
    ///
    /// # Panics
    /// With the panic of a task. Without as many threads.
    pub(crate) fn run(&mut self, threads: usize, task: &(dyn Fn(usize) + Sync)) {
        assert!((1..=self.workers.len() + 1).contains(&threads), "the pool has {} threads", self.workers.len() + 1);
        if threads == 1 {
            return task(0);
        }
        // SAFETY: workers call the task only until they have finished, which `wait` below awaits on every path; nothing
        // before it panics, since the task is caught.
        let erased = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Task>(task) };
        self.shared.start(erased, threads - 1);
        let own = catch_unwind(AssertUnwindSafe(|| task(0))).err();
        let panic = self.shared.wait();
        if let Some(payload) = own.or(panic) {
            resume_unwind(payload);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.start.notify_all();
        for worker in self.workers.drain(..) {
            worker.join().expect("panics are caught");
        }
    }
}

impl Shared {
    fn lock(&self) -> impl std::ops::DerefMut<Target = Job> {
        self.job.lock().expect("no thread panics with it")
    }
    fn start(&self, task: Task, workers: usize) {
        let mut job = self.lock();
        (job.generation, job.task) = (job.generation + 1, Some(task));
        (job.workers, job.running) = (workers, workers);
        drop(job);
        self.start.notify_all();
    }
    /// Waits for the workers; outputs the panic of one.
    fn wait(&self) -> Option<Box<dyn Any + Send>> {
        let mut job = self.job.lock().expect("no thread panics with it");
        while job.running > 0 {
            job = self.finished.wait(job).expect("no thread panics with it");
        }
        job.task = None;
        job.panic.take()
    }
    /// The next job after number `last` in which a worker takes part; None once the pool is closed.
    fn next(&self, thread: usize, last: &mut usize) -> Option<Task> {
        let mut job = self.job.lock().expect("no thread panics with it");
        loop {
            if job.closed {
                return None;
            }
            if job.generation != *last {
                *last = job.generation;
                if thread <= job.workers {
                    return job.task;
                }
            }
            job = self.start.wait(job).expect("no thread panics with it");
        }
    }
    /// The life of a worker.
    fn work(&self, thread: usize, mut last: usize) {
        while let Some(task) = self.next(thread, &mut last) {
            let panic = catch_unwind(AssertUnwindSafe(|| task(thread))).err();
            let mut job = self.lock();
            job.panic = job.panic.take().or(panic);
            job.running -= 1;
            if job.running == 0 {
                self.finished.notify_one();
            }
        }
    }
}
