//! The partition of a step into tasks: blocks of images, and tiles of parameters.

use super::gemm::{Packing, Panels, Windows};
use super::memory::Memory;
use crate::plan::{Gradient, Program, Side};
use std::ops::Range;
use std::sync::Arc;

/// Images of a block, for a batch of `valid` images: small enough that all threads end together, large enough that
/// weights are not read from L3 for too few images. `any`: a block may have any number of images, and the last fewer.
pub(crate) fn block_size(memory: &Memory, valid: usize, threads: usize, any: bool) -> usize {
    let Memory { max_block, min_block, images, largest_image, packing, .. } = *memory;
    // The fixed cost of a block, in values of the largest buffer.
    const OVERHEAD: usize = 1 << 13;
    // The sum over a larger batch is cut at multiples of the chunk, which are to be multiples of the block.
    let sizes = (min_block..max_block + 1).step_by(min_block.min(4).max(packing.rows())).rev();
    let sizes = sizes.filter(|b| valid <= K_CHUNK || K_CHUNK.is_multiple_of(*b));
    let sizes = sizes.filter(|b| valid.next_multiple_of(*b) <= images);
    let shares = (1..=valid.div_ceil(threads)).map(|turns| valid.div_ceil(threads * turns)).filter(|_| any);
    let sizes = sizes.chain(shares.filter(|share| (1..=max_block).contains(share)));
    let cost = |b: usize| valid.div_ceil(b).div_ceil(threads) * (b * largest_image + OVERHEAD);
    sizes.min_by_key(|b| cost(*b)).expect("the largest block, of which the buffers hold whole ones")
}

/// The operand of a gradient that is patches.
fn patches(gradient: &Gradient, program: &Program) -> Option<(Side, Arc<Windows>)> {
    let Gradient::Weight { x, dy, .. } = *gradient else { return None };
    let mut sides = [(Side::Left, x), (Side::Right, dy)].into_iter();
    sides.find_map(|(side, operand)| Some((side, Arc::new(Windows::new(program.patches(operand)?)))))
}

/// Some rows of a few panels of a parameter: the unit of work of the update.
pub(crate) struct ParamTile {
    pub(crate) gradient: Gradient,
    /// The index of the gradient in its program.
    pub(crate) index: usize,
    /// The layout of the parameter.
    pub(crate) panels: Panels,
    pub(crate) panel_range: Range<usize>,
    pub(crate) rows: Range<usize>,
    /// Of a convolution in f32: the operand that is patches.
    pub(crate) patches: Option<(Side, Arc<Windows>)>,
}

impl ParamTile {
    /// Tiles every parameter of a program so that W, m and v of a tile fit L2. Wider tiles when x and dy exceed L2, as
    /// each tile reads them again; smaller tiles for convolution weights, to have enough tasks.
    pub(crate) fn partition(program: &Program, packing: Packing, lanes: usize, batch: usize) -> Vec<ParamTile> {
        // A tile of bricks is four blocks each way: then x, dy and the sums stay in L2.
        let bricks = matches!(packing, Packing::Bricks(_));
        let most = if bricks { 128 } else { 200 };
        const MIN_TASKS: usize = 16;
        let flops: usize = program.gradients().iter().map(Gradient::flops).sum();
        let mut tiles = vec![];
        for (index, &gradient) in program.gradients().iter().enumerate() {
            let (p, per_image) = match gradient {
                Gradient::Weight { w, x, .. } => (w, x.per_image),
                Gradient::Bias { b, .. } => (b, 0),
            };
            let patches = patches(&gradient, program).filter(|_| packing == Packing::F32);
            let wide = batch * per_image > K_CHUNK && per_image == 1;
            let width = if bricks {
                4
            } else if wide {
                3
            } else {
                1
            };
            let panels = packing.panels([p.inp, p.out], lanes);
            let mut count = p.inp.div_ceil(most);
            while count < p.inp.div_ceil(8) && gradient.flops() / (count * panels.count()) > flops / MIN_TASKS {
                count += 1;
            }
            let step = p.inp.div_ceil(count).next_multiple_of(packing.rows().max(8));
            for first in (0..panels.count()).step_by(width) {
                let panel_range = first..(first + width).min(panels.count());
                let rows = (0..p.inp).step_by(step).map(|i| i..(i + step).min(p.inp));
                let tile = |rows| {
                    let (panel_range, patches) = (panel_range.clone(), patches.clone());
                    ParamTile { gradient, index, panels, panel_range, rows, patches }
                };
                tiles.extend(rows.map(tile));
            }
        }
        tiles
    }
    /// Number of values.
    pub(crate) fn values(&self) -> usize {
        self.panel_range.clone().map(|panel| self.rows.len() * self.panels.width(panel)).sum()
    }
    /// Number of values of scratch for its gradient: with patches on the right also for its transpose.
    pub(crate) fn scratch(&self) -> usize {
        match &self.patches {
            Some((Side::Right, _)) => {
                let rows = self.rows.len().next_multiple_of(self.panels.lanes);
                self.values()
                    + rows * self.panel_range.clone().map(|panel| self.panels.columns(panel).len()).max().unwrap_or(0)
            }
            _ => self.values(),
        }
    }
    /// The cost estimate for scheduling, in multiplications per image.
    pub(crate) fn cost(&self, program: &Program) -> usize {
        match self.gradient {
            // Input is sparse: about half of the time remains.
            Gradient::Weight { x, .. } if program.is_input(x) => self.values() / 2,
            Gradient::Weight { x, .. } => self.values() * x.per_image,
            Gradient::Bias { dy, .. } => self.values() * dy.per_image,
        }
    }
}

/// Packed rows of x and dy that a tile sums at a time, so that they stay in L2: a multiple of the block size
/// wherever a batch exceeds it.
pub(crate) const K_CHUNK: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::InstructionSet;
    use crate::plan::{Plan, Precision};

    #[test]
    fn blocks_fit_the_buffers_and_the_chunks_and_small_batches_are_shared_evenly() {
        let tiles = InstructionSet::amx_models()[0];
        let block = |batch: usize, samples: usize, threads: usize| {
            let mut plan = Plan::new(batch);
            plan.rows(samples, 784);
            let block = |isa, precision| {
                let memory = Memory::new(&plan, isa, precision).unwrap();
                let together = memory.packing.rows().max(2);
                for valid in 1..=batch {
                    let block = block_size(&memory, valid, threads, false);
                    assert!(valid.next_multiple_of(block) <= memory.images, "{valid}: {block}");
                    assert!(block.is_multiple_of(together), "{valid}: {block}");
                    assert!(valid <= K_CHUNK || K_CHUNK.is_multiple_of(block), "{valid}: {block}");
                }
                block_size(&memory, batch, threads, false)
            };
            block(tiles, Precision::Bf16);
            block(InstructionSet::available()[0], Precision::Fp32)
        };
        for (threads, samples) in [1, 2, 3, 8].into_iter().flat_map(|threads| [1, 5, 50].map(|k| (threads, k))) {
            for batch in [1, 7, 20, 100, 128, 300] {
                block(batch, samples, threads);
            }
        }
        assert_eq!(
            [block(128, 1, 2), block(100, 1, 2), block(20, 1, 2), block(20, 5, 2), block(20, 50, 2)],
            [64, 52, 12, 12, 2]
        );
    }
}
