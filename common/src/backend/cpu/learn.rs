//! The second phase of a step: every parameter, in tiles, each with its gradient and then the optimizer while it is in the
//! cache. The gradient never goes to memory.

use super::bf16;
use super::kernels as k;
use super::multiply::{Cells, Pairs, Singles};
use super::optimizer::Rates;
use super::panels::Panels;
use super::product::{self, as_cells};
use super::simd::{Simd, Work};
use crate::backend::Precision;
use crate::backend::memory::{Memory, Parts, Tile};
use crate::plan::{Learn, Program};
use std::ops::Range;

/// Floats of a cache line.
const LINE: usize = 16;

/// Some rows of a panel: the unit of work.
pub(super) struct Job {
    pub(super) learn: Learn,
    /// Which of the program's.
    pub(super) number: usize,
    pub(super) at: (Panels, usize, Range<usize>),
}

impl Job {
    /// Every parameter in tiles, by its shape alone. A tile with its gradient and moments stays in the L2 cache.
    pub(super) fn all(program: &Program, lanes: usize) -> Vec<Job> {
        const ROWS: usize = 200;
        let mut jobs = vec![];
        for (number, &learn) in program.weights().iter().enumerate() {
            let p = learn.param();
            let panels = Panels::new([p.inp, p.out], lanes);
            let rows = p.inp.div_ceil(p.inp.div_ceil(ROWS)).next_multiple_of(8);
            for panel in 0..panels.count() {
                let rows = (0..p.inp).step_by(rows).map(|i| i..(i + rows).min(p.inp));
                jobs.extend(rows.map(|rows| Job { learn, number, at: (panels, panel, rows) }));
            }
        }
        jobs
    }
    /// Values that it changes.
    pub(super) fn values(&self) -> usize {
        let (panels, panel, rows) = &self.at;
        rows.len() * panels.width(*panel)
    }
    /// About how long it takes, in multiplications for each image.
    pub(super) fn cost(&self, program: &Program) -> usize {
        match self.learn {
            // About what is left of it where images are mostly black.
            Learn::Weight { x, .. } if program.gathers(x) => self.values() / 2,
            _ => self.values(),
        }
    }
}

/// Learns one tile.
pub(super) struct OnWeights<'a, 'm> {
    pub(super) job: &'a Job,
    pub(super) tile: Tile<'m>,
    pub(super) gradient: &'a mut [f32],
    pub(super) rates: Rates,
    pub(super) precision: Precision,
}

impl Work for OnWeights<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with<S: Simd>(self, simd: S) {
        match self.precision {
            Precision::Fp32 => self.learn::<S, Singles>(simd),
            Precision::Bf16 => self.learn::<S, Pairs>(simd),
        }
    }
}

impl OnWeights<'_, '_> {
    #[inline(always)]
    fn learn<S: Simd, C: Cells>(mut self, simd: S) {
        let (panels, panel, rows) = self.job.at.clone();
        let g = &mut self.gradient[..self.job.values()];
        match self.job.learn {
            Learn::Bias { dy, .. } => {
                k::bias_gradient(g, self.tile.read(dy), dy.width, panels.columns(panel));
                let Parts { w, m, v, .. } = self.tile.parts();
                self.rates.apply(w, m, v, g);
            }
            Learn::Weight { x, dy, .. } => {
                let cells = |r| self.tile.across(r).unwrap_or_else(|| as_cells(self.tile.read(r)));
                let (x_cells, dy_cells) = (cells(x), cells(dy));
                let lit = self.tile.lit(x, C::PER).filter(|lit| lit.worth(&rows, x_cells.len() / x.width));
                let Parts { w, m, v, mut pairs } = self.tile.parts();
                let width = panels.width(panel);
                let of = |i: Range<usize>| (i.start - rows.start) * width..(i.end - rows.start) * width;
                let rates = self.rates;
                let done = |i: Range<usize>, g: Option<&[f32]>| {
                    let at = of(i.clone());
                    let (w, m, v) = (&mut w[at.clone()], &mut m[at.clone()], &mut v[at.clone()]);
                    let Some(g) = g else {
                        return [w, m, v].iter().flat_map(|p| p.chunks(LINE)).for_each(|line| simd.prefetch(line));
                    };
                    rates.apply(w, m, v, g);
                    if let Some([forward, backward]) = &mut pairs {
                        let first = (i.start - rows.start) / 2;
                        let half = first * width..(first + i.len().div_ceil(2)) * width;
                        bf16::across(&mut forward[half], w, width);
                        bf16::along(&mut backward[at.start / 2..at.end / 2], w, width);
                    }
                };
                let at = (panels, panel, rows.clone());
                product::weight_gradient::<S, C>(simd, g, x_cells, dy_cells, at, lit, done);
            }
        }
    }
}

/// Images of a block: as many as every thread has some, and few enough that all end together.
pub(super) fn block(memory: &Memory, live: usize, threads: usize) -> usize {
    // What a block costs beyond its images: weights that come from a farther cache.
    const FEWER: usize = 8;
    let sizes = std::iter::successors(Some(memory.most), |b| Some(b / 2)).take_while(|b| *b >= memory.least);
    sizes.min_by_key(|b| live.div_ceil(*b).div_ceil(threads) * (b + FEWER)).expect("a size")
}
