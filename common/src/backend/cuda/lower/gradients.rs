//! The launches of gradients: weight and bias gradients in tiles, with split-K where tiles are too few to occupy a GPU.

use super::{KernelArgs, LARGE, Lowering, MEDIUM, OCCUPANCY, Tile, int};
use crate::Result;
use crate::backend::cuda::args::THREADS;
use crate::backend::cuda::args::{GradientArgs, GradientList};
use crate::backend::cuda::memory::zeros;
use crate::plan::Gradient;
use cust::memory::DeviceBuffer;

/// Columns of a bias gradient per block: `column_sums` of kernels/gemm.h.
const BIAS_COLUMNS: usize = 32;

impl Lowering<'_> {
    /// The gradients of all parameters in one launch per tile size, then the split-K reductions.
    pub(super) fn gradients(&mut self, gradients: &[Gradient], scratch: &mut Vec<DeviceBuffer<f32>>) -> Result<()> {
        let mut launches: Vec<(Tile, usize, Vec<GradientArgs>)> = vec![];
        let mut reductions: Vec<GradientArgs> = vec![];
        for gradient in gradients {
            let (tile, tiles, mut args) = self.gradient_args(gradient);
            args.splits = splits(gradient, tiles, args.k as usize);
            args.split_k = int((args.k as usize).div_ceil(args.splits as usize).next_multiple_of(4));
            if args.splits > 1 {
                let partials = zeros(args.splits as usize * args.m as usize * args.n as usize, self.stream)?;
                args.partials = partials.as_device_ptr().as_raw();
                scratch.push(partials);
                reductions.push(args);
            }
            let blocks = tiles * args.splits as usize;
            let matches = |(known, _, list): &&mut (Tile, usize, Vec<GradientArgs>)| {
                known.name == tile.name && list.len() < GradientList::CAPACITY
            };
            match launches.iter_mut().find(matches) {
                Some((_, total, list)) => {
                    list.push(GradientArgs { first_block: int(*total), ..args });
                    *total += blocks;
                }
                None => launches.push((tile, blocks, vec![args])),
            }
        }
        for (tile, blocks, list) in launches {
            let kernel = self.gemm_kernel("gradient", tile);
            self.launch(kernel, [blocks, 1], KernelArgs::Gradients(list));
        }
        for list in reductions.chunks_mut(GradientList::CAPACITY) {
            let mut blocks = 0;
            for args in &mut *list {
                args.first_block = int(blocks);
                blocks += (args.m as usize * args.n as usize).div_ceil(THREADS);
            }
            self.launch("reduce_splits".into(), [blocks, 1], KernelArgs::Gradients(list.to_vec()));
        }
        Ok(())
    }
    /// The arguments of a gradient without split-K, its tile and the number of tiles.
    fn gradient_args(&self, gradient: &Gradient) -> (Tile, usize, GradientArgs) {
        let (p, m) = (gradient.param(), self.memory);
        let args =
            GradientArgs { w: m.param(p), moments: m.moments(p), m: int(p.inp), n: int(p.out), ..Default::default() };
        match *gradient {
            Gradient::Weight { w, x, dy } => {
                let tile = Tile::choose(&[LARGE, MEDIUM], w.inp, w.out);
                let args = GradientArgs { x: m.activations(x), dy: m.activations(dy), k: int(self.rows(x)), ..args };
                (tile, tile.count(w.inp, w.out), args)
            }
            Gradient::Bias { b, dy } => {
                let args = GradientArgs { dy: m.activations(dy), k: int(self.rows(dy)), ..args };
                (MEDIUM, b.out.div_ceil(BIAS_COLUMNS), args)
            }
        }
    }
}

/// Splits of k: as many as occupy a GPU, each of a minimal length.
fn splits(gradient: &Gradient, tiles: usize, k: usize) -> i32 {
    let min_split_k = match gradient {
        Gradient::Weight { .. } => 256,
        Gradient::Bias { .. } => 1024,
    };
    int((2 * OCCUPANCY / tiles).min(k / min_split_k).max(1))
}
