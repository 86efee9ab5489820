//! The partition of a step into tasks: blocks of images, and tiles of parameters.

use super::gemm::Panels;
use super::memory::Memory;
use crate::plan::{Gradient, Program};
use std::ops::Range;

/// Images of a block, for a batch of `valid` images: small enough that all threads end together, large enough that
/// weights are not read from L3 for too few images.
pub(crate) fn block_size(memory: &Memory, valid: usize, threads: usize) -> usize {
    let Memory { max_block, min_block, images, image_values, .. } = *memory;
    // The fixed cost of a block, in values of the largest buffer.
    const OVERHEAD: usize = 1 << 13;
    // The sum over a larger batch is cut at multiples of the chunk, which are to be multiples of the block.
    let sizes = (min_block..max_block + 1).step_by(min_block.min(4)).rev();
    let sizes = sizes.filter(|b| valid <= K_CHUNK || K_CHUNK.is_multiple_of(*b));
    let sizes = sizes.filter(|b| valid.next_multiple_of(*b) <= images);
    let cost = |b: usize| valid.div_ceil(b).div_ceil(threads) * (b * image_values + OVERHEAD);
    sizes.min_by_key(|b| cost(*b)).expect("the largest block, of which the buffers hold whole ones")
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
}

impl ParamTile {
    /// Tiles every parameter of a program so that W, m and v of a tile fit L2. Wider tiles when x and dy exceed L2, as
    /// each tile reads them again; smaller tiles for convolution weights, to have enough tasks.
    pub(crate) fn partition(program: &Program, lanes: usize, batch: usize) -> Vec<ParamTile> {
        const ROWS: usize = 200;
        const MIN_TASKS: usize = 16;
        let flops: usize = program.gradients().iter().map(Gradient::flops).sum();
        let mut tiles = vec![];
        for (index, &gradient) in program.gradients().iter().enumerate() {
            let (p, per_image) = match gradient {
                Gradient::Weight { w, x, .. } => (w, x.per_image),
                Gradient::Bias { b, .. } => (b, 0),
            };
            let width = if batch * per_image > K_CHUNK && per_image == 1 { 3 } else { 1 };
            let panels = Panels::new([p.inp, p.out], lanes);
            let mut count = p.inp.div_ceil(ROWS);
            while count < p.inp.div_ceil(8) && gradient.flops() / (count * panels.count()) > flops / MIN_TASKS {
                count += 1;
            }
            let step = p.inp.div_ceil(count).next_multiple_of(8);
            for first in (0..panels.count()).step_by(width) {
                let panel_range = first..(first + width).min(panels.count());
                let rows = (0..p.inp).step_by(step).map(|i| i..(i + step).min(p.inp));
                let tile = |rows| ParamTile { gradient, index, panels, panel_range: panel_range.clone(), rows };
                tiles.extend(rows.map(tile));
            }
        }
        tiles
    }
    /// Number of values.
    pub(crate) fn values(&self) -> usize {
        self.panel_range.clone().map(|panel| self.rows.len() * self.panels.width(panel)).sum()
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
        let block = |batch: usize, samples: usize, threads: usize| {
            let mut plan = Plan::new(batch);
            plan.rows(samples, 784);
            let memory = Memory::new(&plan, InstructionSet::available()[0], Precision::Fp32).unwrap();
            for valid in 1..=batch {
                let block = block_size(&memory, valid, threads);
                assert!(valid.next_multiple_of(block) <= memory.images && block.is_multiple_of(2), "{valid}: {block}");
                assert!(valid <= K_CHUNK || K_CHUNK.is_multiple_of(block), "{valid}: {block}");
            }
            block_size(&memory, batch, threads)
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
