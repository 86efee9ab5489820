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
mod peak;
mod profile;
mod simd;
mod step;
mod threads;

use super::{Backend, ProgramId, SampleIndex, State};
use crate::plan::{Buf, Plan, Precision, Program};
use memory::Memory;
pub use peak::peak;
pub use profile::Profile;
use profile::Profiler;
pub use simd::InstructionSet;
use std::sync::Mutex;
use std::thread::{Builder, scope};
use step::{Compiled, Run};
use vae_cli::Result;

/// The buffers of a plan in main memory, and the threads that compute on them.
pub struct Cpu {
    memory: Memory,
    state: State,
    threads: usize,
    cores: usize,
    precision: Precision,
    isa: InstructionSet,
    profile: Option<Profile>,
    programs: Vec<Compiled>,
}

impl Cpu {
    /// Allocates the buffers of a plan. The state starts empty: no item, no learning rate.
    ///
    /// # Errors
    /// [`Error::Unavailable`](vae_cli::Error::Unavailable) where the system has no memory.
    pub fn new(plan: &Plan, threads: usize, precision: Precision, isa: InstructionSet) -> Result<Cpu> {
        let memory = Memory::new(plan, isa, precision)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (state, threads) = (State::new(plan), threads.max(1));
        Ok(Cpu { memory, state, threads, cores, precision, isa, profile: None, programs: vec![] })
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
        let compiled = Compiled::new(program, self.isa, self.precision, self.state.batch);
        self.memory.prepare(program, compiled.precision)?;
        self.programs.push(compiled);
        Ok(ProgramId(self.programs.len() - 1))
    }
    fn run(&mut self, program: ProgramId, steps: usize) -> Result<()> {
        assert!(steps <= self.state.steps_left(), "a run ends with the epoch");
        let compiled = &self.programs[program.0];
        let threads = [self.threads, self.cores];
        let profiled = self.profile.is_some();
        let run = Run::new(compiled, &self.memory, self.isa, self.state, steps, threads, profiled);
        let (state, profilers) = on_threads(&run);
        self.state = state;
        if let Some(profile) = &mut self.profile {
            profilers.into_iter().for_each(|profiler| profiler.add_to(profile, &compiled.program));
        }
        Ok(())
    }
}

/// Executes a run on its threads, of which the caller's is the first.
fn on_threads(run: &Run) -> (State, Vec<Profiler>) {
    let profilers = Mutex::new(vec![]);
    let add = |profiler| profilers.lock().expect("no thread panics with it").push(profiler);
    let state = scope(|s| {
        for thread in 1..run.threads {
            let spawned = Builder::new().spawn_scoped(s, move || add(run.work(thread).1));
            if spawned.is_err() {
                // The system has no more threads; those that started do all tasks.
                run.barrier.expect_fewer(run.threads - thread);
                break;
            }
        }
        let (state, profiler) = run.work(0);
        add(profiler);
        state
    });
    (state, profilers.into_inner().expect("no thread panics with it"))
}
