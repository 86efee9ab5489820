//! The CPU: a step is two phases and two barriers, on a team of threads that lives as long as one `run`.
//!
//! ```text
//! rows      blocks of images, each through the whole forward, the loss and back      rows.rs, layer.rs; kernels.rs,
//!                                                                                    windows.rs, latent.rs, pixels.rs
//!    ── barrier ──                                                                   team.rs
//! weights   tiles of parameters: gradient, then the optimizer                        learn.rs  optimizer.rs
//!    ── barrier ──
//! ```
//!
//! Both stand on the three products of a layer (product.rs), which are one loop (multiply.rs) over weights in panels
//! (panels.rs), in f32 or in pairs of bf16 (bf16.rs), without the pixels that are black (zeros.rs), in the vectors of this
//! CPU (simd.rs). Every value is computed by one thread, in an order of its own: the same bytes come out for any number of
//! threads, and for blocks and tiles of any size.

mod bf16;
mod clock;
mod kernels;
mod latent;
mod layer;
mod learn;
mod multiply;
mod optimizer;
mod panels;
mod peak;
mod pixels;
mod product;
mod rows;
mod simd;
mod team;
mod turn;
mod windows;
mod zeros;

use super::memory::{Block, Memory, Tile};
use super::{Backend, ProgramId, SampleIndex, State};
use crate::Result;
use crate::plan::{Buf, Plan, Precision, Program};
use clock::Clock;
pub use clock::Profile;
pub(crate) use learn::Job;
use learn::OnWeights;
use multiply::In;
use optimizer::Rates;
pub(crate) use panels::Panels;
pub use peak::peak;
pub(crate) use product::{Blocks, Weight};
use rows::{Operand, Scratch};
pub use simd::Level;
use std::sync::Mutex;
use std::thread::Builder;
use team::{Barrier, Guard, Jobs};
pub(crate) use zeros::Lit;

/// The buffers of a plan in main memory, and the number of threads that work on them.
pub struct Cpu {
    memory: Memory,
    state: State,
    threads: usize,
    cores: usize,
    precision: Precision,
    level: Level,
    profile: Option<Profile>,
    programs: Vec<Program>,
}

impl Cpu {
    /// Allocates the buffers of a plan. The state starts empty: no item, no learning rate.
    ///
    /// # Errors
    /// [`Error::Unavailable`](crate::Error::Unavailable) where the system gives no memory.
    pub fn new(plan: &Plan, threads: usize, precision: Precision, level: Level) -> Result<Cpu> {
        let memory = Memory::new(plan, level, precision)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Cpu {
            cores,
            memory,
            state: State::new(plan),
            threads: threads.max(1),
            precision,
            level,
            profile: None,
            programs: vec![],
        })
    }
    /// Training alone trades precision for speed: the test loss of a bf16 run is one of fp32.
    fn precision_of(&self, program: &Program) -> Precision {
        if program.gradients().is_empty() { Precision::Fp32 } else { self.precision }
    }
    /// Where the time went since the last call; the first begins to measure, which costs some of it.
    pub fn profile(&mut self) -> Profile {
        self.profile.replace(vec![]).unwrap_or_default()
    }
}

