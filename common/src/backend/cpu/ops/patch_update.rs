//! The weight gradients of convolutions in f32, over windows of padded images, and the optimizer's update.

use super::AdamStep;
use super::update::AdamEpilogue;
use crate::backend::cpu::gemm::{self, Arithmetic, Ascending, Epilogue, F32, PatchColumns, PatchGradient, Windows};
use crate::backend::cpu::gemm::{as_packed, as_packed_mut, transpose};
use crate::backend::cpu::memory::TileView;
use crate::backend::cpu::partition::ParamTile;
use crate::backend::cpu::simd::{Simd, WithSimd};
use crate::plan::{Activations, Gradient, Side};
use std::ops::Range;

/// Computes the gradient of a tile, of which one operand are patches, and updates it.
pub(crate) struct PatchUpdate<'a, 'm> {
    pub(crate) tile: &'a ParamTile,
    pub(crate) windows: &'a Windows,
    /// Of the patches.
    pub(crate) side: Side,
    pub(crate) at: TileView<'m>,
    /// Scratch.
    pub(crate) gradient: &'a mut [f32],
    pub(crate) adam: AdamStep,
}

const CHUNK: usize = <F32 as Arithmetic>::K_CHUNK;

impl WithSimd for PatchUpdate<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Gradient::Weight { x, dy, .. } = self.tile.gradient else { unreachable!("a bias has no patches") };
        match self.side {
            Side::Left => self.convolution(simd, x, dy),
            Side::Right => self.transposed_convolution(simd, x, dy),
        }
    }
}

/// Rows `k` of the patches of padded images, as columns; `positions` is scratch.
#[inline(always)]
fn columns<'a>(
    windows: &'a Windows,
    images: &'a [f32],
    k: Range<usize>,
    positions: &'a mut [usize; CHUNK],
) -> PatchColumns<'a> {
    let (image, at) = (k.start / windows.per_image(), k.start % windows.per_image());
    *positions = windows.positions(at);
    let images = &as_packed(images)[image * windows.conv.padded_len()..];
    PatchColumns { images, windows, positions: Ascending::new(&positions[..k.len()]) }
}

impl PatchUpdate<'_, '_> {
    /// dW = patches^T @ dy.
    #[inline(always)]
    fn convolution<S: Simd>(self, simd: S, patches: Activations, dy: Activations) {
        let PatchUpdate { tile, windows, mut at, gradient, adam, .. } = self;
        let ParamTile { panels, ref panel_range, ref rows, .. } = *tile;
        let (images, values, mut positions) = (at.read(patches), at.read(dy), [0; CHUNK]);
        let count = values.len() / dy.width;
        for first in (0..count).step_by(CHUNK) {
            let k = first..(first + CHUNK).min(count);
            let mut rest = &mut gradient[..tile.values()];
            for panel in panel_range.clone() {
                let g;
                (g, rest) = rest.split_at_mut(rows.len() * panels.width(panel));
                let operands = PatchGradient {
                    x: columns(windows, images, k.clone(), &mut positions),
                    dy: as_packed(&values[k.start * dy.width..k.end * dy.width]),
                    out: dy.width,
                    columns: panels.columns(panel),
                    accumulate: first > 0,
                };
                let epilogue = (k.end == count).then(|| AdamEpilogue::new(F32, &mut at, tile, panel, adam));
                gemm::patch_gradient(simd, g, operands, rows.clone(), epilogue);
            }
        }
    }

    /// dW = x^T @ patches, as (patches^T @ x)^T: elements of patches are apart in memory, and channels of x together.
    #[inline(always)]
    fn transposed_convolution<S: Simd>(self, simd: S, x: Activations, patches: Activations) {
        let PatchUpdate { tile, windows, mut at, gradient, adam, .. } = self;
        let ParamTile { panels, ref panel_range, ref rows, .. } = *tile;
        let (images, values, mut positions) = (at.read(patches), at.read(x), [0; CHUNK]);
        let count = values.len() / x.width;
        for panel in panel_range.clone() {
            let elements = panels.columns(panel);
            let (g, transposed) = gradient.split_at_mut(rows.len() * panels.width(panel));
            // The channels of x, as wide as a tile of the microkernel each.
            let parts = || rows.clone().step_by(panels.width).map(|start| start..rows.end.min(start + panels.width));
            for first in (0..count).step_by(CHUNK) {
                let k = first..(first + CHUNK).min(count);
                let mut rest = &mut *transposed;
                for part in parts() {
                    let to;
                    (to, rest) = rest.split_at_mut(elements.len() * part.len().next_multiple_of(S::LANES));
                    let operands = PatchGradient {
                        x: columns(windows, images, k.clone(), &mut positions),
                        dy: as_packed(&values[k.start * x.width..k.end * x.width]),
                        out: x.width,
                        columns: part,
                        accumulate: first > 0,
                    };
                    gemm::patch_gradient(simd, to, operands, elements.clone(), None::<AdamEpilogue<F32>>);
                }
            }
            g.fill(0.0);
            let (mut rest, width) = (&*transposed, panels.width(panel));
            for part in parts() {
                let (from, ld) = (rest, part.len().next_multiple_of(S::LANES));
                rest = &rest[elements.len() * ld..];
                let to = &mut as_packed_mut(g)[(part.start - rows.start) * width..];
                transpose(simd, to, width, as_packed(from), ld, [elements.len(), part.len()]);
            }
            AdamEpilogue::new(F32, &mut at, tile, panel, adam).apply(simd, rows.clone(), g);
        }
    }
}
