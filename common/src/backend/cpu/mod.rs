//! The CPU: blocks of images, then tiles of parameters, on a team of threads that lives as long as one `run`.
//!
//! Blocks and tiles are cut by the plan and never by the threads, each is done by one thread, and every sum has an order
//! of its own: the same bytes come out for any number of threads.

mod kernels;
mod panels;
mod product;
mod team;

use super::memory::{Block, Memory, Tile};
use super::{Backend, State, Visit};
use crate::Result;
use crate::plan::{Buf, Learn, Op, Plan, Program};
use crate::rng::{self, Purpose};
use kernels as k;
pub(crate) use panels::Panels;
use product::Turned;
use pulp::{Arch, Simd, WithSimd};
use std::ops::Range;
use std::thread::Builder;
use team::{Barrier, Guard, Jobs};

/// The buffers of a plan in main memory, and the number of threads that work on them.
pub struct Cpu {
    memory: Memory,
    state: State,
    threads: usize,
    arch: Arch,
}

impl Cpu {
    /// Allocates the buffers of a plan. The state starts empty: no item, no learning rate.
    pub fn new(plan: &Plan, threads: usize) -> Cpu {
        let arch = Arch::new();
        let memory = Memory::new(plan, arch.dispatch(Lanes));
        Cpu { memory, state: State::new(plan), threads: threads.max(1), arch }
    }
}

impl Backend for Cpu {
    fn upload(&mut self, to: Buf, values: &[f32]) -> Result<()> {
        match self.memory.panels(to) {
            Some(panels) => panels.pack(self.memory.floats_mut(to, panels.values()), values),
            None => self.memory.floats_mut(to, values.len()).copy_from_slice(values),
        }
        Ok(())
    }
    fn upload_bytes(&mut self, to: Buf, values: Vec<u8>) -> Result<()> {
        self.memory.set_bytes(to, values);
        Ok(())
    }
    fn upload_order(&mut self, order: &[Visit]) -> Result<()> {
        self.memory.order.clear();
        self.memory.order.extend_from_slice(order);
        Ok(())
    }
    fn download(&self, from: Buf, into: &mut [f32]) -> Result<()> {
        match self.memory.panels(from) {
            Some(panels) => panels.unpack(into, self.memory.floats(from, panels.values())),
            None => into.copy_from_slice(self.memory.floats(from, into.len())),
        }
        Ok(())
    }
    fn state(&mut self) -> &mut State {
        &mut self.state
    }
    fn run(&mut self, program: &Program, steps: usize) -> Result<()> {
        let (memory, start, arch) = (&self.memory, self.state, self.arch);
        let tiles = tiles(program.weights(), memory);
        let most = memory.blocks(start.live());
        let threads = self.threads.min(most.max(tiles.len())).max(1);
        let barrier = Barrier::new(threads);
        let (block_jobs, tile_jobs) = (Jobs::new(most), Jobs::new(tiles.len()));
        let work = |thread: usize| {
            let _guard = Guard(&barrier);
            let mut gradient = vec![0.0; tiles.iter().map(|t| t.range().len()).max().unwrap_or(0)];
            let mut turned = Turned::default();
            let mut state = start;
            let at = [thread, threads];
            for step in 1..=steps {
                block_jobs.each(at, step, memory.blocks(state.live()), |b| {
                    for call in program.rows() {
                        // SAFETY: `Jobs` gives index b to one thread; the barriers keep blocks and tiles apart.
                        #[allow(unsafe_code)]
                        let block = unsafe { Block::new(memory, b, &state, call) };
                        arch.dispatch(OnRows(&call.op, &block, &mut turned));
                    }
                });
                if step == steps && tiles.is_empty() {
                    state.advance();
                    break; // the end of the scope waits without spinning, which leaves the core to the rest of a pipe
                }
                barrier.wait();
                tile_jobs.each(at, step, tiles.len(), |t| {
                    let (job, live) = (&tiles[t], state.live());
                    // SAFETY: as above; the tiles of a parameter are disjoint and a parameter is learnt once.
                    #[allow(unsafe_code)]
                    let mut tile = unsafe { Tile::new(memory, job.learn.param(), job.range(), live) };
                    arch.dispatch(OnWeights(job, &mut tile, &mut gradient[..job.range().len()], &state));
                });
                barrier.wait();
                state.advance();
            }
            state
        };
        self.state = std::thread::scope(|s| {
            for thread in 1..threads {
                let work = &work;
                if Builder::new().spawn_scoped(s, move || work(thread)).is_err() {
                    // The system has no more threads to give; those that are here do the jobs of all.
                    barrier.expect_fewer(threads - thread);
                    break;
                }
            }
            work(0)
        });
        Ok(())
    }
}

/// Bytes of main memory.
pub(super) fn memory_of_machine() -> u64 {
    #[cfg(target_os = "linux")]
    {
        let info = rustix::system::sysinfo();
        info.totalram as u64 * info.mem_unit as u64
    }
    #[cfg(not(target_os = "linux"))]
    u64::MAX
}

