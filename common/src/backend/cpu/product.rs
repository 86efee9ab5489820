//! The three products of a layer, over a weight in [`Panels`]:
//!
//! ```text
//! forward          y[R, out]     = act(x[R, in] W + b)
//! input_gradient   dx[R, in]     = dy[R, out] W^T        computed as dx^T = W dy^T
//! weight_gradient  dW[in, panel] = x[R, in]^T dy[R, panel]
//! ```
//!
//! Their operands are cells, f32 or pairs of bf16 (see [`bf16`](super::bf16)); what they add up is f32. A weight of pairs
//! lies in memory twice, since forward adds along `in` and the input gradient along `out`:
//!
//! ```text
//! forward    panels of [in / PER][W]        backward    panels of [in][W / PER]
//! ```

use super::multiply::{Cells, Left, Right, Where, multiply};
use super::panels::Panels;
use super::simd::Simd;
use super::zeros::{self, Columns, Lit};
use crate::plan::Act;
use std::ops::Range;

/// A weight as the products read it.
#[derive(Clone, Copy)]
pub(crate) struct Weight<'a> {
    pub(crate) panels: Panels,
    pub(crate) forward: &'a [u32],
    pub(crate) backward: &'a [u32],
}

impl<'a> Weight<'a> {
    /// Of cells that hold one value.
    pub(crate) fn of(panels: Panels, values: &'a [f32]) -> Weight<'a> {
        Weight { panels, forward: as_cells(values), backward: as_cells(values) }
    }
}

/// Calls `$go::<S, C, MR, NV>` with NV vectors.
macro_rules! vectors {
    ($nv:expr, $go:ident::<$mr:literal>($($arg:expr),*)) => {
        match $nv {
            1 => $go::<S, C, $mr, 1>($($arg),*),
            2 => $go::<S, C, $mr, 2>($($arg),*),
            _ => $go::<S, C, $mr, 3>($($arg),*),
        }
    };
}

/// y[r] = act(x[r] W + b); `lit`: the columns of x that are not zero, for each few rows.
#[inline(always)]
pub(super) fn forward<S: Simd, C: Cells>(
    simd: S,
    y: &mut [f32],
    x: &[u32],
    w: Weight,
    b: &[f32],
    act: Act,
    lit: Option<&Columns>,
) {
    let panels = w.panels;
    let (rows, inner) = (y.len() / panels.out, panels.inp.div_ceil(C::PER));
    assert!(x.len() == rows * inner && b.len() == panels.out.next_multiple_of(panels.lanes));
    let along = panels.along(C::PER);
    assert_eq!(w.forward.len(), along.values());
    for panel in 0..panels.count() {
        let nv = panels.width(panel) / panels.lanes;
        let at = Forward { panels, panel, inner, w: &w.forward[along.panel(panel)], b, act };
        let mut r = 0;
        while r < rows {
            let (y, x) = (&mut y[r * panels.out..], &x[r * inner..]);
            let columns = |rows: usize| lit.and_then(|lit| lit.tile(r, rows)).map_or(Where::Below(inner), Where::At);
            r += match rows - r {
                left if left >= 8 && S::MANY => vectors!(nv, forward_tile::<8>(simd, y, x, columns(8), &at)),
                left if left >= 4 => vectors!(nv, forward_tile::<4>(simd, y, x, columns(4), &at)),
                _ => vectors!(nv, forward_tile::<1>(simd, y, x, columns(1), &at)),
            };
        }
    }
}

/// What the tiles of a panel share.
struct Forward<'a> {
    panels: Panels,
    panel: usize,
    inner: usize,
    w: &'a [u32],
    b: &'a [f32],
    act: Act,
}

/// MR rows of one panel; gives MR.
#[inline(always)]
fn forward_tile<S: Simd, C: Cells, const MR: usize, const NV: usize>(
    simd: S,
    y: &mut [f32],
    x: &[u32],
    k: Where,
    at: &Forward,
) -> usize {
    let Forward { panels, panel, inner, w, b, act } = *at;
    let (width, columns) = (NV * S::LANES, panels.columns(panel));
    let bias: [S::V; NV] = vectors_of(simd, &b[columns.start..]);
    let w = Right { cells: w, ld: width, columns: width };
    let acc = multiply::<S, C, MR, NV>(simd, [bias; MR], k, Left { cells: x, rs: inner, cs: 1 }, w);
    for (y, acc) in y.chunks_mut(panels.out).zip(acc) {
        let acc = acc.map(|v| match act {
            Act::Id => v,
            Act::Relu => simd.max(v, simd.splat(0.0)),
        });
        store(simd, &mut y[columns.clone()], acc);
    }
    MR
}

