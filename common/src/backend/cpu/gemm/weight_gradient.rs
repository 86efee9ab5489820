//! dW = x^T @ dy.

use super::microkernel::{Dense, Element, LINE, Lhs, Rhs, microkernel};
use super::panels::Panels;
use super::sparsity::{GROUP, NonzeroRows};
use super::{load_row, store_row, tile};
use crate::backend::cpu::scratch::ScratchVec;
use crate::backend::cpu::simd::{Simd, WithSimd};
use std::marker::PhantomData;
use std::ops::Range;

/// g (+)= x^T @ dy: x[K, I] dy[K, O] g[rows, panel width], for the rows `rows` of one panel of dW, over K packed rows of x
/// and dy. An `epilogue` means that this call completes the sum; it receives a few rows at a time. `nonzero`: the nonzero rows
/// of x, per group of columns.
#[inline(always)]
pub(crate) fn weight_gradient<S: Simd, E: Element>(
    simd: S,
    g: &mut [f32],
    operands: &WeightGradient,
    rows: Range<usize>,
    nonzero: Option<NonzeroRows>,
    mut epilogue: Option<impl Epilogue>,
) {
    let WeightGradient { panels, panel, x, dy, .. } = *operands;
    let width = panels.width(panel);
    assert!(x.rows() == dy.rows() && x.columns().end >= rows.end && dy.columns().end >= panels.columns(panel).end);
    assert!(g.len() == rows.len() * width);
    let nv = width / panels.lanes;
    let mut i = rows.start;
    while i < rows.end {
        let left = rows.end - i;
        let mr = match nonzero {
            Some(_) if left >= GROUP => GROUP,
            None if left >= 8 && S::HAS_32_REGISTERS => 8,
            _ if left >= 4 => 4,
            _ => 1,
        };
        // Prefetch what the epilogue of the next rows reads: with short index lists a tile is too short to hide the
        // latency.
        let after = (i + mr).min(rows.end)..(i + 2 * mr).min(rows.end);
        let next = epilogue.as_ref().map_or([&[][..]; 3], |epilogue| epilogue.prefetch(after));
        let g = &mut g[(i - rows.start) * width..][..mr * width];
        let element = PhantomData;
        match mr {
            8 => tile!(simd, nv, Tile::<8> { g, operands, i, next, nonzero: None, element }),
            4 => tile!(simd, nv, Tile::<4> { g, operands, i, next, nonzero, element }),
            _ => tile!(simd, nv, Tile::<1> { g, operands, i, next, nonzero: None, element }),
        }
        if let Some(epilogue) = &mut epilogue {
            epilogue.apply(i..i + mr, g);
        }
        i += mr;
    }
}

/// An operation fused to the gradient while it is in L1, such as the optimizer.
pub(crate) trait Epilogue {
    /// The memory that `apply` will access for these rows.
    fn prefetch(&self, rows: Range<usize>) -> [&[u32]; 3];
    /// Receives finished rows of the gradient.
    fn apply(&mut self, rows: Range<usize>, gradient: &[f32]);
}

/// The operands of the gradient of one panel.
pub(crate) struct WeightGradient<'a> {
    pub(crate) panels: Panels,
    pub(crate) panel: usize,
    pub(crate) x: Columns<'a>,
    pub(crate) dy: Columns<'a>,
    /// Whether to add to g, the sum over earlier chunks of K.
    pub(crate) accumulate: bool,
}

/// Adjacent columns of a row-major matrix of packed elements, `[rows, ld]`.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a> {
    data: &'a [u32],
    /// Leading dimension.
    ld: usize,
    /// The first column.
    first: usize,
}

impl<'a> Columns<'a> {
    /// All columns.
    pub(crate) fn all(data: &'a [u32], ld: usize) -> Columns<'a> {
        Columns { data, ld, first: 0 }
    }
    /// Copies some columns where rows are far apart: lines at such strides fall into few sets of a cache, and evict
    /// each other before they are read again.
    #[inline(always)]
    pub(crate) fn pack(self, columns: Range<usize>, scratch: &'a mut ScratchVec<u32>) -> Columns<'a> {
        const FAR: usize = 1024;
        if self.ld < FAR {
            return self;
        }
        let ld = columns.len().next_multiple_of(LINE);
        let to = scratch.get(self.rows() * ld);
        for (to, from) in to.chunks_exact_mut(ld).zip(self.data.chunks_exact(self.ld)) {
            to[..columns.len()].copy_from_slice(&from[columns.start - self.first..columns.end - self.first]);
        }
        Columns { data: to, ld, first: columns.start }
    }
    fn rows(self) -> usize {
        self.data.len() / self.ld
    }
    fn columns(self) -> Range<usize> {
        self.first..self.first + self.ld
    }
    /// From an element on.
    fn from(self, row: usize, column: usize) -> &'a [u32] {
        &self.data[row * self.ld + column - self.first..]
    }
}

/// MR rows of g, from row i of dW.
struct Tile<'a, E, const MR: usize, const NV: usize> {
    g: &'a mut [f32],
    operands: &'a WeightGradient<'a>,
    i: usize,
    next: [&'a [u32]; 3],
    nonzero: Option<NonzeroRows<'a>>,
    element: PhantomData<E>,
}

impl<E: Element, const MR: usize, const NV: usize> WithSimd for Tile<'_, E, MR, NV> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.operands.panels.columns(self.operands.panel).len() == NV * S::LANES {
            true => self.accumulate::<S, false>(simd),
            false => self.accumulate::<S, true>(simd),
        }
    }
}

impl<E: Element, const MR: usize, const NV: usize> Tile<'_, E, MR, NV> {
    #[inline(always)]
    fn accumulate<S: Simd, const PARTIAL: bool>(self, simd: S) {
        let Tile { g, operands, i, mut next, nonzero, .. } = self;
        let WeightGradient { x, dy, .. } = *operands;
        let columns = operands.panels.columns(operands.panel);
        let lhs = |first: usize| Lhs { data: x.from(first, i), rs: 1, cs: x.ld };
        let rhs = |first: usize| Rhs { data: dy.from(first, columns.start), ld: dy.ld, columns: columns.len() };
        let mut acc = [[simd.splat(0.0); NV]; MR];
        if operands.accumulate {
            for i in 0..MR {
                acc[i] = load_row(simd, &g[i * NV * S::LANES..]);
            }
        }
        let count = x.rows();
        let Some(nonzero) = nonzero else {
            acc = microkernel::<S, E, MR, NV, 3, PARTIAL>(simd, acc, Dense(count), lhs(0), rhs(0), next);
            return store(simd, g, acc);
        };
        for (first, k) in nonzero.group(i / GROUP, count) {
            let share = next.map(|stream| stream.split_at(stream.len().min(k.len() * LINE)));
            next = share.map(|(_, later)| later);
            let share = share.map(|(now, _)| now);
            acc = microkernel::<S, E, MR, NV, 3, PARTIAL>(simd, acc, k, lhs(first), rhs(first), share);
        }
        store(simd, g, acc);
    }
}

/// g[MR, NV vectors] = acc.
#[inline(always)]
fn store<S: Simd, const MR: usize, const NV: usize>(simd: S, g: &mut [f32], acc: [[S::V; NV]; MR]) {
    let width = NV * S::LANES;
    for (row, sums) in g.chunks_exact_mut(width).zip(acc) {
        store_row(simd, row, sums);
    }
}
