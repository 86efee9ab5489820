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

/// Numbers as a product reads them: element (i, k) at i·rs + k·cs.
#[derive(Clone, Copy)]
struct Left<'a> {
    values: &'a [f32],
    rs: usize,
    cs: usize,
}

/// Rows of vectors as a product reads them: row k from k·ld, `columns` wide, which may end within a vector.
#[derive(Clone, Copy)]
struct Right<'a> {
    values: &'a [f32],
    ld: usize,
    columns: usize,
}

/// acc[i][v] + sum over k < inner of a(i, k) b(k)[v]
#[inline(always)]
fn multiply<S: Simd, const MR: usize, const NV: usize>(
    simd: S,
    acc: [[S::f32s; NV]; MR],
    inner: usize,
    a: Left,
    b: Right,
) -> [[S::f32s; NV]; MR] {
    if inner == 0 {
        return acc;
    }
    assert!((MR - 1) * a.rs + (inner - 1) * a.cs < a.values.len(), "the left side is too short");
    assert!((inner - 1) * b.ld + b.columns <= b.values.len(), "the right side is too short");
    assert!(
        ((NV - 1) * S::F32_LANES + 1..=NV * S::F32_LANES).contains(&b.columns),
        "the right side is not NV vectors wide"
    );
    // SAFETY: the assertions bound every element that is read.
    #[allow(unsafe_code)]
    unsafe {
        if b.columns == NV * S::F32_LANES {
            multiply_unchecked::<S, MR, NV, false>(simd, acc, inner, a, b)
        } else {
            multiply_unchecked::<S, MR, NV, true>(simd, acc, inner, a, b)
        }
    }
}