impl Backend for Cpu {
    fn upload(&mut self, to: Buf, values: &[f32]) -> Result<()> {
        self.memory.fill(to, values);
        Ok(())
    }
    fn upload_bytes(&mut self, to: Buf, values: &[u8]) -> Result<()> {
        self.memory.set_bytes(to, values);
        Ok(())
    }
    fn move_bytes(&mut self, to: Buf, values: Vec<u8>) -> Result<()> {
        self.memory.move_bytes(to, values);
        Ok(())
    }
    fn upload_indices(&mut self, order: &[SampleIndex]) -> Result<()> {
        self.memory.order.clear();
        self.memory.order.extend_from_slice(order);
        Ok(())
    }
    fn download(&self, from: Buf, first: usize, into: &mut [f32]) -> Result<()> {
        self.memory.copy(from, first, into);
        Ok(())
    }
    fn all_finite(&self, of: Buf) -> Result<bool> {
        Ok(self.memory.all_finite(of))
    }
    fn state(&mut self) -> &mut State {
        &mut self.state
    }
    fn compile(&mut self, program: &Program) -> Result<ProgramId> {
        self.memory.prepare(program, self.precision_of(program))?;
        self.programs.push(program.clone());
        Ok(ProgramId(self.programs.len() - 1))
    }
    fn run(&mut self, program: ProgramId, steps: usize) -> Result<()> {
        assert!(steps <= self.state.steps_left(), "a run ends with the epoch");
        let program = &self.programs[program.0];
        let precision = self.precision_of(program);
        let (memory, start, level, timed) = (&self.memory, self.state, self.level, self.profile.is_some());
        let jobs = Job::all(program, level.lanes(), start.batch);
        let size = rows::block_size(memory, start.live(), self.threads);
        let blocks = |state: &State| state.live().div_ceil(size);
        let threads = self.threads.min(blocks(&start).max(jobs.len())).max(1);
        let barrier = Barrier::new(threads, self.cores);
        let row_jobs = Jobs::new(vec![1; blocks(&start)], threads);
        let weight_jobs = Jobs::new(jobs.iter().map(|job| job.cost(program)).collect(), threads);
        let operands = program.operands();
        let work = |thread: usize| {
            let _guard = Guard(&barrier);
            let mut gradient = vec![0.0; jobs.iter().map(Job::values).max().unwrap_or(0)];
            let mut scratch = Scratch::default();
            let mut state = start;
            let mut clock = Clock::new(program, timed);
            for step in 1..=steps {
                row_jobs.each(thread, step, blocks(&state), |b| {
                    let images = b * size..(b + 1) * size;
                    for (i, call) in program.ops().iter().enumerate() {
                        // SAFETY: `Jobs` gives index b to one thread; the barriers keep blocks and tiles apart.
                        #[allow(unsafe_code)]
                        let at = unsafe { Block::new(memory, images.clone(), &state, call) };
                        rows::run(level, &call.op, at, program, &mut scratch, precision);
                        clock.operation(i);
                    }
                    for rows in &operands {
                        // SAFETY: as above.
                        #[allow(unsafe_code)]
                        let at = unsafe { Block::operand(memory, images.clone(), &state, &rows.buf) };
                        level.run(Operand { rows: *rows, at, scratch: &mut scratch });
                    }
                    clock.operands();
                });
                if !jobs.is_empty() {
                    barrier.wait();
                    clock.waited();
                }
                let (images, rates) = (blocks(&state) * size, Rates::of(&state));
                weight_jobs.each(thread, step, jobs.len(), |j| {
                    let job = &jobs[j];
                    // SAFETY: as above; the tiles of a parameter are disjoint and a parameter is learnt once.
                    #[allow(unsafe_code)]
                    let tile = unsafe { Tile::new(memory, job, images, size) };
                    level.run(In(precision, OnWeights { job, tile, gradient: &mut gradient, rates }));
                    clock.weight(job.number);
                });
                state.advance();
                // After the last, the end of the scope waits without spinning, which leaves the core to the rest of a pipe.
                if step < steps {
                    barrier.wait();
                    clock.waited();
                }
            }
            (state, clock)
        };
        let clocks = Mutex::new(vec![]);
        self.state = std::thread::scope(|s| {
            for thread in 1..threads {
                let work = &work;
                let clocks = &clocks;
                let spawned = Builder::new().spawn_scoped(s, move || {
                    let (_, clock) = work(thread);
                    clocks.lock().expect("no thread panics with it").push(clock);
                });
                if spawned.is_err() {
                    // The system has no more threads to give; those that are here do the jobs of all.
                    barrier.expect_fewer(threads - thread);
                    break;
                }
            }
            let (state, clock) = work(0);
            clocks.lock().expect("no thread panics with it").push(clock);
            state
        });
        if let Some(profile) = &mut self.profile {
            let clocks = clocks.into_inner().expect("no thread panics with it");
            clocks.into_iter().for_each(|clock| clock.add_to(profile, program));
        }
        Ok(())
    }
}
