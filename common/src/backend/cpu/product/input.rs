//! The gradient of what goes into a layer, dx = dy W^T, as dx^T = W dy^T: images lie across the vectors, so that a weight is
//! read in the order in which it lies.

use super::super::multiply::{Below, Cells, Left, Right, multiply};
use super::super::simd::{Simd, Work};
use super::super::turn::transpose;
use super::{Weight, as_cells, as_cells_mut, store};
use std::marker::PhantomData;

/// Room for what `input_gradient` turns round.
#[derive(Default)]
pub(in super::super) struct Turned {
    dy: Vec<u32>,
    dx: Vec<f32>,
}

/// dx[r] = dy[r] W^T, added to dx if `add`; dy in cells along `out`.
#[inline(always)]
pub(in super::super) fn input_gradient<S: Simd, C: Cells>(
    simd: S,
    dx: &mut [f32],
    dy: &[u32],
    w: Weight,
    add: bool,
    turned: &mut Turned,
) {
    let (panels, inp, inner) = (w.panels, w.panels.inp, w.panels.out.div_ceil(C::PER));
    let rows = dy.len() / inner;
    assert!(dx.len() == rows * inp && w.backward.len() == panels.values() / C::PER);
    let ld = rows.next_multiple_of(panels.lanes);
    turned.dy.resize(turned.dy.len().max(inner * ld), 0);
    turned.dx.resize(turned.dx.len().max(inp * ld), 0.0);
    let (dyt, dxt) = (&mut turned.dy[..inner * ld], &mut turned.dx[..inp * ld]);
    transpose(simd, dyt, ld, dy, inner, [rows, inner]);
    let vectors = ld / panels.lanes;
    let mut v = 0;
    while v < vectors {
        let nv = (vectors - v).min(if S::MANY { 4 } else { 2 });
        let mut i = 0;
        while i < inp {
            let at = InputTile { dxt: &mut *dxt, dyt, w, i, first: v * panels.lanes, ld, cells: PhantomData };
            // As many sums as the registers hold: fewer vectors of images leave room for more rows of the weight.
            i += match (nv, inp - i) {
                (4, left) if left >= 6 => simd.apart(InputRows::<C, 6, 4>(at)),
                (3, left) if left >= 8 => simd.apart(InputRows::<C, 8, 3>(at)),
                (2, left) if left >= 12 && S::MANY => simd.apart(InputRows::<C, 12, 2>(at)),
                (2, left) if left >= 4 => simd.apart(InputRows::<C, 4, 2>(at)),
                (1, left) if left >= 8 => simd.apart(InputRows::<C, 8, 1>(at)),
                (4, _) => simd.apart(InputRows::<C, 1, 4>(at)),
                (3, _) => simd.apart(InputRows::<C, 1, 3>(at)),
                (2, _) => simd.apart(InputRows::<C, 1, 2>(at)),
                _ => simd.apart(InputRows::<C, 1, 1>(at)),
            };
        }
        v += nv;
    }
    match add {
        false => transpose(simd, as_cells_mut(dx), inp, as_cells(dxt), ld, [inp, rows]),
        true => {
            let columns = dxt.chunks_exact(ld).enumerate();
            columns.for_each(|(i, column)| (0..rows).for_each(|r| dx[r * inp + i] += column[r]));
        }
    }
}

/// Activations of dx^T from i, and vectors of images from `first`.
struct InputTile<'a, C> {
    dxt: &'a mut [f32],
    dyt: &'a [u32],
    w: Weight<'a>,
    i: usize,
    first: usize,
    ld: usize,
    cells: PhantomData<C>,
}

/// MR rows and NV vectors of it; gives MR. (A type of its own, since there are more shapes than places to say what a tile is.)
struct InputRows<'a, C, const MR: usize, const NV: usize>(InputTile<'a, C>);

impl<C: Cells, const MR: usize, const NV: usize> Work for InputRows<'_, C, MR, NV> {
    type Output = usize;

    #[inline(always)]
    fn with<S: Simd>(self, simd: S) -> usize {
        let InputTile { dxt, dyt, w, i, first, ld, .. } = self.0;
        let mut acc = [[simd.splat(0.0); NV]; MR];
        for panel in 0..w.panels.count() {
            let (columns, rows) = (w.panels.columns(panel), w.panels.rows(panel, i..i + MR));
            let cells = &w.backward[rows.start / C::PER..rows.end / C::PER];
            let next = (i + MR).min(w.panels.inp)..(i + 2 * MR).min(w.panels.inp);
            let next = w.panels.rows(panel, next);
            let next = &w.backward[next.start / C::PER..next.end / C::PER];
            let w = Left { cells, rs: w.panels.width(panel) / C::PER, cs: 1 };
            let dyt = Right { cells: &dyt[columns.start / C::PER * ld + first..], ld, columns: NV * S::LANES };
            let k = Below(columns.len().div_ceil(C::PER));
            acc = multiply::<S, C, MR, NV, 1, false>(simd, acc, k, w, dyt, [next]);
        }
        for (row, sums) in dxt[i * ld..].chunks_mut(ld).zip(acc) {
            store(simd, &mut row[first..][..NV * S::LANES], sums);
        }
        MR
    }
}
