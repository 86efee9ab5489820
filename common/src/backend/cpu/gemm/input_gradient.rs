//! dx = dy @ W^T, computed as dx^T = W @ dy^T: rows of dy lie across the vector lanes, and W is read in its packed
//! order.

use super::microkernel::{Blocks, Dense, Element, Gemm, Lhs, Operands, Rhs, Strided};
use super::transpose::transpose;
use super::{PackedWeight, as_packed, as_packed_mut};
use crate::backend::cpu::scratch::ScratchVec;
use crate::backend::cpu::simd::Simd;
use std::marker::PhantomData;
use std::ops::Range;

/// Scratch for dy^T and dx^T.
#[derive(Default)]
pub(crate) struct TransposeScratch {
    dy: ScratchVec<u32>,
    dx: ScratchVec<f32>,
}

/// dx = dy @ W^T, plus dx if `add`: dy[R, O / VALUES] W[I, O] dx[R, I].
#[inline(always)]
pub(crate) fn input_gradient<S: Simd, E: Element>(
    simd: S,
    dx: &mut [f32],
    dy: &[u32],
    w: PackedWeight,
    add: bool,
    scratch: &mut TransposeScratch,
) {
    let (panels, inp, inner) = (w.panels, w.panels.inp, w.panels.out.div_ceil(E::VALUES));
    let rows = dy.len() / inner;
    assert!(dx.len() == rows * inp && w.backward.len() == panels.values() / E::VALUES);
    let ld = rows.next_multiple_of(panels.lanes);
    let (dyt, dxt) = (scratch.dy.get(inner * ld), scratch.dx.get(inp * ld));
    transpose(simd, dyt, ld, dy, inner, [rows, inner]);
    let vectors = ld / panels.lanes;
    let mut v = 0;
    while v < vectors {
        let nv = (vectors - v).min(if S::HAS_32_REGISTERS { 4 } else { 2 });
        let (dxt, first) = (&mut *dxt, v * panels.lanes);
        let mut gemm = InputGradient::<E> { dxt, dyt, w, first, width: nv * panels.lanes, ld, element: PhantomData };
        gemm.compute(simd, 0..inp, nv, &Dense(inner));
        v += nv;
    }
    match add {
        false => transpose(simd, as_packed_mut(dx), inp, as_packed(dxt), ld, [inp, rows]),
        true => {
            let columns = dxt.chunks_exact(ld).enumerate();
            columns.for_each(|(i, column)| (0..rows).for_each(|r| dx[r * inp + i] += column[r]));
        }
    }
}

/// Columns `first..first + width` of dx^T[I, ld]: W[I, O] dyt[O / VALUES, ld].
struct InputGradient<'a, E> {
    dxt: &'a mut [f32],
    dyt: &'a [u32],
    w: PackedWeight<'a>,
    first: usize,
    width: usize,
    ld: usize,
    element: PhantomData<E>,
}

impl<E: Element> Gemm for InputGradient<'_, E> {
    #[inline(always)]
    fn tile_rows<S: Simd>(nv: usize, left: usize) -> usize {
        // Fewer vectors allow more rows of W.
        match (nv, left) {
            (4, 6..) => 6,
            (3, 8..) | (1, 8..) => 8,
            (2, 12..) if S::HAS_32_REGISTERS => 12,
            (2, 4..) => 4,
            _ => 1,
        }
    }
    #[inline(always)]
    fn sums<S: Simd, const MR: usize, const NV: usize>(&self, simd: S, i: usize, _: &impl Blocks) -> [[S::V; NV]; MR] {
        let panels = self.w.panels;
        let rows = |panel: usize, rows: Range<usize>| {
            let range = panels.rows(panel, rows.start.min(panels.inp)..rows.end.min(panels.inp));
            &self.w.backward[range.start / E::VALUES..range.end / E::VALUES]
        };
        let mut acc = [[simd.splat(0.0); NV]; MR];
        for panel in 0..panels.count() {
            let columns = panels.columns(panel);
            let dyt = &self.dyt[columns.start / E::VALUES * self.ld + self.first..];
            let operands = Operands {
                k: Dense(columns.len().div_ceil(E::VALUES)),
                a: Lhs { data: rows(panel, i..i + MR), layout: Strided { rs: panels.width(panel) / E::VALUES, cs: 1 } },
                b: Rhs::<false> { data: dyt, ld: self.ld, columns: self.width },
                next: [rows(panel, i + MR..i + 2 * MR)],
            };
            acc = operands.accumulate::<S, E, MR, NV>(simd, acc);
        }
        acc
    }
    #[inline(always)]
    fn row(&mut self, i: usize) -> &mut [f32] {
        &mut self.dxt[i * self.ld + self.first..][..self.width]
    }
}
