//! y = act(x @ W + b).

use super::microkernel::{Dense, Element, KIndices, Lhs, Rhs, microkernel};
use super::panels::Panels;
use super::sparsity::NonzeroColumns;
use super::{PackedWeight, load_row, store_row, tile};
use crate::backend::cpu::simd::{Simd, WithSimd};
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
    for panel in 0..panels.count() {
        let nv = panels.width(panel) / panels.lanes;
        let next = if panel + 1 < panels.count() { &w.forward[packed.panel(panel + 1)] } else { &[] };
        let mut r = 0;
        while r < rows {
            let (y, x) = (&mut y[r * panels.out..], &x[r * inner..]);
            // The first rows wait for this panel to come from L3 or memory; each tile prefetches its share of the next
            // panel.
            let next = &next[next.len() * r / rows..next.len() * (r + 8).min(rows) / rows];
            let shared = &Panel { panels, panel, inner, w: &w.forward[packed.panel(panel)], next, b, act };
            let mr = match rows - r {
                left if left >= 8 && S::HAS_32_REGISTERS => 8,
                left if left >= 4 => 4,
                _ => 1,
            };
            let (all, element) = (Dense(inner), PhantomData);
            match (mr, nonzero.and_then(|nonzero| nonzero.tile(r, mr))) {
                (8, Some(k)) => tile!(simd, nv, Tile::<8, _> { y, x, k, shared, element }),
                (8, None) => tile!(simd, nv, Tile::<8, _> { y, x, k: all, shared, element }),
                (4, Some(k)) => tile!(simd, nv, Tile::<4, _> { y, x, k, shared, element }),
                (4, None) => tile!(simd, nv, Tile::<4, _> { y, x, k: all, shared, element }),
                _ => tile!(simd, nv, Tile::<1, _> { y, x, k: all, shared, element }),
            }
            r += mr;
        }
    }
}

/// Operands shared by the tiles of a panel.
struct Panel<'a> {
    panels: Panels,
    panel: usize,
    /// Packed elements of a row of x.
    inner: usize,
    w: &'a [u32],
    next: &'a [u32],
    b: &'a [f32],
    act: Activation,
}

/// MR rows of a panel of y, summed over k.
struct Tile<'a, E, const MR: usize, const NV: usize, K> {
    y: &'a mut [f32],
    x: &'a [u32],
    k: K,
    shared: &'a Panel<'a>,
    element: PhantomData<E>,
}

impl<E: Element, const MR: usize, const NV: usize, K: KIndices> WithSimd for Tile<'_, E, MR, NV, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Panel { panels, panel, inner, w, next, b, act } = *self.shared;
        let (width, columns) = (NV * S::LANES, panels.columns(panel));
        let bias: [S::V; NV] = load_row(simd, &b[columns.start..]);
        let w = Rhs { data: w, ld: width, columns: width };
        let x = Lhs { data: self.x, rs: inner, cs: 1 };
        let mut acc = microkernel::<S, E, MR, NV, 1, false>(simd, [bias; MR], self.k, x, w, [next]);
        // `for` loops unroll, so that the accumulators stay in registers; closures given to `map` may become calls.
        match act {
            Activation::Relu => {
                let zero = simd.splat(0.0);
                for row in &mut acc {
                    for v in row {
                        *v = simd.max(*v, zero);
                    }
                }
            }
            Activation::LeakyRelu(slope) => {
                let slope = simd.splat(slope);
                for row in &mut acc {
                    for v in row {
                        *v = simd.max(*v, simd.mul(*v, slope));
                    }
                }
            }
            _ => {}
        }
        for (i, sums) in acc.into_iter().enumerate() {
            store_row(simd, &mut self.y[i * panels.out..][columns.clone()], sums);
        }
    }
}
