//! A program compiled once, and its runs, which every thread executes step by step.

use super::gemm::{InArithmetic, Packing};
use super::memory::{BlockView, Memory, TileView};
use super::ops::interpreter::{CompiledOp, PackOperand};
use super::ops::patch_update::PatchUpdate;
use super::ops::update::{Update, UpdateScratch};
use super::ops::{AdamStep, Scratch};
use super::partition::{ParamTile, block_size};
use super::profile::Profiler;
use super::threads::{Barrier, PoisonOnPanic, Pool, WorkQueue};
use crate::backend::State;
use crate::plan::{Activations, CheckedOp, Op, Precision, Program, Side};

/// A program with all that follows from it and the plan.
pub(crate) struct Compiled {
    pub(crate) program: Program,
    pub(crate) packing: Packing,
    ops: Vec<CompiledOp>,
    tiles: Vec<ParamTile>,
    tile_costs: Vec<usize>,
    /// Whether blocks may have any number of images: where no layer lists the nonzero values of its input, and no rows are
    /// packed together.
    any_block: bool,
    operands: Vec<(Activations, Side)>,
}

impl Compiled {
    pub(crate) fn new(program: &Program, memory: &Memory, precision: Precision, batch: usize) -> Compiled {
        // Only training trades precision for speed: the test loss of a bf16 run is one of fp32.
        let precision = if program.gradients().is_empty() { Precision::Fp32 } else { precision };
        let (isa, padded) = (memory.isa, memory.has_padded_images());
        let packing = Packing::new(precision, isa);
        let op = |op| CompiledOp::new(op, program, packing, padded, isa.lanes());
        let sparse = |op: &CheckedOp| matches!(op.op, Op::Linear { x, .. } if program.is_input(x));
        let tiles = ParamTile::partition(program, packing, isa.lanes(), batch);
        Compiled {
            program: program.clone(),
            packing,
            any_block: packing == Packing::F32 && padded && !program.ops().iter().any(sparse),
            ops: program.ops().iter().map(op).collect(),
            tile_costs: tiles.iter().map(|tile| tile.cost(program)).collect(),
            tiles,
            operands: program.operands(),
        }
    }
}

/// How a run is divided among threads.
pub(crate) struct Schedule {
    pub(crate) threads: usize,
    /// Images of a block.
    block: usize,
    blocks: WorkQueue,
    tiles: WorkQueue,
    barrier: Barrier,
}

impl Schedule {
    /// Of a run from this state, on at most `threads` of the pool.
    pub(crate) fn new(
        compiled: &Compiled,
        memory: &Memory,
        start: &State,
        pool: &mut Pool,
        [threads, cores]: [usize; 2],
    ) -> Schedule {
        let block = block_size(memory, start.valid(), threads, compiled.any_block);
        let blocks = start.valid().div_ceil(block);
        let threads = pool.grow(threads.min(blocks.max(compiled.tiles.len())).max(1));
        Schedule {
            threads,
            block,
            blocks: WorkQueue::new(vec![1; blocks], threads),
            tiles: WorkQueue::new(compiled.tile_costs.clone(), threads),
            barrier: Barrier::new(threads, cores),
        }
    }
}

/// What the threads of a run share.
pub(crate) struct Run<'a> {
    pub(crate) compiled: &'a Compiled,
    pub(crate) memory: &'a Memory,
    /// The state at the first step.
    pub(crate) start: State,
    pub(crate) steps: usize,
    pub(crate) profiled: bool,
    pub(crate) schedule: Schedule,
}

/// Scratch memory of a thread, which it keeps between runs. Aligned so that no two threads write to one cache line, or
/// to the pair of lines that is prefetched together.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct WorkerMemory {
    scratch: Scratch,
    update: UpdateScratch,
}

/// A thread of a run.
struct Worker<'a> {
    thread: usize,
    memory: &'a mut WorkerMemory,
    profiler: Profiler,
}