/// g[rows, panel] = sum over r of x[r, rows] dy[r, panel], in blocks of rows of x that stay in the cache. `done` is
/// called twice for each few rows of g: with nothing, some time before, so that it can fetch what it will need; and with
/// what is finished.
#[inline(always)]
pub(super) fn weight_gradient<S: Simd, C: Cells>(
    simd: S,
    g: &mut [f32],
    x: &[u32],
    dy: &[u32],
    (panels, panel, rows): (Panels, usize, Range<usize>),
    lit: Option<Blocks>,
    mut done: impl FnMut(Range<usize>, Option<&[f32]>),
) {
    const K: usize = 256;
    let (inp, out, width) = (panels.inp, panels.out, panels.width(panel));
    let count = dy.len() / out;
    assert!(x.len() == count * inp && dy.len() == count * out && rows.end <= inp);
    assert!(g.len() == rows.len() * width);
    let nv = width / panels.lanes;
    let step = lit.map_or(K, |lit| K.next_multiple_of(lit.rows));
    for first in (0..count).step_by(step) {
        let ks = first..(first + step).min(count);
        let at = Gradient { panels, panel, x: &x[ks.start * inp..ks.end * inp], dy: &dy[ks.start * out..ks.end * out] };
        let (begun, last) = (first > 0, ks.end == count);
        let lit = lit.map(|lit| lit.from(first));
        let mut i = rows.start;
        while i < rows.end {
            let left = rows.end - i;
            let many = match lit {
                Some(_) if left >= zeros::TILE => zeros::TILE,
                None if left >= 8 && S::MANY => 8,
                _ if left >= 4 => 4,
                _ => 1,
            };
            if last {
                done(i..i + many, None);
            }
            let tile = &mut g[(i - rows.start) * width..][..many * width];
            let part = (i, begun);
            match many {
                8 => vectors!(nv, gradient_tile::<8>(simd, tile, &at, part, None)),
                4 => vectors!(nv, gradient_tile::<4>(simd, tile, &at, part, lit)),
                _ => vectors!(nv, gradient_tile::<1>(simd, tile, &at, part, None)),
            }
            if last {
                done(i..i + many, Some(tile));
            }
            i += many;
        }
    }
}

/// What the tiles of a block of rows share.
struct Gradient<'a> {
    panels: Panels,
    panel: usize,
    x: &'a [u32],
    dy: &'a [u32],
}

/// The lists of the blocks that x is made of.
#[derive(Clone, Copy)]
pub(crate) struct Blocks<'a> {
    /// Those of one block after those of the other.
    pub(crate) lit: &'a [u16],
    /// Rows of cells of a block.
    pub(crate) rows: usize,
    /// Columns of x.
    pub(crate) width: usize,
}

impl<'a> Blocks<'a> {
    /// Without the blocks of the first rows.
    fn from(self, row: usize) -> Blocks<'a> {
        Blocks { lit: &self.lit[row / self.rows * Lit::room(self.width)..], ..self }
    }
    /// Whether they are worth their jumps, for these columns.
    pub(super) fn worth(self, columns: &Range<usize>, count: usize) -> bool {
        let groups = columns.start / zeros::TILE..columns.end / zeros::TILE;
        let blocks = self.lit.chunks_exact(Lit::room(self.width)).take(count.div_ceil(self.rows));
        Lit::worth(blocks.map(|lit| Lit::count(lit, groups.clone())).sum(), count * groups.len())
    }
}

/// The gradient of MR rows from i; added to what is there if `begun`.
#[inline(always)]
fn gradient_tile<S: Simd, C: Cells, const MR: usize, const NV: usize>(
    simd: S,
    g: &mut [f32],
    at: &Gradient,
    (i, begun): (usize, bool),
    lit: Option<Blocks>,
) {
    let (inp, out, columns) = (at.panels.inp, at.panels.out, at.panels.columns(at.panel));
    let (x, dy) = (&at.x[i..], &at.dy[columns.start..]);
    let left = |first: usize| Left { cells: &x[first * inp..], rs: 1, cs: inp };
    let right = |first: usize| Right { cells: &dy[first * out..], ld: out, columns: columns.len() };
    let mut acc = [[simd.splat(0.0); NV]; MR];
    if begun {
        for (acc, g) in acc.iter_mut().zip(g.chunks_exact(NV * S::LANES)) {
            *acc = vectors_of(simd, g);
        }
    }
    let count = at.x.len() / inp;
    match lit {
        None => acc = multiply::<S, C, MR, NV>(simd, acc, Where::Below(count), left(0), right(0)),
        Some(blocks) => {
            let lists = blocks.lit.chunks_exact(Lit::room(inp));
            for (first, lit) in (0..count).step_by(blocks.rows).zip(lists) {
                let rows = Where::At(Lit::rows(lit, i / zeros::TILE));
                acc = multiply::<S, C, MR, NV>(simd, acc, rows, left(first), right(first));
            }
        }
    }
    for (g, acc) in g.chunks_exact_mut(NV * S::LANES).zip(acc) {
        store(simd, g, acc);
    }
}

