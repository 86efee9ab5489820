//! The three GEMMs of a layer, over a weight packed in [`Panels`].
//!
//! Dimensions: R rows of a block (images · rows per image), I input features, O output features; W the width of a
//! panel; K the inner dimension of a GEMM, counted in packed elements of VALUES values (1 f32, or 2 bf16).
//!
//! ```text
//! forward           y = act(x @ W + b)     x[R, I] W[I, O] b[O] y[R, O]         K = I
//! input_gradient    dx = dy @ W^T          dy[R, O] W[I, O] dx[R, I]            K = O, computed as dx^T = W @ dy^T
//! weight_gradient   dW = x^T @ dy          x[R, I] dy[R, O] dW[I, panel of O]   K = R
//! ```
//!
//! On vectors each is a [`Gemm`](microkernel::Gemm): tiles of one microkernel, and an epilogue. Operands are packed elements
//! (see [`bf16`]), accumulators f32. On the tiles of AMX each is a product of bricks ([`amx`]). An [`Arithmetic`] is one
//! or the other: what the operations of a program see.

pub(crate) mod amx;
mod arithmetic;
mod bf16;
mod forward;
mod input_gradient;
mod microkernel;
mod panels;
pub(crate) mod sparsity;
mod transpose;
mod transposed_conv;
mod weight_gradient;
mod windows;

use super::simd::Simd;
pub(crate) use arithmetic::{Arithmetic, InArithmetic, Packing, WithArithmetic};
pub(crate) use forward::forward;
pub(crate) use input_gradient::TransposeScratch;
pub(crate) use input_gradient::input_gradient;
pub(crate) use microkernel::F32;
pub(crate) use panels::Panels;
pub(crate) use transpose::{TransposedWeight, transpose};
pub(crate) use transposed_conv::{MANY_POSITIONS, Output, TransposedConv, TransposedConvScratch};
use weight_gradient::weight_gradient;
pub(crate) use weight_gradient::{ColumnRange, Epilogue, PatchGradient, WeightGradient, patch_gradient};
pub(crate) use windows::{Ascending, PatchColumns, Patches, Windows};

/// A weight as the GEMMs read it. bf16 needs two packings, since the inner dimension is I forwards and O backwards;
/// with f32 both are the panels.
///
/// ```text
/// f32, pairs   forward    panels of [I / VALUES, W]            backward    panels of [I, W / VALUES]
/// bricks       forward    [O / 32, I / 32] bricks, Pairs       backward    the same, Back
/// ```
#[derive(Clone, Copy)]
pub(crate) struct PackedWeight<'a> {
    pub(crate) panels: Panels,
    pub(crate) values: &'a [f32],
    pub(crate) forward: &'a [u32],
    pub(crate) backward: &'a [u32],
    /// Whether `forward` reads it as W^T.
    pub(crate) transposed: bool,
}

impl<'a> PackedWeight<'a> {
    /// Of f32 panels.
    pub(crate) fn f32(panels: Panels, values: &'a [f32]) -> PackedWeight<'a> {
        PackedWeight { panels, values, forward: as_packed(values), backward: as_packed(values), transposed: false }
    }
    /// Columns of the output of `forward`.
    pub(crate) fn out(&self) -> usize {
        if self.transposed { self.panels.inp } else { self.panels.out }
    }
}

/// Loads NV vectors.
#[inline(always)]
fn load_row<S: Simd, const NV: usize>(simd: S, values: &[f32]) -> [S::V; NV] {
    std::array::from_fn(|v| simd.read(&values[v * S::LANES..]))
}

/// Stores a row of up to NV vectors.
#[inline(always)]
fn store_row<S: Simd, const NV: usize>(simd: S, row: &mut [f32], vectors: [S::V; NV]) {
    let last = (NV - 1) * S::LANES;
    assert!(last < row.len() && row.len() <= NV * S::LANES);
    for v in 0..NV - 1 {
        // SAFETY: v < NV - 1, so that v · LANES + LANES <= last < row.len().
        #[allow(unsafe_code)]
        unsafe {
            simd.store(row[v * S::LANES..].as_mut_ptr(), vectors[v]);
        }
    }
    let rest = &mut row[last..];
    // SAFETY: `rest` has that many values.
    #[allow(unsafe_code)]
    unsafe {
        match rest.len() == S::LANES {
            true => simd.store(rest.as_mut_ptr(), vectors[NV - 1]),
            false => simd.partial_store(rest.as_mut_ptr(), vectors[NV - 1], rest.len()),
        }
    }
}

/// f32 as packed elements of one value each.
#[inline(always)]
pub(crate) fn as_packed(values: &[f32]) -> &[u32] {
    // SAFETY: both types have one size and alignment, and every bit pattern is valid for each.
    #[allow(unsafe_code)]
    unsafe {
        std::slice::from_raw_parts(values.as_ptr().cast(), values.len())
    }
}

/// As [`as_packed`].
#[inline(always)]
pub(crate) fn as_packed_mut(values: &mut [f32]) -> &mut [u32] {
    // SAFETY: as in `as_packed`.
    #[allow(unsafe_code)]
    unsafe {
        std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), values.len())
    }
}

#[cfg(test)]
mod tests;
