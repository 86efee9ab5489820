//! y = act(x @ W + b).

use super::microkernel::{Blocks, Dense, Element, Gemm, Lhs, Operands, Rhs};
use super::panels::Panels;
use super::sparsity::NonzeroColumns;
use super::{PackedWeight, load_row};
use crate::backend::cpu::simd::Simd;
use crate::plan::Activation;
use std::marker::PhantomData;

/// y = act(x @ W + b): x[R, I / VALUES] W[I, O] b[O, padded to whole vectors] y[R, O], for a piecewise linear act.
/// `nonzero`: the nonzero columns of x, per tile of rows.
#[inline(always)]
pub(crate) fn forward<S: Simd, E: Element>(
    simd: S,
    y: &mut [f32],
    x: &[u32],
    w: PackedWeight,
    b: &[f32],
    act: Activation,
    nonzero: Option<&NonzeroColumns>,
) {
    let panels = w.panels;
    let (rows, inner) = (y.len() / panels.out, panels.inp.div_ceil(E::VALUES));
    assert!(x.len() == rows * inner && b.len() == panels.out.next_multiple_of(panels.lanes));
    let packed = panels.packed(E::VALUES);
    assert_eq!(w.forward.len(), packed.values());
    let listed = nonzero.map_or(0, NonzeroColumns::rows);
    for panel in 0..panels.count() {
        let nv = panels.width(panel) / panels.lanes;
        let next = if panel + 1 < panels.count() { &w.forward[packed.panel(panel + 1)] } else { &[] };
        let (y, w) = (&mut *y, &w.forward[packed.panel(panel)]);
        let mut gemm = Forward::<E> { y, x, panels, panel, rows, w, next, b, act, element: PhantomData };
        if let Some(nonzero) = nonzero {
            gemm.compute(simd, 0..listed, nv, nonzero);
        }
        gemm.compute(simd, listed..rows, nv, &Dense(inner));
    }
}

/// A panel of y.
struct Forward<'a, E> {
    y: &'a mut [f32],
    x: &'a [u32],
    panels: Panels,
    panel: usize,
    rows: usize,
    w: &'a [u32],
    next: &'a [u32],
    b: &'a [f32],
    act: Activation,
    element: PhantomData<E>,
}

impl<E: Element> Gemm for Forward<'_, E> {
    #[inline(always)]
    fn sums<S: Simd, const MR: usize, const NV: usize>(&self, simd: S, i: usize, k: &impl Blocks) -> [[S::V; NV]; MR] {
        let (inner, width) = (self.panels.inp.div_ceil(E::VALUES), NV * S::LANES);
        let bias: [S::V; NV] = load_row(simd, &self.b[self.panels.columns(self.panel).start..]);
        // The first rows wait for this panel to come from L3 or memory; each tile prefetches its share of the next panel.
        let share = |row: usize| self.next.len() * row.min(self.rows) / self.rows;
        let next = [&self.next[share(i)..share(i + 8)]];
        let (a, b) = (
            Lhs { data: &self.x[i * inner..], rs: inner, cs: 1 },
            Rhs::<false> { data: self.w, ld: width, columns: width },
        );
        let mut acc = [bias; MR];
        for (_, k) in k.blocks(i) {
            acc = Operands { k, a, b, next }.accumulate::<S, E, MR, NV>(simd, acc);
        }
        acc
    }
    #[inline(always)]
    fn epilogue<S: Simd, const MR: usize, const NV: usize>(&self, simd: S, sums: &mut [[S::V; NV]; MR]) {
        // `for` loops unroll, so that the accumulators stay in registers; closures given to `map` may become calls.
        match self.act {
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
    #[inline(always)]
    fn output(&mut self, i: usize) -> (&mut [f32], usize, usize) {
        let (out, columns) = (self.panels.out, self.panels.columns(self.panel));
        (&mut self.y[i * out + columns.start..], out, columns.len())
    }
}