/// One operation on the images of a block, compiled for each vector width.
struct OnRows<'a>(&'a Op, &'a Block<'a>, &'a mut Turned);

impl WithSimd for OnRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let OnRows(op, at, turned) = self;
        match *op {
            Op::Gather { y, from, unit } => {
                for (n, row) in at.write(y).chunks_exact_mut(y.width).enumerate() {
                    match at.visit(n) {
                        Some(v) => k::gather(row, at, from, v.row as usize, unit),
                        None => row.fill(0.0),
                    }
                }
            }
            Op::Linear { y, x, w, b, act } => {
                let ((w, panels), (b, _)) = (at.param(w), at.param(b));
                product::forward(simd, at.write(y), at.read(x), w, b, panels, act)
            }
            Op::ActBack { dy, y, act } => k::act_back(at.write(dy), at.read(y), act),
            Op::LinearBack { dx, dy, w, add } => {
                let (w, panels) = at.param(w);
                product::input_gradient(simd, at.write(dx), at.read(dy), w, panels, add, turned)
            }
            Op::Sample { z, eps, q } => {
                let State { seed, epoch, .. } = *at.state;
                let eps = at.write(eps);
                for (r, row) in eps.chunks_exact_mut(z.width).enumerate() {
                    let id = at.visit(r / z.per).map_or(0, |v| v.id);
                    rng::normals(row, seed, Purpose::Latent, [(r % z.per) as u32, id, epoch]);
                }
                k::sample(at.write(z), eps, at.read(q), z.width, z.per)
            }
            Op::SampleBack { dq, dz, eps, q, add } => {
                k::sample_back(at.write(dq), at.read(dz), at.read(eps), at.read(q), dz.width, dz.per, add)
            }
            Op::Kl { kl, q } => k::kl(at.write(kl), at.read(q), q.width / 2),
            Op::KlBack { dq, dkl, q, add } => k::kl_back(at.write(dq), at.read(dkl), at.read(q), q.width / 2, add),
            Op::Sigmoid { p, logits } => k::sigmoid(at.write(p), at.read(logits)),
            Op::Bernoulli { loss, logits, target } => {
                k::bernoulli(at.write(loss), at.read(logits), at.read(target), logits.width, logits.per)
            }
            Op::BernoulliBack { dlogits, weight, logits, target } => {
                let (width, per) = (logits.width, logits.per);
                k::bernoulli_back(at.write(dlogits), at.read(weight), at.read(logits), at.read(target), width, per)
            }
            Op::Elbo { terms, wr, wk, recon, kl } => {
                let (live, images, beta) = (at.live(), at.state.live(), at.state.beta);
                k::mean_weights(at.write(wr), live, images, wr.per, 1.0);
                k::mean_weights(at.write(wk), live, images, wk.per, beta);
                k::terms(at.write_table(terms), at.read(recon), at.read(kl), recon.per, kl.per);
            }
        }
    }
}

/// Learns a tile of a parameter: its gradient, then the optimizer.
struct OnWeights<'a, 'm>(&'a Job, &'a mut Tile<'m>, &'a mut [f32], &'a State);

impl WithSimd for OnWeights<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let OnWeights(job, tile, gradient, state) = self;
        let Job { learn, panels, panel, rows } = job;
        match *learn {
            Learn::Weight { x, dy, .. } => {
                product::weight_gradient(simd, gradient, tile.read(x), tile.read(dy), *panels, *panel, rows.clone())
            }
            Learn::Bias { dy, .. } => k::bias_gradient(gradient, tile.read(dy), dy.width, panels.columns(*panel)),
        }
        let [w, m, v] = tile.parts();
        k::adam(w, m, v, gradient, state);
    }
}

/// Lanes of a vector of f32.
struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// Some rows of a panel: the unit of work of `weights`.
struct Job {
    learn: Learn,
    panels: Panels,
    panel: usize,
    rows: Range<usize>,
}

impl Job {
    fn range(&self) -> Range<usize> {
        self.panels.rows(self.panel, self.rows.clone())
    }
}

/// Cuts every parameter into tiles by its shape alone. A tile with its gradient and moments stays in the L2 cache.
fn tiles(weights: &[Learn], memory: &Memory) -> Vec<Job> {
    const ROWS: usize = 200;
    let mut jobs = vec![];
    for &learn in weights {
        let panels = memory.panels(learn.param().buf).expect("a parameter lies in panels");
        let parts = panels.inp.div_ceil(ROWS);
        let rows = panels.inp.div_ceil(parts).next_multiple_of(8);
        for panel in 0..panels.count() {
            let rows = (0..panels.inp).step_by(rows).map(|i| i..(i + rows).min(panels.inp));
            jobs.extend(rows.map(|rows| Job { learn, panels, panel, rows }));
        }
    }
    jobs
}
