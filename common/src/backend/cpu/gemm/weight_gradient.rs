//! dW = x^T @ dy.

use super::load_row;
use super::microkernel::{Blocks, Dense, Element, Gemm, KIndices, LINE, Lhs, Operands, Rhs};
use super::panels::Panels;
use super::sparsity::{GROUP, NonzeroRows};
use crate::backend::cpu::simd::Simd;
use std::marker::PhantomData;
use std::ops::Range;

/// The operands of the gradient of one panel.
pub(crate) struct WeightGradient<'a> {
    pub(crate) panels: Panels,
    pub(crate) panel: usize,
    pub(crate) x: &'a [u32],
    pub(crate) dy: &'a [u32],
    /// Whether to add to g, the sum over earlier chunks of K.
    pub(crate) accumulate: bool,
}

/// An operation fused to the gradient while it is in L1, such as the optimizer.
pub(crate) trait Epilogue {
    /// The memory that `apply` will access for these rows.
    fn prefetch(&self, rows: Range<usize>) -> [&[u32]; 3];
    /// Receives finished rows of the gradient.
    fn apply<S: Simd>(&mut self, simd: S, rows: Range<usize>, gradient: &[f32]);
}

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
    epilogue: Option<impl Epilogue>,
) {
    let WeightGradient { panels, panel, x, dy, .. } = *operands;
    let (width, count) = (panels.width(panel), dy.len() / panels.out);
    assert!(x.len() == count * panels.inp && dy.len() == count * panels.out && rows.end <= panels.inp);
    assert!(g.len() == rows.len() * width);
    let nv = width / panels.lanes;
    let listed = rows.start + if nonzero.is_some() { rows.len() / GROUP * GROUP } else { 0 };
    let mut gemm = Gradient::<E, _> { g, operands, rows: rows.clone(), width, epilogue, element: PhantomData };
    if let Some(nonzero) = nonzero {
        gemm.compute(simd, rows.start..listed, nv, &nonzero);
    }
    gemm.compute(simd, listed..rows.end, nv, &Dense(count));
}

/// Some rows of a panel of dW.
struct Gradient<'a, E, F> {
    g: &'a mut [f32],
    operands: &'a WeightGradient<'a>,
    rows: Range<usize>,
    width: usize,
    epilogue: Option<F>,
    element: PhantomData<E>,
}

impl<E: Element, F: Epilogue> Gradient<'_, E, F> {
    /// The range of some rows in g.
    fn range(&self, rows: Range<usize>) -> Range<usize> {
        (rows.start - self.rows.start) * self.width..(rows.end - self.rows.start) * self.width
    }

    #[inline(always)]
    fn accumulate<S: Simd, const MR: usize, const NV: usize, const PARTIAL: bool>(
        &self,
        simd: S,
        i: usize,
        k: &impl Blocks,
    ) -> [[S::V; NV]; MR] {
        let WeightGradient { panels, panel, x, dy, accumulate } = *self.operands;
        let (Panels { inp, out, .. }, columns) = (panels, panels.columns(panel));
        let mut acc = [[simd.splat(0.0); NV]; MR];
        if accumulate {
            for (r, acc) in acc.iter_mut().enumerate() {
                *acc = load_row(simd, &self.g[self.range(i + r..i + r + 1)]);
            }
        }
        // What the epilogue of the next rows reads: with short lists a tile is too short to hide the latency.
        let end = self.rows.end;
        let after = (i + MR).min(end)..(i + 2 * MR).min(end);
        let mut next = self.epilogue.as_ref().map_or([&[][..]; 3], |epilogue| epilogue.prefetch(after));
        for (first, k) in k.blocks(i) {
            let share = next.map(|stream| stream.split_at(stream.len().min(k.len() * LINE)));
            let a = Lhs { data: &x[first * inp + i..], rs: 1, cs: inp };
            let b = Rhs::<PARTIAL> { data: &dy[first * out + columns.start..], ld: out, columns: columns.len() };
            let operands = Operands { k, a, b, next: share.map(|(now, _)| now) };
            next = share.map(|(_, later)| later);
            acc = operands.accumulate::<S, E, MR, NV>(simd, acc);
        }
        acc
    }
}

impl<E: Element, F: Epilogue> Gemm for Gradient<'_, E, F> {
    #[inline(always)]
    fn sums<S: Simd, const MR: usize, const NV: usize>(&self, simd: S, i: usize, k: &impl Blocks) -> [[S::V; NV]; MR] {
        match self.operands.panels.columns(self.operands.panel).len() == NV * S::LANES {
            true => self.accumulate::<S, MR, NV, false>(simd, i, k),
            false => self.accumulate::<S, MR, NV, true>(simd, i, k),
        }
    }
    #[inline(always)]
    fn output(&mut self, i: usize) -> (&mut [f32], usize, usize) {
        (&mut self.g[(i - self.rows.start) * self.width..], self.width, self.width)
    }
    #[inline(always)]
    fn after<S: Simd>(&mut self, simd: S, rows: Range<usize>) {
        let range = self.range(rows.clone());
        if let Some(epilogue) = &mut self.epilogue {
            epilogue.apply(simd, rows, &self.g[range]);
        }
    }
}
