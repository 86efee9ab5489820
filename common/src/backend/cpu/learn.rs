//! The second phase of a step: every parameter, in tiles, each with its gradient and then the optimizer while it is in the
//! cache. The gradient never goes to memory.

use super::bf16;
use super::kernels as k;
use super::multiply::{CellWork, Cells};
use super::optimizer::Rates;
use super::panels::Panels;
use super::product::{self, Learner, WeightGradient, as_cells};
use super::simd::Simd;
use crate::backend::memory::{Parts, Tile};
use crate::plan::{Gradient, Program};
use std::ops::Range;

/// Some rows of a few panels: the unit of work.
pub(crate) struct Job {
    pub(crate) learn: Gradient,
    /// Which of the program's.
    pub(crate) number: usize,
    pub(crate) panels: Panels,
    pub(crate) which: Range<usize>,
    pub(crate) rows: Range<usize>,
}

impl Job {
    /// Every parameter in tiles. A tile with its moments stays in the L2 cache; where a batch does not, so that it comes
    /// from afar once for each tile, tiles are larger; and where an image has many rows, so that a small weight is much work,
    /// they are smaller.
    pub(crate) fn all(program: &Program, lanes: usize, batch: usize) -> Vec<Job> {
        const ROWS: usize = 200;
        const SHARES: usize = 16;
        let work: usize = program.gradients().iter().map(Gradient::flops).sum();
        let mut jobs = vec![];
        for (number, &learn) in program.gradients().iter().enumerate() {
            let (p, per) = match learn {
                Gradient::Weight { w, x, .. } => (w, x.per_image),
                Gradient::Bias { b, .. } => (b, 0),
            };
            let several = if batch * per > K && per == 1 { 3 } else { 1 };
            let panels = Panels::new([p.inp, p.out], lanes);
            let mut tiles = p.inp.div_ceil(ROWS);
            while tiles < p.inp.div_ceil(8) && learn.flops() / (tiles * panels.count()) > work / SHARES {
                tiles += 1;
            }
            let step = p.inp.div_ceil(tiles).next_multiple_of(8);
            for first in (0..panels.count()).step_by(several) {
                let which = first..(first + several).min(panels.count());
                let rows = (0..p.inp).step_by(step).map(|i| i..(i + step).min(p.inp));
                jobs.extend(rows.map(|rows| Job { learn, number, panels, which: which.clone(), rows }));
            }
        }
        jobs
    }
    /// Values that it changes.
    pub(crate) fn values(&self) -> usize {
        self.which.clone().map(|panel| self.rows.len() * self.panels.width(panel)).sum()
    }
    /// About how long it takes, in multiplications for each image.
    pub(crate) fn cost(&self, program: &Program) -> usize {
        match self.learn {
            // About what is left of it where images are mostly black.
            Gradient::Weight { x, .. } if program.is_input(x) => self.values() / 2,
            Gradient::Weight { x, .. } => self.values() * x.per_image,
            Gradient::Bias { dy, .. } => self.values() * dy.per_image,
        }
    }
}

/// Activations of cells that a tile learns from at a time, so that they stay in the cache: whole blocks.
const K: usize = 256;

/// Learns one tile.
pub(super) struct OnWeights<'a, 'm> {
    pub(super) job: &'a Job,
    pub(super) tile: Tile<'m>,
    pub(super) gradient: &'a mut [f32],
    pub(super) rates: Rates,
}

impl CellWork for OnWeights<'_, '_> {
    #[inline(always)]
    fn on<S: Simd, C: Cells>(mut self, simd: S) {
        let Job { learn, panels, ref which, ref rows, .. } = *self.job;
        let g = &mut self.gradient[..self.job.values()];
        match learn {
            Gradient::Bias { dy, .. } => {
                for panel in which.clone() {
                    let g = &mut g[..panels.width(panel)];
                    k::bias_gradient(g, self.tile.read(dy), dy.width, panels.columns(panel));
                    let Parts { w, m, v, .. } = self.tile.parts(panel);
                    self.rates.apply(simd, w, m, v, g);
                }
            }
            Gradient::Weight { x, dy, .. } => {
                let cells = |r| self.tile.across(r).unwrap_or_else(|| as_cells(self.tile.read(r)));
                let (x_cells, dy_cells) = (cells(x), cells(dy));
                let count = x_cells.len() / x.width;
                let lit = self.tile.lit(x).filter(|lit| lit.worth(rows, count));
                for first in (0..count).step_by(K) {
                    let end = (first + K).min(count);
                    let x = &x_cells[first * x.width..end * x.width];
                    let dy = &dy_cells[first * dy.width..end * dy.width];
                    let lit = lit.map(|lit| lit.from(first));
                    let mut rest = &mut *g;
                    for panel in which.clone() {
                        let part;
                        (part, rest) = rest.split_at_mut(rows.len() * panels.width(panel));
                        let learn = (end == count).then(|| Optimized {
                            simd,
                            parts: self.tile.parts(panel),
                            at: (panels, panel, rows.start),
                            rates: self.rates,
                        });
                        let at = WeightGradient { panels, panel, x, dy, begun: first > 0 };
                        product::weight_gradient::<S, C>(simd, part, &at, rows.clone(), lit, learn);
                    }
                }
            }
        }
    }
}

/// A tile on which the optimizer acts, a few rows at a time.
struct Optimized<'a, S> {
    simd: S,
    parts: Parts<'a>,
    /// Its panel, and its first row.
    at: (Panels, usize, usize),
    rates: Rates,
}

impl<S> Optimized<'_, S> {
    /// Where some rows lie in the tile.
    fn range(&self, rows: Range<usize>) -> Range<usize> {
        let (panels, panel, first) = self.at;
        let width = panels.width(panel);
        (rows.start - first) * width..(rows.end - first) * width
    }
}

impl<S: Simd> Learner for Optimized<'_, S> {
    #[inline(always)]
    fn needs(&self, rows: Range<usize>) -> [&[u32]; 3] {
        let at = self.range(rows);
        [&*self.parts.w, &*self.parts.m, &*self.parts.v].map(|values| as_cells(&values[at.clone()]))
    }
    #[inline(always)]
    fn done(&mut self, rows: Range<usize>, gradient: &[f32]) {
        let (panels, panel, first) = self.at;
        // An odd row shares its cells with the one before.
        let even = rows.start - (rows.start - first) % 2;
        let (at, cells) = (self.range(rows.clone()), self.range(even..rows.end));
        let Parts { w, m, v, pairs } = &mut self.parts;
        self.rates.apply(self.simd, &mut w[at.clone()], &mut m[at.clone()], &mut v[at], gradient);
        if let Some([forward, backward]) = pairs {
            let (width, half) = (panels.width(panel), (even - first) / 2);
            let forward = &mut forward[half * width..][..(rows.end - even).div_ceil(2) * width];
            bf16::across(self.simd, forward, &w[cells.clone()], width);
            bf16::along(self.simd, &mut backward[cells.start / 2..cells.end / 2], &w[cells], width);
        }
    }
}
