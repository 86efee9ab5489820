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

mod input;

use super::multiply::{Below, Cells, LINE, Left, Right, Steps, multiply};
use super::panels::Panels;
use super::simd::{Simd, Work};
use super::zeros::{self, Columns, Lit};
use crate::plan::Activation;
pub(super) use input::{Turned, input_gradient};
use std::marker::PhantomData;
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

/// Does the work on a tile of `$mr` rows and `$nv` vectors, in a function of its own, whose registers hold its sums.
macro_rules! tile {
    ($simd:expr, $nv:expr, $tile:ident::<$mr:literal $(, $steps:ty)?> $fields:tt) => {
        match $nv {
            1 => $simd.apart($tile::<C, $mr, 1 $(, $steps)?> $fields),
            2 => $simd.apart($tile::<C, $mr, 2 $(, $steps)?> $fields),
            _ => $simd.apart($tile::<C, $mr, 3 $(, $steps)?> $fields),
        }
    };
}

/// y[r] = act(x[r] W + b), for an act that is piecewise linear; `lit`: the columns of x that are not zero, for each few rows.
#[inline(always)]
pub(super) fn forward<S: Simd, C: Cells>(
    simd: S,
    y: &mut [f32],
    x: &[u32],
    w: Weight,
    b: &[f32],
    act: Activation,
    lit: Option<&Columns>,
) {
    let panels = w.panels;
    let (rows, inner) = (y.len() / panels.out, panels.inp.div_ceil(C::PER));
    assert!(x.len() == rows * inner && b.len() == panels.out.next_multiple_of(panels.lanes));
    let along = panels.of_cells(C::PER);
    assert_eq!(w.forward.len(), along.values());
    for panel in 0..panels.count() {
        let nv = panels.width(panel) / panels.lanes;
        let next = if panel + 1 < panels.count() { &w.forward[along.panel(panel + 1)] } else { &[] };
        let mut r = 0;
        while r < rows {
            let (y, x) = (&mut y[r * panels.out..], &x[r * inner..]);
            // While the first rows are multiplied the panel comes from a far cache; their share of the next is fetched.
            let next = &next[next.len() * r / rows..next.len() * (r + 8).min(rows) / rows];
            let at = &Forward { panels, panel, inner, w: &w.forward[along.panel(panel)], next, b, act };
            let many = match rows - r {
                left if left >= 8 && S::MANY => 8,
                left if left >= 4 => 4,
                _ => 1,
            };
            let (all, cells) = (Below(inner), PhantomData);
            match (many, lit.and_then(|lit| lit.tile(r, many))) {
                (8, Some(k)) => tile!(simd, nv, ForwardTile::<8, _> { y, x, k, at, cells }),
                (8, None) => tile!(simd, nv, ForwardTile::<8, _> { y, x, k: all, at, cells }),
                (4, Some(k)) => tile!(simd, nv, ForwardTile::<4, _> { y, x, k, at, cells }),
                (4, None) => tile!(simd, nv, ForwardTile::<4, _> { y, x, k: all, at, cells }),
                _ => tile!(simd, nv, ForwardTile::<1, _> { y, x, k: all, at, cells }),
            }
            r += many;
        }
    }
}

/// What the tiles of a panel share.
struct Forward<'a> {
    panels: Panels,
    panel: usize,
    inner: usize,
    w: &'a [u32],
    next: &'a [u32],
    b: &'a [f32],
    act: Activation,
}

/// MR rows of one panel, over some k.
struct ForwardTile<'a, C, const MR: usize, const NV: usize, K> {
    y: &'a mut [f32],
    x: &'a [u32],
    k: K,
    at: &'a Forward<'a>,
    cells: PhantomData<C>,
}

