//! y = act(x @ W + b).

use super::microkernel::{Blocks, Dense, Element, Gemm, Operands, Rhs};
use super::panels::VECTORS;
use super::sparsity::NonzeroColumns;
use super::windows::Rows;
use super::{PackedWeight, load_row};
use crate::backend::cpu::simd::Simd;
use crate::plan::Activation;
use std::marker::PhantomData;
use std::ops::Range;

/// y = act(x @ W + b): x[R, I / VALUES], a matrix or windows, W[I, O] b[O, padded to whole vectors] y[R, O], for a piecewise linear act.
/// `nonzero`: the nonzero columns of x, per tile of rows.
#[inline(always)]
pub(crate) fn forward<S: Simd, E: Element, X: Rows>(
    simd: S,
    y: &mut [f32],
    x: X,
    w: PackedWeight,
    b: &[f32],
    act: Activation,
    nonzero: Option<&NonzeroColumns>,
) {
    let panels = w.panels;
    let (rows, inner) = (y.len() / panels.out, panels.inp.div_ceil(E::VALUES));
    assert!(x.shape() == [rows, inner] && b.len() == panels.out.next_multiple_of(panels.lanes));
    let packed = panels.packed(E::VALUES);
    assert_eq!(w.forward.len(), packed.values());
    let listed = nonzero.map_or(0, NonzeroColumns::rows);
    for panel in 0..panels.count() {
        let (columns, ld) = (panels.columns(panel), panels.width(panel));
        let next = if panel + 1 < panels.count() { &w.forward[packed.panel(panel + 1)] } else { &[] };
        let widest = VECTORS * panels.lanes;
        for at in (0..ld).step_by(widest) {
            let (y, w, nv) = (&mut *y, &w.forward[packed.panel(panel)][at..], (ld - at).min(widest) / panels.lanes);
            let columns = columns.start + at..columns.end.min(columns.start + at + widest);
            let shape = [rows, panels.out, ld];
            let mut gemm = Forward::<E, X> { y, x, shape, columns, w, next, b, act, element: PhantomData };
            if let Some(nonzero) = nonzero {
                gemm.compute(simd, 0..listed, nv, nonzero);
            }
            gemm.compute(simd, listed..rows, nv, &Dense(inner));
        }
    }
}

/// Columns of y, in a panel.
struct Forward<'a, E, X> {
    y: &'a mut [f32],
    x: X,
    /// Rows, values of a row of y, values of a row of w.
    shape: [usize; 3],
    columns: Range<usize>,
    w: &'a [u32],
    next: &'a [u32],
    b: &'a [f32],
    act: Activation,
    element: PhantomData<E>,
}

impl<E: Element, X: Rows> Gemm for Forward<'_, E, X> {
    #[inline(always)]
    fn sums<S: Simd, const MR: usize, const NV: usize>(&self, simd: S, i: usize, k: &impl Blocks) -> [[S::V; NV]; MR] {
        let [rows, _, ld] = self.shape;
        let bias: [S::V; NV] = load_row(simd, &self.b[self.columns.start..]);
        // The first rows wait for this panel to come from L3 or memory; each tile prefetches its share of the next panel.
        let share = |row: usize| self.next.len() * row.min(rows) / rows;
        let next = [&self.next[share(i)..share(i + 8)]];
        let (a, b) = (self.x.rows::<MR>(i), Rhs::<false> { data: self.w, ld, columns: NV * S::LANES });
        let mut acc = [bias; MR];
        for (_, k) in k.blocks(i) {
            acc = Operands { k, a, b, next }.accumulate::<S, E, MR, NV>(simd, acc);
        }
        acc
    }
    #[inline(always)]
    fn epilogue<S: Simd, const MR: usize, const NV: usize>(&self, simd: S, sums: &mut [[S::V; NV]; MR]) {
        activate(simd, sums, self.act);
    }
    #[inline(always)]
    fn row(&mut self, i: usize) -> &mut [f32] {
        &mut self.y[i * self.shape[1] + self.columns.start..][..self.columns.len()]
    }
}

/// sums = act(sums), for a piecewise linear act.
#[inline(always)]
pub(super) fn activate<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    sums: &mut [[S::V; NV]; MR],
    act: Activation,
) {
    // `for` loops unroll, so that the accumulators stay in registers; closures given to `map` may become calls.
    match act {
        Activation::Relu => {
            let zero = simd.splat(0.0);
            for row in sums {
                for v in row {
                    *v = simd.max(*v, zero);
                }
            }
        }
        Activation::LeakyRelu(slope) => {
            let slope = simd.splat(slope);
            for row in sums {
                for v in row {
                    *v = simd.max(*v, simd.mul(*v, slope));
                }
            }
        }
        _ => {}
    }
}