/// The loop of `multiply`; with `PART` the last vector ends at `b.columns`.
///
/// # Safety
/// Element (i, k) of `a` is there for i < MR and k < inner, and so are `b.columns` of NV vectors of each row k of `b`.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn multiply_unchecked<S: Simd, const MR: usize, const NV: usize, const PART: bool>(
    simd: S,
    mut acc: [[S::f32s; NV]; MR],
    inner: usize,
    a: Left,
    b: Right,
) -> [[S::f32s; NV]; MR] {
    let last = simd.mask_between_m32s(0, (b.columns - (NV - 1) * S::F32_LANES) as u32);
    let (mut left, mut right) = (a.values.as_ptr(), b.values.as_ptr());
    for _ in 0..inner {
        // SAFETY: the promise of the caller; the pointers move past what is read only after the last row.
        unsafe {
            let row: [S::f32s; NV] = std::array::from_fn(|v| {
                let at = right.add(v * S::F32_LANES);
                if PART && v == NV - 1 {
                    simd.mask_load_ptr_f32s(last, at)
                } else {
                    at.cast::<S::f32s>().read_unaligned()
                }
            });
            for (i, acc) in acc.iter_mut().enumerate() {
                let a = simd.splat_f32s(*left.add(i * a.rs));
                for (acc, b) in acc.iter_mut().zip(row) {
                    *acc = simd.mul_add_e_f32s(a, b, *acc);
                }
            }
            (left, right) = (left.wrapping_add(a.cs), right.wrapping_add(b.ld));
        }
    }
    acc
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
    let width = NV * panels.lanes;
    let x = Left { values: &x[r * inp..], rs: inp, cs: 1 };
    let w = Right { values: w, ld: width, columns: width };
    let acc = multiply(simd, [row::<S, NV>(b); MR], inp, x, w);
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
    let mut i = rows.start;
    while i < rows.end {
        let g = &mut g[(i - rows.start) * panels.width(panel)..];
        let at = (panels, panel, i);
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
    (panels, panel, i): (Panels, usize, usize),
) -> usize {
    let (inp, out, columns) = (panels.inp, panels.out, panels.columns(panel));
    let x = Left { values: &x[i..], rs: 1, cs: inp };
    let dy_panel = Right { values: &dy[columns.start..], ld: out, columns: columns.len() };
    let acc = multiply(simd, [[simd.splat_f32s(0.0); NV]; MR], dy.len() / out, x, dy_panel);
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
        let w = Left { values: &w[panels.rows(panel, i..i + MR)], rs: panels.width(panel), cs: 1 };
        let dyt = Right { values: &dyt[columns.start * ld + at..], ld, columns: NV * panels.lanes };
        acc = multiply(simd, acc, columns.len(), w, dyt);
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

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::{Scalar, WithSimd};

    /// The three products of a layer of one shape, each against its formula in f64.
    struct Check([usize; 3]);

    impl WithSimd for Check {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let [rows, inp, out] = self.0;
            let values =
                |n: usize, step: usize| (0..n).map(|i| (i * step % 101) as f32 / 50.0 - 1.0).collect::<Vec<f32>>();
            let (x, dy, w, b) = (values(rows * inp, 37), values(rows * out, 29), values(inp * out, 31), values(out, 7));
            let panels = Panels::new([inp, out], S::F32_LANES);
            let mut packed = vec![0.0; panels.values()];
            panels.pack(&mut packed, &w);
            let mut bias = b.clone();
            bias.resize(out.next_multiple_of(S::F32_LANES), 0.0);
            let sum = |n: usize, f: &dyn Fn(usize) -> f32| (0..n).map(|i| f(i) as f64).sum::<f64>();
            // Sums of n products of numbers up to 1, rounded at each step.
            let near = |what: &str, got: f32, expected: f64, n: usize| {
                let error = (got as f64 - expected).abs();
                assert!(
                    error < 1e-6 * (n as f64 + 1.0),
                    "{what} {rows} x {inp} x {out}: expected {expected}, got {got}"
                );
            };

            let mut y = vec![f32::NAN; rows * out];
            forward(simd, &mut y, &x, &packed, &bias, panels, Act::Relu);
            for (r, o) in (0..rows * out).map(|i| (i / out, i % out)) {
                let expected = sum(inp, &|i| x[r * inp + i] * w[i * out + o]) + b[o] as f64;
                near("forward", y[r * out + o], expected.max(0.0), inp);
            }
            let mut dx = vec![1.0; rows * inp];
            input_gradient(simd, &mut dx, &dy, &packed, panels, true, &mut Turned::default());
            for (r, i) in (0..rows * inp).map(|k| (k / inp, k % inp)) {
                let expected = 1.0 + sum(out, &|o| dy[r * out + o] * w[i * out + o]);
                near("input gradient", dx[r * inp + i], expected, out);
            }
            for panel in 0..panels.count() {
                let (tile, columns) = (inp / 3..inp, panels.columns(panel));
                let mut g = vec![f32::NAN; tile.len() * panels.width(panel)];
                weight_gradient(simd, &mut g, &x, &dy, panels, panel, tile.clone());
                for (i, o) in tile.clone().flat_map(|i| columns.clone().map(move |o| (i, o))) {
                    let got = g[(i - tile.start) * panels.width(panel) + o - columns.start];
                    near("weight gradient", got, sum(rows, &|r| x[r * inp + i] * dy[r * out + o]), rows);
                }
                assert!(g.iter().all(|v| v.is_finite()), "columns beyond the last are filled");
            }
        }
    }

    #[test]
    fn products_agree_with_their_formulas_at_odd_sizes_on_every_vector_width() {
        for shape in [[1, 1, 1], [31, 257, 31], [64, 31, 257], [9, 5, 48], [64, 49, 40], [2, 100, 16], [17, 3, 49]] {
            Simd::vectorize(Scalar::new(), Check(shape));
            #[cfg(target_arch = "x86_64")]
            {
                if let Some(v3) = pulp::x86::V3::try_new() {
                    Simd::vectorize(v3, Check(shape));
                }
                if let Some(v4) = pulp::x86::V4::try_new() {
                    Simd::vectorize(v4, Check(shape));
                }
            }
            pulp::Arch::new().dispatch(Check(shape));
        }
    }
}