impl<C: Cells, const MR: usize, const NV: usize, K: Steps> Work for ForwardTile<'_, C, MR, NV, K> {
    type Output = ();

    #[inline(always)]
    fn with<S: Simd>(self, simd: S) {
        let Forward { panels, panel, inner, w, next, b, act } = *self.at;
        let (width, columns) = (NV * S::LANES, panels.columns(panel));
        let bias: [S::V; NV] = vectors_of(simd, &b[columns.start..]);
        let w = Right { cells: w, ld: width, columns: width };
        let x = Left { cells: self.x, rs: inner, cs: 1 };
        let mut acc = multiply::<S, C, MR, NV, 1, false>(simd, [bias; MR], self.k, x, w, [next]);
        // Loops unroll, so that the sums stay in registers; what is given to `map` may become a call for each.
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
            store(simd, &mut self.y[i * panels.out..][columns.clone()], sums);
        }
    }
}

/// g[rows, panel] = sum over r of x[r, rows] dy[r, panel], added to what is there if `begun`; with `learn` it is then
/// complete, and is learnt from a few rows at a time.
#[inline(always)]
pub(super) fn weight_gradient<S: Simd, C: Cells>(
    simd: S,
    g: &mut [f32],
    at: &WeightGradient,
    rows: Range<usize>,
    lit: Option<Blocks>,
    mut learn: Option<impl Learner>,
) {
    let WeightGradient { panels, panel, x, dy, .. } = *at;
    let width = panels.width(panel);
    let count = dy.len() / panels.out;
    assert!(x.len() == count * panels.inp && dy.len() == count * panels.out && rows.end <= panels.inp);
    assert!(g.len() == rows.len() * width);
    let nv = width / panels.lanes;
    let mut i = rows.start;
    while i < rows.end {
        let left = rows.end - i;
        let many = match lit {
            Some(_) if left >= zeros::TILE => zeros::TILE,
            None if left >= 8 && S::MANY => 8,
            _ if left >= 4 => 4,
            _ => 1,
        };
        // What the next rows need, since a few rows with short lists are done before theirs has come.
        let after = (i + many).min(rows.end)..(i + 2 * many).min(rows.end);
        let next = learn.as_ref().map_or([&[][..]; 3], |learn| learn.needs(after));
        let g = &mut g[(i - rows.start) * width..][..many * width];
        match many {
            8 => tile!(simd, nv, GradientTile::<8> { g, at, i, next, lit: None, cells: PhantomData }),
            4 => tile!(simd, nv, GradientTile::<4> { g, at, i, next, lit, cells: PhantomData }),
            _ => tile!(simd, nv, GradientTile::<1> { g, at, i, next, lit: None, cells: PhantomData }),
        }
        if let Some(learn) = &mut learn {
            learn.done(i..i + many, g);
        }
        i += many;
    }
}

/// What becomes of a gradient.
pub(super) trait Learner {
    /// What `done` will look at with these rows.
    fn needs(&self, rows: Range<usize>) -> [&[u32]; 3];
    /// These rows of the gradient are finished.
    fn done(&mut self, rows: Range<usize>, gradient: &[f32]);
}

/// A panel of a weight, and what its gradient is made of.
pub(super) struct WeightGradient<'a> {
    pub(super) panels: Panels,
    pub(super) panel: usize,
    pub(super) x: &'a [u32],
    pub(super) dy: &'a [u32],
    /// Whether earlier rows of x are in the gradient already.
    pub(super) begun: bool,
}

/// The lists of the blocks that x is made of.
#[derive(Clone, Copy)]
pub(crate) struct Blocks<'a> {
    /// Those of one block after those of the other.
    lit: &'a [u16],
    /// Activations of cells of a block.
    rows: usize,
    /// Columns of x.
    width: usize,
}

impl<'a> Blocks<'a> {
    /// # Safety
    /// [`Lit::find`] filled the lists.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn new(lit: &'a [u16], rows: usize, width: usize) -> Blocks<'a> {
        Blocks { lit, rows, width }
    }
    /// Without the blocks of the first rows.
    pub(super) fn from(self, row: usize) -> Blocks<'a> {
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
struct GradientTile<'a, C, const MR: usize, const NV: usize> {
    g: &'a mut [f32],
    at: &'a WeightGradient<'a>,
    i: usize,
    next: [&'a [u32]; 3],
    lit: Option<Blocks<'a>>,
    cells: PhantomData<C>,
}