/// Room for what `input_gradient` turns round.
#[derive(Default)]
pub(super) struct Turned {
    dy: Vec<u32>,
    dx: Vec<f32>,
}

/// dx[r] = dy[r] W^T, added to dx if `add`; dy in cells along `out`.
#[inline(always)]
pub(super) fn input_gradient<S: Simd, C: Cells>(
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
            let at = (i, v * panels.lanes, ld);
            // As many sums as the registers hold: fewer vectors of images leave room for more rows of the weight.
            i += match (nv, inp - i) {
                (4, left) if left >= 6 => input_tile::<S, C, 6, 4>(simd, dxt, dyt, w, at),
                (3, left) if left >= 8 => input_tile::<S, C, 8, 3>(simd, dxt, dyt, w, at),
                (2, left) if left >= 12 && S::MANY => input_tile::<S, C, 12, 2>(simd, dxt, dyt, w, at),
                (2, left) if left >= 4 => input_tile::<S, C, 4, 2>(simd, dxt, dyt, w, at),
                (1, left) if left >= 8 => input_tile::<S, C, 8, 1>(simd, dxt, dyt, w, at),
                (4, _) => input_tile::<S, C, 1, 4>(simd, dxt, dyt, w, at),
                (3, _) => input_tile::<S, C, 1, 3>(simd, dxt, dyt, w, at),
                (2, _) => input_tile::<S, C, 1, 2>(simd, dxt, dyt, w, at),
                _ => input_tile::<S, C, 1, 1>(simd, dxt, dyt, w, at),
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

/// MR rows of dx^T from i, NV vectors of images from `at`; gives MR.
#[inline(always)]
fn input_tile<S: Simd, C: Cells, const MR: usize, const NV: usize>(
    simd: S,
    dxt: &mut [f32],
    dyt: &[u32],
    w: Weight,
    (i, at, ld): (usize, usize, usize),
) -> usize {
    let mut acc = [[simd.splat(0.0); NV]; MR];
    for panel in 0..w.panels.count() {
        let (columns, rows) = (w.panels.columns(panel), w.panels.rows(panel, i..i + MR));
        let cells = &w.backward[rows.start / C::PER..rows.end / C::PER];
        let w = Left { cells, rs: w.panels.width(panel) / C::PER, cs: 1 };
        let dyt = Right { cells: &dyt[columns.start / C::PER * ld + at..], ld, columns: NV * S::LANES };
        acc = multiply::<S, C, MR, NV>(simd, acc, Where::Below(columns.len().div_ceil(C::PER)), w, dyt);
    }
    for (row, acc) in dxt[i * ld..].chunks_mut(ld).zip(acc) {
        store(simd, &mut row[at..at + NV * S::LANES], acc);
    }
    MR
}

/// The first NV vectors.
#[inline(always)]
fn vectors_of<S: Simd, const NV: usize>(simd: S, values: &[f32]) -> [S::V; NV] {
    let values = &as_cells(values)[..NV * S::LANES];
    // SAFETY: the slice has as many cells.
    #[allow(unsafe_code)]
    std::array::from_fn(|v| unsafe { simd.load(values[v * S::LANES..].as_ptr()) })
}

/// Fills a row of up to NV vectors.
#[inline(always)]
fn store<S: Simd, const NV: usize>(simd: S, row: &mut [f32], vectors: [S::V; NV]) {
    for (to, v) in row.chunks_mut(S::LANES).zip(vectors) {
        // SAFETY: the chunk has as many values.
        #[allow(unsafe_code)]
        unsafe {
            match to.len() == S::LANES {
                true => simd.store(to.as_mut_ptr(), v),
                false => simd.store_part(to.as_mut_ptr(), v, to.len()),
            }
        }
    }
}

/// Floats as cells of one value each.
#[inline(always)]
pub(super) fn as_cells(values: &[f32]) -> &[u32] {
    // SAFETY: the two types have one size and alignment, and every bit pattern is one of each.
    #[allow(unsafe_code)]
    unsafe {
        std::slice::from_raw_parts(values.as_ptr().cast(), values.len())
    }
}

#[inline(always)]
fn as_cells_mut(values: &mut [f32]) -> &mut [u32] {
    // SAFETY: as above.
    #[allow(unsafe_code)]
    unsafe {
        std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), values.len())
    }
}

