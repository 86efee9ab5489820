//! The second phase of a step: per tile of a parameter, the gradient and, while it is in the cache, the optimizer's
//! update. Gradients are never written to memory.

use super::AdamStep;
use super::elementwise::bias_gradient;
use crate::backend::cpu::gemm::microkernel::{Element, WithElement};
use crate::backend::cpu::gemm::{self, Columns, Epilogue, Panels, WeightGradient, as_packed, bf16};
use crate::backend::cpu::memory::{TileSlices, TileView};
use crate::backend::cpu::partition::{K_CHUNK, ParamTile};
use crate::backend::cpu::scratch::ScratchVec;
use crate::backend::cpu::simd::Simd;
use crate::plan::{Activations, Gradient};
use std::ops::Range;

/// Scratch memory of a thread, which grows to the largest need.
#[derive(Default)]
pub(crate) struct UpdateScratch {
    gradient: ScratchVec<f32>,
    x: ScratchVec<u32>,
    dy: ScratchVec<u32>,
}

/// Computes the gradient of a tile and updates it.
pub(crate) struct Update<'a, 'm> {
    pub(crate) tile: &'a ParamTile,
    pub(crate) at: TileView<'m>,
    pub(crate) scratch: &'a mut UpdateScratch,
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
            let g = self.scratch.gradient.get(panels.width(panel));
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
        let UpdateScratch { gradient, x: x_scratch, dy: dy_scratch } = self.scratch;
        let nonzero = self.at.nonzero_rows(x).filter(|nonzero| nonzero.is_profitable(rows, count));
        for first in (0..count).step_by(K_CHUNK) {
            let end = (first + K_CHUNK).min(count);
            let x = Columns::all(&x_packed[first * x.width..end * x.width], x.width);
            let dy = Columns::all(&dy_packed[first * dy.width..end * dy.width], dy.width);
            // A copy pays when several panels read it.
            let x = if panel_range.len() > 1 { x.pack(rows.clone(), x_scratch) } else { x };
            let nonzero = nonzero.map(|nonzero| nonzero.from(first));
            let mut rest = gradient.get(self.tile.values());
            for panel in panel_range.clone() {
                let g;
                (g, rest) = rest.split_at_mut(rows.len() * panels.width(panel));
                let epilogue = (end == count).then(|| AdamEpilogue {
                    simd,
                    slices: self.at.slices(panel),
                    panels,
                    panel,
                    first_row: rows.start,
                    adam: self.adam,
                });
                let dy = dy.pack(panels.columns(panel), dy_scratch);
                let operands = WeightGradient { panels, panel, x, dy, accumulate: first > 0 };
                gemm::weight_gradient::<S, E>(simd, g, &operands, rows.clone(), nonzero, epilogue);
            }
        }
    }
}

/// Adam, fused to the weight gradient of a panel of a tile.
struct AdamEpilogue<'a, S> {
    simd: S,
    slices: TileSlices<'a>,
    panels: Panels,
    panel: usize,
    first_row: usize,
    adam: AdamStep,
}

impl<S> AdamEpilogue<'_, S> {
    /// The range of some rows in the slices of the tile.
    fn range(&self, rows: Range<usize>) -> Range<usize> {
        let width = self.panels.width(self.panel);
        (rows.start - self.first_row) * width..(rows.end - self.first_row) * width
    }
}

impl<S: Simd> Epilogue for AdamEpilogue<'_, S> {
    #[inline(always)]
    fn prefetch(&self, rows: Range<usize>) -> [&[u32]; 3] {
        let at = self.range(rows);
        [&*self.slices.w, &*self.slices.m, &*self.slices.v].map(|values| as_packed(&values[at.clone()]))
    }
    #[inline(always)]
    fn apply(&mut self, rows: Range<usize>, gradient: &[f32]) {
        // An odd row is paired with the one before it.
        let even = rows.start - (rows.start - self.first_row) % 2;
        let (at, pair_range) = (self.range(rows.clone()), self.range(even..rows.end));
        let TileSlices { w, m, v, pairs } = &mut self.slices;
        self.adam.apply(self.simd, &mut w[at.clone()], &mut m[at.clone()], &mut v[at], gradient);
        if let Some([forward, backward]) = pairs {
            let (width, half) = (self.panels.width(self.panel), (even - self.first_row) / 2);
            let forward = &mut forward[half * width..][..(rows.end - even).div_ceil(2) * width];
            bf16::vnni_interleave(self.simd, forward, &w[pair_range.clone()], width);
            let backward = &mut backward[pair_range.start / 2..pair_range.end / 2];
            bf16::pack_along_k(self.simd, backward, &w[pair_range], width);
        }
    }
}