impl<C: Cells, const MR: usize, const NV: usize> Work for GradientTile<'_, C, MR, NV> {
    type Output = ();

    #[inline(always)]
    fn with<S: Simd>(self, simd: S) {
        match self.at.panels.columns(self.at.panel).len() == NV * S::LANES {
            true => self.sum::<S, false>(simd),
            false => self.sum::<S, true>(simd),
        }
    }
}

impl<C: Cells, const MR: usize, const NV: usize> GradientTile<'_, C, MR, NV> {
    #[inline(always)]
    fn sum<S: Simd, const PART: bool>(self, simd: S) {
        let GradientTile { g, at, i, mut next, lit, .. } = self;
        let (inp, out, columns) = (at.panels.inp, at.panels.out, at.panels.columns(at.panel));
        let (x, dy) = (&at.x[i..], &at.dy[columns.start..]);
        let left = |first: usize| Left { cells: &x[first * inp..], rs: 1, cs: inp };
        let right = |first: usize| Right { cells: &dy[first * out..], ld: out, columns: columns.len() };
        let mut acc = [[simd.splat(0.0); NV]; MR];
        if at.begun {
            for i in 0..MR {
                acc[i] = vectors_of(simd, &g[i * NV * S::LANES..]);
            }
        }
        let count = at.x.len() / inp;
        let Some(blocks) = lit else {
            acc = multiply::<S, C, MR, NV, 3, PART>(simd, acc, Below(count), left(0), right(0), next);
            return put(simd, g, acc);
        };
        let lists = blocks.lit.chunks_exact(Lit::room(inp));
        for (first, lit) in (0..count).step_by(blocks.rows).zip(lists) {
            // SAFETY: the promise of `Blocks::new`.
            #[allow(unsafe_code)]
            let list = unsafe { Lit::rows(lit, i / zeros::TILE) };
            let share = next.map(|cells| cells.split_at(cells.len().min(list.len() * LINE)));
            next = share.map(|(_, later)| later);
            let share = share.map(|(now, _)| now);
            acc = multiply::<S, C, MR, NV, 3, PART>(simd, acc, list, left(first), right(first), share);
        }
        put(simd, g, acc);
    }
}

/// Leaves whole vectors, row after row.
#[inline(always)]
fn put<S: Simd, const MR: usize, const NV: usize>(simd: S, to: &mut [f32], acc: [[S::V; NV]; MR]) {
    let width = NV * S::LANES;
    for (row, sums) in to.chunks_exact_mut(width).zip(acc) {
        store(simd, row, sums);
    }
}

/// The first NV vectors.
#[inline(always)]
fn vectors_of<S: Simd, const NV: usize>(simd: S, values: &[f32]) -> [S::V; NV] {
    std::array::from_fn(|v| simd.read(&values[v * S::LANES..]))
}

/// Fills a row of up to NV vectors.
#[inline(always)]
fn store<S: Simd, const NV: usize>(simd: S, row: &mut [f32], vectors: [S::V; NV]) {
    let last = (NV - 1) * S::LANES;
    assert!(last < row.len() && row.len() <= NV * S::LANES);
    for v in 0..NV - 1 {
        // SAFETY: the row is longer.
        #[allow(unsafe_code)]
        unsafe {
            simd.store(row[v * S::LANES..].as_mut_ptr(), vectors[v]);
        }
    }
    let rest = &mut row[last..];
    // SAFETY: the rest has as many values.
    #[allow(unsafe_code)]
    unsafe {
        match rest.len() == S::LANES {
            true => simd.store(rest.as_mut_ptr(), vectors[NV - 1]),
            false => simd.store_part(rest.as_mut_ptr(), vectors[NV - 1], rest.len()),
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
pub(super) fn as_cells_mut(values: &mut [f32]) -> &mut [u32] {
    // SAFETY: as above.
    #[allow(unsafe_code)]
    unsafe {
        std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), values.len())
    }
}

#[cfg(test)]
mod tests;
