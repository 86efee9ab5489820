//! The CPU backend: a step is two phases and two barriers, on as many threads as it is given.
//!
//! ```text
//! forward, backward    blocks of images, each through every operation       ops/interpreter.rs, linear.rs, …
//!    ── barrier ──                                                          threads/
//! update               tiles of parameters: gradient, then optimizer        ops/update.rs, adam.rs
//!    ── barrier ──
//! ```
//!
//! Both stand on the three GEMMs of a layer (gemm/), which are tiles of one microkernel over packed weights, in f32 or
//! bf16, dense or sparse, on the vectors of this CPU (simd.rs). Buffers and all aliasing are in memory/. Every value is
//! computed by one thread, in a fixed order of sums: results have the same bytes for any number of threads, and any
//! size of blocks and tiles.

mod gemm;
mod memory;
mod ops;
mod partition;
mod profile;
mod scratch;
mod simd;
mod step;
mod threads;

use super::{Backend, ProgramId, SampleIndex, State};
use crate::plan::{Buf, Plan, Precision, Program};
use crate::{Error, Result};
use memory::Memory;
pub use profile::Profile;
pub use simd::InstructionSet;
use std::sync::Mutex;
use step::{Compiled, Run, Schedule, WorkerMemory};
use threads::Pool;

/// The buffers of a plan in main memory, and the threads that compute on them.
pub struct Cpu {
    memory: Memory,
    state: State,
    threads: usize,
    cores: usize,
    precision: Precision,
    profile: Option<Profile>,
    programs: Vec<Compiled>,
    pool: Pool,
    /// Of each thread of the pool.
    workers: Vec<Mutex<WorkerMemory>>,
}

impl Cpu {
    /// Allocates the buffers of a plan. The state starts empty: no item, no learning rate.
    ///
    /// # Errors
    /// [`Error::Allocation`] where the system has no memory, [`Error::NoTiles`] for bf16x3 without AMX.
    pub fn new(plan: &Plan, threads: usize, precision: Precision, isa: InstructionSet) -> Result<Cpu> {
        if precision == Precision::Bf16x3 && isa.tiles().is_none() {
            return Err(Error::NoTiles { precision: precision.name(), got: isa.name() });
        }
        let memory = Memory::new(plan, isa, precision)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Cpu {
            memory,
            state: State::new(plan),
            threads: threads.max(1),
            cores,
            precision,
            profile: None,
            programs: vec![],
            pool: Pool::new(),
            workers: vec![],
        })
    }
    /// The time spent since the last call; the first call enables the profiler, which costs some time.
    pub fn profile(&mut self) -> Profile {
        self.profile.replace(vec![]).unwrap_or_default()
    }
}

impl Backend for Cpu {
    fn upload(&mut self, to: Buf, values: &[f32]) -> Result<()> {
        self.memory.upload(to, values);
        Ok(())
    }
    fn upload_bytes(&mut self, to: Buf, values: &[u8]) -> Result<()> {
        self.memory.upload_bytes(to, values);
        Ok(())
    }
    fn move_bytes(&mut self, to: Buf, values: Vec<u8>) -> Result<()> {
        self.memory.move_bytes(to, values);
        Ok(())
    }
    fn upload_indices(&mut self, samples: &[SampleIndex]) -> Result<()> {
        self.memory.indices.clear();
        self.memory.indices.extend_from_slice(samples);
        Ok(())
    }
    fn download(&self, from: Buf, first: usize, into: &mut [f32]) -> Result<()> {
        self.memory.download(from, first, into);
        Ok(())
    }
    fn all_finite(&self, of: Buf) -> Result<bool> {
        Ok(self.memory.all_finite(of))
    }
    fn state(&mut self) -> &mut State {
        &mut self.state
    }
    fn compile(&mut self, program: &Program) -> Result<ProgramId> {
        let compiled = Compiled::new(program, &self.memory, self.precision, self.state.batch);
        self.memory.prepare(program)?;
        self.programs.push(compiled);
        Ok(ProgramId(self.programs.len() - 1))
    }
    fn run(&mut self, program: ProgramId, steps: usize) -> Result<()> {
        assert!(steps <= self.state.steps_left(), "a run ends with the epoch");
        let (compiled, start) = (&self.programs[program.0], self.state);
        let threads = [self.threads, self.cores];
        let schedule = Schedule::new(compiled, &self.memory, &start, &mut self.pool, threads);
        let threads = schedule.threads;
        self.workers.resize_with(self.workers.len().max(threads), Mutex::default);
        let run = Run { compiled, memory: &self.memory, start, steps, profiled: self.profile.is_some(), schedule };
        let (ends, workers) = (Mutex::new(vec![]), &self.workers);
        self.pool.run(threads, &|thread| {
            let end = run.work(thread, &mut workers[thread].lock().expect("each thread has its own"));
            ends.lock().expect("no thread panics with it").push(end);
        });
        let ends = ends.into_inner().expect("no thread panics with it");
        self.state = ends[0].0;
        if let Some(profile) = &mut self.profile {
            ends.into_iter().for_each(|(_, profiler)| profiler.add_to(profile, &compiled.program));
        }
        Ok(())
    }
}
