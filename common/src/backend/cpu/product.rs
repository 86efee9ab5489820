//! The three products of a layer, R rows at a time, over a weight in [`Panels`]:
//!
//! ```text
//! forward          y[R, out]     = act(x[R, in] W + b)
//! input_gradient   dx[R, in]     = dy[R, out] W^T        computed as dx^T = W dy^T
//! weight_gradient  dW[in, panel] = x[R, in]^T dy[R, panel]
//! ```
//!
//! All are one loop: MR rows of `a`, one number each, times NV vectors of `b`, added into MR x NV registers. Every element
//! of a result is one running sum in the order of the inner dimension, whatever MR, NV and the width of a vector are.

use super::panels::{Panels, VECTORS};
use crate::plan::Act;
use pulp::Simd;
use std::ops::Range;

/// acc[i][v] += sum over k of a(k)[i] b(k)[v]
#[inline(always)]
fn multiply<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    acc: &mut [[S::f32s; NV]; MR],
    inner: usize,
    a: impl Fn(usize) -> [f32; MR],
    b: impl Fn(usize) -> [S::f32s; NV],
) {
    for k in 0..inner {
        let (a, b) = (a(k), b(k));
        for i in 0..MR {
            let a = simd.splat_f32s(a[i]);
            for v in 0..NV {
                acc[i][v] = simd.mul_add_e_f32s(a, b[v], acc[i][v]);
            }
        }
    }
}

/// Calls `$go::<S, MR, NV>` with NV vectors.
macro_rules! vectors {
    ($nv:expr, $go:ident::<$s:ty, $mr:literal>($($arg:expr),*)) => {
        match $nv {
            1 => $go::<$s, $mr, 1>($($arg),*),
            2 => $go::<$s, $mr, 2>($($arg),*),
            _ => $go::<$s, $mr, 3>($($arg),*),
        }
    };
}

/// The vectors of a row of whole vectors.
#[inline(always)]
fn row<S: Simd, const NV: usize>(values: &[f32]) -> [S::f32s; NV] {
    *S::as_simd_f32s(values).0.first_chunk().expect("a row of NV vectors")
}

/// y[r] = act(x[r] W + b)
#[inline(always)]
pub(super) fn forward<S: Simd>(simd: S, y: &mut [f32], x: &[f32], w: &[f32], b: &[f32], panels: Panels, act: Act) {
    let rows = y.len() / panels.out;
    assert!(
        x.len() == rows * panels.inp
            && w.len() == panels.values()
            && b.len() == panels.out.next_multiple_of(panels.lanes)
    );
    let many = if S::REGISTER_COUNT >= 32 { 8 } else { 4 };
    for panel in 0..panels.count() {
        let nv = panels.width(panel) / panels.lanes;
        let (w, b) = (&w[panels.panel(panel)], &b[panel * VECTORS * panels.lanes..]);
        let mut r = 0;
        while r < rows {
            let at = (panels, panel, act);
            r += match rows - r {
                left if left >= 8 && many == 8 => vectors!(nv, forward_tile::<S, 8>(simd, y, x, w, b, r, at)),
                left if left >= 4 => vectors!(nv, forward_tile::<S, 4>(simd, y, x, w, b, r, at)),
                _ => vectors!(nv, forward_tile::<S, 1>(simd, y, x, w, b, r, at)),
            };
        }
    }
}

/// MR rows from r of one panel; gives MR.
#[inline(always)]
fn forward_tile<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    y: &mut [f32],
    x: &[f32],
    w: &[f32],
    b: &[f32],
    r: usize,
    (panels, panel, act): (Panels, usize, Act),
) -> usize {
    let inp = panels.inp;
    let x: [&[f32]; MR] = std::array::from_fn(|i| &x[(r + i) * inp..][..inp]);
    let w = &S::as_simd_f32s(w).0.as_chunks::<NV>().0[..inp];
    let mut acc = [row::<S, NV>(b); MR];
    multiply(simd, &mut acc, inp, |k| std::array::from_fn(|i| x[i][k]), |k| w[k]);
    for (i, acc) in acc.iter().enumerate() {
        let columns = panels.columns(panel);
        let y = &mut y[(r + i) * panels.out..][columns];
        for (y, acc) in y.chunks_mut(panels.lanes).zip(acc) {
            let value = match act {
                Act::Id => *acc,
                Act::Relu => simd.max_f32s(*acc, simd.splat_f32s(0.0)),
            };
            simd.partial_store_f32s(y, value);
        }
    }
    MR
}

/// g[rows, panel] = sum over r of x[r, rows] dy[r, panel]
#[inline(always)]
pub(super) fn weight_gradient<S: Simd>(
    simd: S,
    g: &mut [f32],
    x: &[f32],
    dy: &[f32],
    panels: Panels,
    panel: usize,
    rows: Range<usize>,
) {
    let count = dy.len() / panels.out;
    assert!(x.len() == count * panels.inp && g.len() == rows.len() * panels.width(panel) && rows.end <= panels.inp);
    let many = if S::REGISTER_COUNT >= 32 { 8 } else { 4 };
    let nv = panels.width(panel) / panels.lanes;
    let whole = panels.columns(panel).len() == panels.width(panel);
    let mut i = rows.start;
    while i < rows.end {
        let g = &mut g[(i - rows.start) * panels.width(panel)..];
        let at = (panels, panel, i, whole);
        i += match rows.end - i {
            left if left >= 8 && many == 8 => vectors!(nv, weight_tile::<S, 8>(simd, g, x, dy, at)),
            left if left >= 4 => vectors!(nv, weight_tile::<S, 4>(simd, g, x, dy, at)),
            _ => vectors!(nv, weight_tile::<S, 1>(simd, g, x, dy, at)),
        };
    }
}

