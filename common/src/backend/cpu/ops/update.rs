//! The second phase of a step: per tile of a parameter, the gradient and, while it is in the cache, the optimizer's
//! update. Gradients are never written to memory.

use super::AdamStep;
use super::elementwise::bias_gradient;
use crate::backend::cpu::gemm::microkernel::{Element, WithElement};
use crate::backend::cpu::gemm::{self, Epilogue, Panels, WeightGradient, as_packed, bf16};
use crate::backend::cpu::memory::{TileSlices, TileView};
use crate::backend::cpu::partition::{K_CHUNK, ParamTile};
use crate::backend::cpu::simd::Simd;
use crate::plan::{Activations, Gradient};
use std::ops::Range;

/// Computes the gradient of a tile and updates it.
pub(crate) struct Update<'a, 'm> {
    pub(crate) tile: &'a ParamTile,
    pub(crate) at: TileView<'m>,
    /// Scratch.
    pub(crate) gradient: &'a mut [f32],
    pub(crate) adam: AdamStep,
}

impl WithElement for Update<'_, '_> {
    #[inline(always)]
    fn with_element<S: Simd, E: Element>(self, simd: S) {
        match self.tile.gradient {
            Gradient::Bias { dy, .. } => self.bias(simd, dy),
            Gradient::Weight { x, dy, .. } => self.weight::<S, E>(simd, x, dy),
        }
    }
}

impl Update<'_, '_> {
    #[inline(always)]
    fn bias<S: Simd>(mut self, simd: S, dy: Activations) {
        let panels = self.tile.panels;
        for panel in self.tile.panel_range.clone() {
            let g = &mut self.gradient[..panels.width(panel)];
            bias_gradient(g, self.at.read(dy), dy.width, panels.columns(panel));
            let TileSlices { w, m, v, .. } = self.at.slices(panel);
            self.adam.apply(simd, w, m, v, g);
        }
    }

    #[inline(always)]
    fn weight<S: Simd, E: Element>(mut self, simd: S, x: Activations, dy: Activations) {
        let ParamTile { panels, ref panel_range, ref rows, .. } = *self.tile;
        let packed = |r| self.at.interleaved(r).unwrap_or_else(|| as_packed(self.at.read(r)));
        let (x_packed, dy_packed) = (packed(x), packed(dy));
        let count = x_packed.len() / x.width;
        let nonzero = self.at.nonzero_rows(x).filter(|nonzero| nonzero.is_profitable(rows, count));
        for first in (0..count).step_by(K_CHUNK) {
            let end = (first + K_CHUNK).min(count);
            let x = &x_packed[first * x.width..end * x.width];
            let dy = &dy_packed[first * dy.width..end * dy.width];
            let nonzero = nonzero.map(|nonzero| nonzero.part(first..end));
            let mut rest = &mut self.gradient[..self.tile.values()];
            for panel in panel_range.clone() {
                let g;
                (g, rest) = rest.split_at_mut(rows.len() * panels.width(panel));
                let epilogue = (end == count).then(|| AdamEpilogue {
                    slices: self.at.slices(panel),
                    panels,
                    panel,
                    first_row: rows.start,
                    adam: self.adam,
                });
                let operands = WeightGradient { panels, panel, x, dy, accumulate: first > 0 };
                gemm::weight_gradient::<S, E>(simd, g, &operands, rows.clone(), nonzero, epilogue);
            }
        }
    }
}

/// Adam, fused to the weight gradient of a panel of a tile.
struct AdamEpilogue<'a> {
    slices: TileSlices<'a>,
    panels: Panels,
    panel: usize,
    first_row: usize,
    adam: AdamStep,
}

impl AdamEpilogue<'_> {
    /// The range of some rows in the slices of the tile.
    fn range(&self, rows: Range<usize>) -> Range<usize> {
        let width = self.panels.width(self.panel);
        (rows.start - self.first_row) * width..(rows.end - self.first_row) * width
    }
}

impl Epilogue for AdamEpilogue<'_> {
    #[inline(always)]
    fn prefetch(&self, rows: Range<usize>) -> [&[u32]; 3] {
        let at = self.range(rows);
        [&*self.slices.w, &*self.slices.m, &*self.slices.v].map(|values| as_packed(&values[at.clone()]))
    }
    #[inline(always)]
    fn apply<S: Simd>(&mut self, simd: S, rows: Range<usize>, gradient: &[f32]) {
        // An odd row is paired with the one before it.
        let even = rows.start - (rows.start - self.first_row) % 2;
        let (at, pair_range) = (self.range(rows.clone()), self.range(even..rows.end));
        let TileSlices { w, m, v, pairs } = &mut self.slices;
        self.adam.apply(simd, &mut w[at.clone()], &mut m[at.clone()], &mut v[at], gradient);
        if let Some([forward, backward]) = pairs {
            let (width, half) = (self.panels.width(self.panel), (even - self.first_row) / 2);
            let forward = &mut forward[half * width..][..(rows.end - even).div_ceil(2) * width];
            bf16::vnni_interleave(simd, forward, &w[pair_range.clone()], width);
            let backward = &mut backward[pair_range.start / 2..pair_range.end / 2];
            bf16::pack_along_k(simd, backward, &w[pair_range], width);
        }
    }
}
