//! dx = dy @ W^T, computed as dx^T = W @ dy^T: rows of dy lie across the vector lanes, and W is read in its packed
//! order.

use super::microkernel::{Dense, Element, Lhs, Rhs, microkernel};
use super::transpose::transpose;
use super::{PackedWeight, as_packed, as_packed_mut, store_row};
use crate::backend::cpu::scratch::ScratchVec;
use crate::backend::cpu::simd::{Simd, WithSimd};
use std::marker::PhantomData;

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
        let mut i = 0;
        while i < inp {
            let operands = Operands { dxt: &mut *dxt, dyt, w, i, first: v * panels.lanes, ld, element: PhantomData };
            // The largest tile whose accumulators fit the register file: fewer vectors allow more rows of W.
            i += match (nv, inp - i) {
                (4, left) if left >= 6 => simd.vectorize(Tile::<E, 6, 4>(operands)),
                (3, left) if left >= 8 => simd.vectorize(Tile::<E, 8, 3>(operands)),
                (2, left) if left >= 12 && S::HAS_32_REGISTERS => simd.vectorize(Tile::<E, 12, 2>(operands)),
                (2, left) if left >= 4 => simd.vectorize(Tile::<E, 4, 2>(operands)),
                (1, left) if left >= 8 => simd.vectorize(Tile::<E, 8, 1>(operands)),
                (4, _) => simd.vectorize(Tile::<E, 1, 4>(operands)),
                (3, _) => simd.vectorize(Tile::<E, 1, 3>(operands)),
                (2, _) => simd.vectorize(Tile::<E, 1, 2>(operands)),
                _ => simd.vectorize(Tile::<E, 1, 1>(operands)),
            };
        }
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

/// The operands of a tile of dx^T[I, ld], from row i and column `first`: W[I, O] dyt[O / VALUES, ld].
struct Operands<'a, E> {
    dxt: &'a mut [f32],
    dyt: &'a [u32],
    w: PackedWeight<'a>,
    i: usize,
    first: usize,
    ld: usize,
    element: PhantomData<E>,
}

/// MR rows and NV vectors of dx^T; outputs MR.
struct Tile<'a, E, const MR: usize, const NV: usize>(Operands<'a, E>);

impl<E: Element, const MR: usize, const NV: usize> WithSimd for Tile<'_, E, MR, NV> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let Operands { dxt, dyt, w, i, first, ld, .. } = self.0;
        let mut acc = [[simd.splat(0.0); NV]; MR];
        for panel in 0..w.panels.count() {
            let (columns, rows) = (w.panels.columns(panel), w.panels.rows(panel, i..i + MR));
            let data = &w.backward[rows.start / E::VALUES..rows.end / E::VALUES];
            let next = (i + MR).min(w.panels.inp)..(i + 2 * MR).min(w.panels.inp);
            let next = w.panels.rows(panel, next);
            let next = &w.backward[next.start / E::VALUES..next.end / E::VALUES];
            let w = Lhs { data, rs: w.panels.width(panel) / E::VALUES, cs: 1 };
            let dyt = Rhs { data: &dyt[columns.start / E::VALUES * ld + first..], ld, columns: NV * S::LANES };
            let k = Dense(columns.len().div_ceil(E::VALUES));
            acc = microkernel::<S, E, MR, NV, 1, false>(simd, acc, k, w, dyt, [next]);
        }
        for (row, sums) in dxt[i * ld..].chunks_mut(ld).zip(acc) {
            store_row(simd, &mut row[first..][..NV * S::LANES], sums);
        }
        MR
    }
}