/// to[j, i] = from[i, j] for [m, n] cells i, j.
#[inline(always)]
fn transpose<S: Simd>(simd: S, to: &mut [u32], to_ld: usize, from: &[u32], from_ld: usize, [m, n]: [usize; 2]) {
    assert!(m > 0 && n > 0 && to_ld >= m && from_ld >= n);
    assert!((m - 1) * from_ld + n <= from.len() && (n - 1) * to_ld + m <= to.len());
    let side = S::LANES;
    for i in (0..m).step_by(side) {
        for j in (0..n).step_by(side) {
            if i + side <= m && j + side <= n {
                let (to, from) = (&mut to[j * to_ld + i..], &from[i * from_ld + j..]);
                // SAFETY: the square ends at [i + side, j + side], within both by the assertions.
                #[allow(unsafe_code)]
                unsafe {
                    simd.turn(to.as_mut_ptr(), to_ld, from.as_ptr(), from_ld)
                }
            } else {
                for (i, j) in (i..m.min(i + side)).flat_map(|i| (j..n.min(j + side)).map(move |j| (i, j))) {
                    to[j * to_ld + i] = from[i * from_ld + j];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::bf16;
    use super::super::multiply::{Pairs, Singles};
    use super::super::simd::{Level, Work};
    use super::*;

    /// The three products of a layer of one shape, each against its formula in f64.
    struct Check<'a>([usize; 3], &'a [f32]);

    impl Work for Check<'_> {
        type Output = ();

        #[inline(always)]
        fn with<S: Simd>(self, simd: S) {
            check::<S, Singles>(simd, self.0, self.1);
            check::<S, Pairs>(simd, self.0, self.1);
        }
    }

    /// Operands as cells: [along, across].
    fn cells<C: Cells>(values: &[f32], width: usize) -> [Vec<u32>; 2] {
        if C::PER == 1 {
            return [as_cells(values).to_vec(), as_cells(values).to_vec()];
        }
        let rows = values.len() / width;
        let (mut along, mut across) = (vec![0; rows * bf16::cells(width)], vec![0; bf16::cells(rows) * width]);
        bf16::along(&mut along, values, width);
        bf16::across(&mut across, values, width);
        [along, across]
    }

    #[inline(always)]
    fn check<S: Simd, C: Cells>(simd: S, [rows, inp, out]: [usize; 3], x: &[f32]) {
        // Sixteenths, which bf16 holds exactly, so that one bound serves both.
        let values = |n: usize, step: usize| (0..n).map(|i| (i * step % 31) as f32 / 16.0 - 1.0).collect::<Vec<f32>>();
        let (dy, w, b) = (values(rows * out, 29), values(inp * out, 37), values(out, 7));
        let panels = Panels::new([inp, out], S::LANES);
        let mut packed = vec![0.0; panels.values()];
        panels.pack(&mut packed, &w);
        let mut pairs = [vec![0; panels.along(2).values()], vec![0; panels.values() / 2]];
        let [forward_cells, backward_cells] = &mut pairs;
        panels.pair(forward_cells, backward_cells, &packed);
        let weight = match C::PER {
            1 => Weight::of(panels, &packed),
            _ => Weight { panels, forward: &pairs[0], backward: &pairs[1] },
        };
        let mut bias = b.clone();
        bias.resize(out.next_multiple_of(S::LANES), 0.0);
        let sum = |n: usize, f: &dyn Fn(usize) -> f32| (0..n).map(|i| f(i) as f64).sum::<f64>();
        // Sums of n products of numbers up to 1, rounded at each step.
        let near = |what: &str, got: f32, expected: f64, n: usize| {
            let error = (got as f64 - expected).abs();
            assert!(error < 1e-6 * (n as f64 + 1.0), "{what} {rows} x {inp} x {out}: expected {expected}, got {got}");
        };

        let [x_along, x_across] = cells::<C>(x, inp);
        let mut y = vec![f32::NAN; rows * out];
        forward::<S, C>(simd, &mut y, &x_along, weight, &bias, Act::Relu, None);
        for (r, o) in (0..rows * out).map(|i| (i / out, i % out)) {
            let expected = sum(inp, &|i| x[r * inp + i] * w[i * out + o]) + b[o] as f64;
            near("forward", y[r * out + o], expected.max(0.0), inp);
        }
        let mut columns = Columns::default();
        if columns.find(simd, &x_along, inp.div_ceil(C::PER)) {
            let mut sparse = vec![f32::NAN; rows * out];
            forward::<S, C>(simd, &mut sparse, &x_along, weight, &bias, Act::Relu, Some(&columns));
            assert!(sparse.iter().zip(&y).all(|(a, b)| a.to_bits() == b.to_bits()), "forward: the same bits");
        }

        let [dy_along, dy_across] = cells::<C>(&dy, out);
        let mut dx = vec![1.0; rows * inp];
        for add in [true, false] {
            input_gradient::<S, C>(simd, &mut dx, &dy_along, weight, add, &mut Turned::default());
            for (r, i) in (0..rows * inp).map(|k| (k / inp, k % inp)) {
                let expected = sum(out, &|o| dy[r * out + o] * w[i * out + o]);
                near("input gradient", dx[r * inp + i], expected + add as u8 as f64, out);
            }
        }

        let block = 8; // rows of cells
        let mut lit = vec![];
        for cells in x_across.chunks(block * inp) {
            let mut part = vec![0; Lit::room(inp)];
            Lit::find(simd, &mut part, cells, inp, &mut vec![]);
            lit.extend(part);
        }
        for panel in 0..panels.count() {
            let (tile, columns) = (inp / 8 * 4..inp, panels.columns(panel));
            let width = panels.width(panel);
            let gradient = |lit: Option<Blocks>| {
                let mut g = vec![f32::NAN; tile.len() * width];
                let (mut asked, mut finished) = (tile.start, tile.start);
                let done = |i: Range<usize>, g: Option<&[f32]>| match g {
                    None => {
                        assert_eq!(asked, i.start);
                        asked = i.end;
                    }
                    Some(g) => {
                        assert_eq!((finished, g.len()), (i.start, i.len() * width));
                        finished = i.end;
                    }
                };
                let at = (panels, panel, tile.clone());
                weight_gradient::<S, C>(simd, &mut g, &x_across, &dy_across, at, lit, done);
                assert_eq!((asked, finished), (tile.end, tile.end));
                g
            };
            let g = gradient(None);
            for (i, o) in tile.clone().flat_map(|i| columns.clone().map(move |o| (i, o))) {
                let got = g[(i - tile.start) * width + o - columns.start];
                near("weight gradient", got, sum(rows, &|r| x[r * inp + i] * dy[r * out + o]), rows);
            }
            assert!(g.iter().all(|v| v.is_finite()), "columns beyond the last are filled");
            let sparse = gradient(Some(Blocks { lit: &lit, rows: block, width: inp }));
            assert!(sparse.iter().zip(&g).all(|(a, b)| a.to_bits() == b.to_bits()), "weight gradient: the same bits");
        }
    }

    const SHAPES: [[usize; 3]; 9] = [
        [1, 1, 1],
        [31, 257, 31],
        [64, 31, 257],
        [9, 5, 48],
        [64, 49, 40],
        [2, 100, 16],
        [17, 3, 49],
        [8, 33, 20],
        [600, 20, 20],
    ];

    #[test]
    fn products_agree_with_their_formulas_at_odd_sizes_on_every_level() {
        for [rows, inp, out] in SHAPES {
            let x: Vec<f32> = (0..rows * inp).map(|i| (i * 41 % 31) as f32 / 16.0 - 1.0).collect();
            Level::available().into_iter().for_each(|level| level.run(Check([rows, inp, out], &x)));
        }
    }

    #[test]
    fn products_of_mostly_black_images_have_the_bits_of_dense_ones() {
        for [rows, inp, out] in SHAPES {
            // Strokes: a few neighbours in each row, elsewhere in the next.
            let x = (0..rows * inp).map(|k| (k / inp, k % inp)).map(|(r, i)| {
                let lit = (i + r * 3) % 40 < 7 && r % 5 != 4;
                if lit { ((i * 7 + r) % 16) as f32 / 16.0 } else { 0.0 }
            });
            let x: Vec<f32> = x.collect();
            Level::available().into_iter().for_each(|level| level.run(Check([rows, inp, out], &x)));
        }
    }
}
