//! The second phase of a step: per tile of a parameter, the gradient and, while it is in the cache, the optimizer's
//! update. Gradients are never written to memory.

use super::AdamStep;
use super::elementwise::bias_gradient;
use crate::backend::cpu::gemm::{Arithmetic, Epilogue, Panels, WeightGradient, WithArithmetic, as_packed};
use crate::backend::cpu::memory::{TileSlices, TileView};
use crate::backend::cpu::partition::ParamTile;
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

impl WithArithmetic for Update<'_, '_> {
    #[inline(always)]
    fn with_arithmetic<S: Simd, A: Arithmetic>(self, simd: S, arithmetic: A) {
        match self.tile.gradient {
            Gradient::Bias { dy, .. } => self.bias(simd, dy),
            Gradient::Weight { x, dy, .. } => self.weight(simd, arithmetic, x, dy),
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
    fn weight<S: Simd, A: Arithmetic>(mut self, simd: S, arithmetic: A, x: Activations, dy: Activations) {
        let ParamTile { panels, ref panel_range, ref rows, .. } = *self.tile;
        let packing = self.at.packing();
        let packed = |r| self.at.packed(r).unwrap_or_else(|| as_packed(self.at.read(r)));
        let (x_packed, dy_packed, lens) = (packed(x), packed(dy), [x, dy].map(|r| packing.row_len(r.width)));
        let count = x_packed.len() / lens[0];
        let nonzero = self.at.nonzero_rows(x).filter(|nonzero| nonzero.is_profitable(rows, count));
        for first in (0..count).step_by(A::K_CHUNK) {
            let end = (first + A::K_CHUNK).min(count);
            let x = &x_packed[first * lens[0]..end * lens[0]];
            let dy = &dy_packed[first * lens[1]..end * lens[1]];
            let nonzero = nonzero.map(|nonzero| nonzero.part(first..end));
            let mut rest = &mut self.gradient[..self.tile.values()];
            for panel in panel_range.clone() {
                let g;
                (g, rest) = rest.split_at_mut(rows.len() * panels.width(panel));
                let epilogue =
                    (end == count).then(|| AdamEpilogue::new(arithmetic, &mut self.at, self.tile, panel, self.adam));
                let operands = WeightGradient { panels, panel, x, dy, accumulate: first > 0 };
                arithmetic.weight_gradient(simd, g, &operands, rows.clone(), nonzero, epilogue);
            }
        }
    }
}

/// Adam, fused to the weight gradient of a panel of a tile.
pub(super) struct AdamEpilogue<'a, A> {
    arithmetic: A,
    slices: TileSlices<'a>,
    panels: Panels,
    panel: usize,
    first_row: usize,
    adam: AdamStep,
}

impl<'a, A> AdamEpilogue<'a, A> {
    pub(super) fn new(
        arithmetic: A,
        at: &'a mut TileView,
        tile: &ParamTile,
        panel: usize,
        adam: AdamStep,
    ) -> AdamEpilogue<'a, A> {
        let (panels, first_row) = (tile.panels, tile.rows.start);
        AdamEpilogue { arithmetic, slices: at.slices(panel), panels, panel, first_row, adam }
    }
    /// The range of some rows in the slices of the tile.
    fn range(&self, rows: Range<usize>) -> Range<usize> {
        let width = self.panels.width(self.panel);
        (rows.start - self.first_row) * width..(rows.end - self.first_row) * width
    }
}

impl<A: Arithmetic> Epilogue for AdamEpilogue<'_, A> {
    #[inline(always)]
    fn prefetch(&self, rows: Range<usize>) -> [&[u32]; 3] {
        let at = self.range(rows);
        [&*self.slices.w, &*self.slices.m, &*self.slices.v].map(|values| as_packed(&values[at.clone()]))
    }
    #[inline(always)]
    fn apply<S: Simd>(&mut self, simd: S, rows: Range<usize>, gradient: &[f32]) {
        // A row is packed with those before it.
        let first = rows.start - (rows.start - self.first_row) % A::ROWS;
        let (at, together) = (self.range(rows.clone()), self.range(first..rows.end));
        let TileSlices { w, m, v, packed } = &mut self.slices;
        self.adam.apply(simd, &mut w[at.clone()], &mut m[at.clone()], &mut v[at], gradient);
        if let Some(packed) = packed {
            let (width, first, end) =
                (self.panels.width(self.panel), first - self.first_row, rows.end - self.first_row);
            let len = self.arithmetic.panel_row_len(width);
            let to = packed.each_mut().map(|packed| {
                let end = packed.len().min(end.div_ceil(A::ROWS) * len);
                &mut packed[first / A::ROWS * len..end]
            });
            self.arithmetic.pack_weight(simd, to, &w[together], width);
        }
    }
}