#[inline(always)]
fn weight_tile<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    g: &mut [f32],
    x: &[f32],
    dy: &[f32],
    (panels, panel, i, whole): (Panels, usize, usize, bool),
) -> usize {
    let (inp, out, columns) = (panels.inp, panels.out, panels.columns(panel));
    let count = dy.len() / out;
    let mut acc = [[simd.splat_f32s(0.0); NV]; MR];
    let a = |k: usize| *x[k * inp + i..].first_chunk().expect("MR values");
    if whole {
        multiply(simd, &mut acc, count, a, |k| row::<S, NV>(&dy[k * out + columns.start..]));
    } else {
        let partial = |k: usize| {
            let mut parts = dy[k * out..][columns.clone()].chunks(panels.lanes);
            std::array::from_fn(|_| simd.partial_load_f32s(parts.next().unwrap_or_default()))
        };
        multiply(simd, &mut acc, count, a, partial);
    }
    let (g, _) = S::as_mut_simd_f32s(g);
    for (g, acc) in g.as_chunks_mut::<NV>().0.iter_mut().zip(&acc) {
        *g = *acc;
    }
    MR
}

/// Room for what `input_gradient` turns round.
#[derive(Default)]
pub(super) struct Turned {
    dy: Vec<f32>,
    dx: Vec<f32>,
}

/// dx[r] = dy[r] W^T, added to dx if `add`
#[inline(always)]
pub(super) fn input_gradient<S: Simd>(
    simd: S,
    dx: &mut [f32],
    dy: &[f32],
    w: &[f32],
    panels: Panels,
    add: bool,
    turned: &mut Turned,
) {
    let (inp, out) = (panels.inp, panels.out);
    let rows = dy.len() / out;
    assert!(dx.len() == rows * inp && w.len() == panels.values());
    let ld = rows.next_multiple_of(panels.lanes);
    turned.dy.resize(turned.dy.len().max(out * ld), 0.0);
    turned.dx.resize(turned.dx.len().max(inp * ld), 0.0);
    let (dyt, dxt) = (&mut turned.dy[..out * ld], &mut turned.dx[..inp * ld]);
    transpose(dyt, ld, dy, out, [rows, out], false);
    let vectors = ld / panels.lanes;
    let (mr, most) = if S::REGISTER_COUNT >= 32 { (6, 4) } else { (4, 2) };
    let mut v = 0;
    while v < vectors {
        let nv = most.min(vectors - v);
        let mut i = 0;
        while i < inp {
            let at = (panels, i, v * panels.lanes, ld);
            i += match (inp - i >= mr, mr, nv) {
                (true, 6, 4) => input_tile::<S, 6, 4>(simd, dxt, dyt, w, at),
                (true, 4, 2) => input_tile::<S, 4, 2>(simd, dxt, dyt, w, at),
                (_, _, 4) => input_tile::<S, 1, 4>(simd, dxt, dyt, w, at),
                (_, _, 3) => input_tile::<S, 1, 3>(simd, dxt, dyt, w, at),
                (_, _, 2) => input_tile::<S, 1, 2>(simd, dxt, dyt, w, at),
                _ => input_tile::<S, 1, 1>(simd, dxt, dyt, w, at),
            };
        }
        v += nv;
    }
    transpose(dx, inp, dxt, ld, [inp, rows], add);
}

/// MR rows of dx^T from i, NV vectors of images from `at`; gives MR.
#[inline(always)]
fn input_tile<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    dxt: &mut [f32],
    dyt: &[f32],
    w: &[f32],
    (panels, i, at, ld): (Panels, usize, usize, usize),
) -> usize {
    let mut acc = [[simd.splat_f32s(0.0); NV]; MR];
    for panel in 0..panels.count() {
        let columns = panels.columns(panel);
        let w: [&[f32]; MR] = std::array::from_fn(|m| &w[panels.rows(panel, i + m..i + m + 1)][..columns.len()]);
        let dyt = &dyt[columns.start * ld + at..];
        let b = |k: usize| row::<S, NV>(&dyt[k * ld..]);
        multiply(simd, &mut acc, columns.len(), |k| std::array::from_fn(|m| w[m][k]), b);
    }
    for (m, acc) in acc.iter().enumerate() {
        let (row, _) = S::as_mut_simd_f32s(&mut dxt[(i + m) * ld + at..]);
        *row.first_chunk_mut().expect("NV vectors") = *acc;
    }
    MR
}

/// to[j, i] = from[i, j], added to it if `add`, for [m, n] values i, j. Squares of 16 keep both sides in cache.
#[inline(always)]
fn transpose(to: &mut [f32], to_ld: usize, from: &[f32], from_ld: usize, [m, n]: [usize; 2], add: bool) {
    const SIDE: usize = 16;
    for i0 in (0..m).step_by(SIDE) {
        for j0 in (0..n).step_by(SIDE) {
            let (rows, cols) = (SIDE.min(m - i0), SIDE.min(n - j0));
            let mut square = [[0.0f32; SIDE]; SIDE];
            for i in 0..rows {
                let from = &from[(i0 + i) * from_ld + j0..][..cols];
                for (j, v) in from.iter().enumerate() {
                    square[j][i] = *v;
                }
            }
            for (j, line) in square[..cols].iter().enumerate() {
                let to = &mut to[(j0 + j) * to_ld + i0..][..rows];
                if add {
                    to.iter_mut().zip(line).for_each(|(t, v)| *t += v);
                } else {
                    to.copy_from_slice(&line[..rows]);
                }
            }
        }
    }
}