impl Run<'_> {
    /// The steps as one thread of the run executes them; outputs the state after the last.
    pub(crate) fn work(&self, thread: usize, memory: &mut WorkerMemory) -> (State, Profiler) {
        let _guard = PoisonOnPanic(&self.schedule.barrier);
        let _tiles = self.compiled.packing.configure();
        let profiler = Profiler::new(&self.compiled.program, self.profiled);
        let mut worker = Worker { thread, memory, profiler };
        let mut state = self.start;
        for step in 1..=self.steps {
            self.forward_backward(&mut worker, &state, step);
            if !self.compiled.tiles.is_empty() {
                self.synchronize(&mut worker);
                self.update(&mut worker, &state, step);
            }
            state.advance();
            // After the last step the end of the run waits without spinning, which leaves the core to the rest of a
            // pipe.
            if step < self.steps {
                self.synchronize(&mut worker);
            }
        }
        (state, worker.profiler)
    }

    fn synchronize(&self, worker: &mut Worker) {
        self.schedule.barrier.wait();
        worker.profiler.barrier();
    }

    /// The first phase: every operation on each block of images, then the operands of the second.
    fn forward_backward(&self, worker: &mut Worker, state: &State, step: usize) {
        let Compiled { packing, ref ops, ref operands, .. } = *self.compiled;
        let Worker { thread, memory: WorkerMemory { scratch, .. }, profiler } = worker;
        self.schedule.blocks.for_each(*thread, step, self.blocks(state), |block| {
            let images = block * self.schedule.block..((block + 1) * self.schedule.block).min(self.images(state));
            for (i, op) in ops.iter().enumerate() {
                // SAFETY: the queue gives a block to one thread; barriers keep blocks and tiles apart.
                #[allow(unsafe_code)]
                let at = unsafe { BlockView::new(self.memory, images.clone(), state, packing, &op.checked) };
                op.execute(self.memory.isa, packing, at, scratch);
                profiler.operation(i);
            }
            for &(operand, side) in operands {
                // SAFETY: as above.
                #[allow(unsafe_code)]
                let at = unsafe { BlockView::operand(self.memory, images.clone(), state, &operand.buf) };
                let work = PackOperand { operand, side, at, scratch };
                self.memory.isa.dispatch(InArithmetic(packing, work));
            }
            profiler.operands();
        });
    }

    /// The second phase: the gradient and the update of each tile of a parameter.
    fn update(&self, worker: &mut Worker, state: &State, step: usize) {
        let (images, adam) = (self.images(state), AdamStep::new(state));
        let Worker { thread, memory: WorkerMemory { update: scratch, .. }, profiler } = worker;
        self.schedule.tiles.for_each(*thread, step, self.compiled.tiles.len(), |i| {
            let tile = &self.compiled.tiles[i];
            // SAFETY: as for blocks; tiles of a parameter are disjoint, and a parameter is updated once.
            #[allow(unsafe_code)]
            let at = unsafe { TileView::new(self.memory, tile, images, self.schedule.block) };
            match &tile.patches {
                None => {
                    let work = Update { tile, at, scratch, adam };
                    self.memory.isa.dispatch(InArithmetic(self.compiled.packing, work))
                }
                Some((side, windows)) => {
                    let gradient = scratch.gradient.get(tile.scratch());
                    let work = PatchUpdate { tile, windows, side: *side, at, gradient, adam };
                    self.memory.isa.dispatch(work)
                }
            }
            profiler.gradient(tile.index);
        });
    }

    /// Images of the batch that are computed: those of whole blocks, where they must be whole.
    fn images(&self, state: &State) -> usize {
        if self.compiled.any_block { state.valid() } else { self.blocks(state) * self.schedule.block }
    }
    /// Blocks of the batch.
    fn blocks(&self, state: &State) -> usize {
        state.valid().div_ceil(self.schedule.block)
    }
}
