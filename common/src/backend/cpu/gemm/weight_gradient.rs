//! dW = x^T @ dy.

use super::load_row;
use super::microkernel::{Blocks, Dense, Element, F32, Gemm, KIndices, LINE, Layout, Lhs, Operands, Rhs, Strided};
use super::panels::Panels;
use super::sparsity::{GROUP, NonzeroRows};
use super::windows::{Columns, PatchColumns};
use crate::backend::cpu::scratch::ScratchVec;
use crate::backend::cpu::simd::Simd;
use std::marker::PhantomData;
use std::ops::Range;

/// The operands of the gradient of one panel.
pub(crate) struct WeightGradient<'a> {
    pub(crate) panels: Panels,
    pub(crate) panel: usize,
    pub(crate) x: ColumnRange<'a>,
    pub(crate) dy: ColumnRange<'a>,
    /// Whether to add to g, the sum over earlier chunks of K.
    pub(crate) accumulate: bool,
}

/// Adjacent columns of a matrix of packed elements.
#[derive(Clone, Copy)]
pub(crate) struct ColumnRange<'a> {
    pub(super) data: &'a [u32],
    /// Leading dimension.
    pub(super) ld: usize,
    /// The first column.
    first: usize,
}

impl<'a> ColumnRange<'a> {
    /// All columns.
    pub(crate) fn all(data: &'a [u32], ld: usize) -> ColumnRange<'a> {
        ColumnRange { data, ld, first: 0 }
    }
    /// Copies some columns where rows are far apart: lines at such strides fall into few sets of a cache, and evict each
    /// other before they are read again.
    #[inline(always)]
    pub(super) fn pack(self, columns: Range<usize>, scratch: &'a mut ScratchVec<u32>) -> ColumnRange<'a> {
        const FAR: usize = 1024;
        if self.ld < FAR {
            return self;
        }
        let ld = columns.len().next_multiple_of(LINE);
        let to = scratch.get(self.rows() * ld);
        for (to, from) in to.chunks_exact_mut(ld).zip(self.data.chunks_exact(self.ld)) {
            to[..columns.len()].copy_from_slice(&from[columns.start - self.first..columns.end - self.first]);
        }
        ColumnRange { data: to, ld, first: columns.start }
    }
    fn rows(self) -> usize {
        self.data.len() / self.ld
    }
    fn contains(self, columns: &Range<usize>) -> bool {
        self.first <= columns.start && columns.end <= self.first + self.ld
    }
}

impl Columns for ColumnRange<'_> {
    const PREFETCH: bool = true;
    #[inline(always)]
    fn columns<const MR: usize>(&self, first: usize, i: usize) -> Lhs<'_, impl Layout> {
        Lhs { data: &self.data[first * self.ld + i - self.first..], layout: Strided { rs: 1, cs: self.ld } }
    }
    #[inline(always)]
    fn neighbours<const MR: usize>(&self, _: usize, _: usize) -> Option<Lhs<'_, impl Layout>> {
        None::<Lhs<Strided>>
    }
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
    let WeightGradient { panels, panel, x, dy, accumulate } = *operands;
    let (width, count, columns) = (panels.width(panel), x.rows(), panels.columns(panel));
    assert!(dy.rows() == count && x.contains(&rows) && dy.contains(&columns));
    assert!(g.len() == rows.len() * width);
    let nv = width / panels.lanes;
    let listed = rows.start + if nonzero.is_some() { rows.len() / GROUP * GROUP } else { 0 };
    let (first, end) = (rows.start, rows.end);
    let (columns, dy, out) = (columns.start - dy.first..columns.end - dy.first, dy.data, dy.ld);
    let mut gemm =
        Gradient::<E, _, _> { g, x, dy, out, columns, accumulate, rows, width, epilogue, element: PhantomData };
    if let Some(nonzero) = nonzero {
        gemm.compute(simd, first..listed, nv, &nonzero);
    }
    gemm.compute(simd, listed..end, nv, &Dense(count));
}

/// The operands of a gradient over patches.
pub(crate) struct PatchGradient<'a> {
    /// x[K, I].
    pub(crate) x: PatchColumns<'a>,
    pub(crate) dy: &'a [u32],
    /// O.
    pub(crate) out: usize,
    /// Columns of dy, of up to a panel.
    pub(crate) columns: Range<usize>,
    /// Whether to add to g, the sum over earlier chunks of K.
    pub(crate) accumulate: bool,
}

/// g (+)= x^T @ dy for some columns of dy, in f32: dy[K, O] g[rows, columns, zero-padded to whole vectors]. For the rest see
/// [`weight_gradient`].
#[inline(always)]
pub(crate) fn patch_gradient<S: Simd>(
    simd: S,
    g: &mut [f32],
    operands: PatchGradient,
    rows: Range<usize>,
    epilogue: Option<impl Epilogue>,
) {
    let PatchGradient { x, dy, out, columns, accumulate } = operands;
    let (width, count, k) = (columns.len().next_multiple_of(S::LANES), dy.len() / out, rows.clone());
    assert!(dy.len() == count * out && columns.end <= out && g.len() == rows.len() * width);
    let mut gemm =
        Gradient::<F32, _, _> { g, x, dy, out, columns, accumulate, rows, width, epilogue, element: PhantomData };
    gemm.compute(simd, k, width / S::LANES, &Dense(count));
}

/// Some rows and columns of dW.
struct Gradient<'a, E, X, F> {
    g: &'a mut [f32],
    x: X,
    dy: &'a [u32],
    /// O.
    out: usize,
    columns: Range<usize>,
    accumulate: bool,
    rows: Range<usize>,
    width: usize,
    epilogue: Option<F>,
    element: PhantomData<E>,
}

impl<E: Element, X: Columns, F: Epilogue> Gradient<'_, E, X, F> {
    /// The range of some rows in g.
    fn range(&self, rows: Range<usize>) -> Range<usize> {
        (rows.start - self.rows.start) * self.width..(rows.end - self.rows.start) * self.width
    }

    /// The sums over k of the left operand from each block of rows on.
    #[inline(always)]
    fn accumulate<'x, S: Simd, L: Layout, const MR: usize, const NV: usize, const PARTIAL: bool, const P: usize>(
        &self,
        simd: S,
        i: usize,
        k: &impl Blocks,
        left: impl Fn(usize) -> Lhs<'x, L>,
    ) -> [[S::V; NV]; MR] {
        let Range { start, end } = self.columns;
        let mut acc = [[simd.splat(0.0); NV]; MR];
        if self.accumulate {
            for (r, acc) in acc.iter_mut().enumerate() {
                *acc = load_row(simd, &self.g[self.range(i + r..i + r + 1)]);
            }
        }
        // What the epilogue of the next rows reads: with short lists a tile is too short to hide the latency.
        let last = self.rows.end;
        let after = (i + MR).min(last)..(i + 2 * MR).min(last);
        let streams = self.epilogue.as_ref().map_or([&[][..]; 3], |epilogue| epilogue.prefetch(after));
        let mut next: [&[u32]; P] = std::array::from_fn(|stream| streams[stream]);
        for (first, k) in k.blocks(i) {
            let share = next.map(|stream| stream.split_at(stream.len().min(k.len() * LINE)));
            let b = Rhs::<PARTIAL> { data: &self.dy[first * self.out + start..], ld: self.out, columns: end - start };
            let operands = Operands { k, a: left(first), b, next: share.map(|(now, _)| now) };
            next = share.map(|(_, later)| later);
            acc = operands.accumulate::<S, E, MR, NV>(simd, acc);
        }
        acc
    }

    /// `accumulate` of columns anywhere, or of neighbours.
    #[inline(always)]
    fn tile<S: Simd, const MR: usize, const NV: usize, const PARTIAL: bool>(
        &self,
        simd: S,
        i: usize,
        k: &impl Blocks,
    ) -> [[S::V; NV]; MR] {
        let scattered = |first| self.x.columns::<MR>(first, i);
        if X::PREFETCH {
            return self.accumulate::<S, _, MR, NV, PARTIAL, 3>(simd, i, k, scattered);
        }
        match self.x.neighbours::<MR>(0, i) {
            Some(left) => self.accumulate::<S, _, MR, NV, PARTIAL, 0>(simd, i, k, |_| left),
            None => self.accumulate::<S, _, MR, NV, PARTIAL, 0>(simd, i, k, scattered),
        }
    }
}

impl<E: Element, X: Columns, F: Epilogue> Gemm for Gradient<'_, E, X, F> {
    #[inline(always)]
    fn sums<S: Simd, const MR: usize, const NV: usize>(&self, simd: S, i: usize, k: &impl Blocks) -> [[S::V; NV]; MR] {
        match self.columns.len() == NV * S::LANES {
            true => self.tile::<S, MR, NV, false>(simd, i, k),
            false => self.tile::<S, MR, NV, true>(simd, i, k),
        }
    }
    #[inline(always)]
    fn row(&mut self, i: usize) -> &mut [f32] {
        &mut self.g[(i - self.rows.start) * self.width..][..self.width]
    }
    #[inline(always)]
    fn after<S: Simd>(&mut self, simd: S, rows: Range<usize>) {
        let range = self.range(rows.clone());
        if let Some(epilogue) = &mut self.epilogue {
            epilogue.apply(simd, rows, &self.g[range]);
        }
    }
}
