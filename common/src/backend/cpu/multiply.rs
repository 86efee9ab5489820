//! The one loop under every product: MR rows of `a`, one cell each, times NV vectors of `b`, added into MR x NV registers.
//!
//! ```text
//!                    b: NV vectors
//!                  ┌───────────────┐
//!            k  →  │ b(k)          │          a cell is an f32, or a pair of bf16;
//!                  └───────────────┘          k counts cells
//!  a: MR rows ┌─┐  ┌───────────────┐
//!             │ │  │ acc[i][v] +=  │
//!     a(i, k) │ │  │   a(i,k) b(k) │
//!             └─┘  └───────────────┘
//! ```
//!
//! Every element is one running sum in the order of k, whatever MR, NV and the width of a vector are. Adding a product of
//! zero and a finite number changes no sum, but -0 to 0, so that the k at which all of `a` is zero may be left out:
//! a [`List`] has the others. (Weights that are not finite end a run. The bf16 instructions also flush denormal numbers
//! to zero, which are below 1e-38.)

use super::simd::{Simd, Work};
use crate::plan::Precision;

/// How cells are multiplied.
pub(super) trait Cells {
    /// Values in a cell.
    const PER: usize;
    /// What they hold.
    const PRECISION: Precision;
    fn mul_add<S: Simd>(simd: S, a: S::V, b: S::V, c: S::V) -> S::V;
}

/// A cell is an f32.
pub(super) struct Singles;

impl Cells for Singles {
    const PER: usize = 1;
    const PRECISION: Precision = Precision::Fp32;
    #[inline(always)]
    fn mul_add<S: Simd>(simd: S, a: S::V, b: S::V, c: S::V) -> S::V {
        simd.mul_add(a, b, c)
    }
}

/// A cell is two bf16.
pub(super) struct Pairs;

impl Cells for Pairs {
    const PER: usize = 2;
    const PRECISION: Precision = Precision::Bf16;
    #[inline(always)]
    fn mul_add<S: Simd>(simd: S, a: S::V, b: S::V, c: S::V) -> S::V {
        simd.mul_add_pairs(a, b, c)
    }
}

/// Work on cells of either kind; as [`Work`], all inlined.
pub(super) trait CellWork {
    fn on<S: Simd, C: Cells>(self, simd: S);
}

/// The work on cells that hold this precision.
pub(super) struct In<W>(pub(super) Precision, pub(super) W);

impl<W: CellWork> Work for In<W> {
    type Output = ();

    #[inline(always)]
    fn with<S: Simd>(self, simd: S) {
        match self.0 {
            Precision::Fp32 | Precision::Tf32 => self.1.on::<S, Singles>(simd),
            Precision::Bf16 => self.1.on::<S, Pairs>(simd),
        }
    }
}

/// Cells of a cache line.
pub(super) const LINE: usize = 16;

/// Element (i, k) at i·rs + k·cs.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    pub(super) cells: &'a [u32],
    pub(super) rs: usize,
    pub(super) cs: usize,
}

/// Row k from k·ld, `columns` wide, which may end within a vector.
#[derive(Clone, Copy)]
pub(super) struct Right<'a> {
    pub(super) cells: &'a [u32],
    pub(super) ld: usize,
    pub(super) columns: usize,
}

/// Some k, ascending: made by those who looked for them.
#[derive(Clone, Copy)]
pub(super) struct List<'a>(&'a [u16]);

impl<'a> List<'a> {
    /// # Safety
    /// No entry is greater than the last.
    #[allow(unsafe_code)]
    pub(super) unsafe fn new(ascending: &'a [u16]) -> List<'a> {
        List(ascending)
    }
    pub(super) fn len(self) -> usize {
        self.0.len()
    }
}

/// Which k are added: all [`Below`] one, or those of a [`List`]. They are types, so that a function has the loop of one only: of
/// two, the compiler keeps neither's sums in registers.
///
/// # Safety
/// `each` gives no k from `end` on.
#[allow(unsafe_code)]
pub(super) unsafe trait Steps {
    /// Beyond the last k.
    fn end(&self) -> usize;
    fn each(self) -> impl Iterator<Item = usize>;
}

/// All k below this.
pub(super) struct Below(pub(super) usize);

// SAFETY: a range ends there.
#[allow(unsafe_code)]
unsafe impl Steps for Below {
    #[inline(always)]
    fn end(&self) -> usize {
        self.0
    }
    #[inline(always)]
    fn each(self) -> impl Iterator<Item = usize> {
        0..self.0
    }
}

// SAFETY: its last is its greatest, as its maker promised.
#[allow(unsafe_code)]
unsafe impl Steps for List<'_> {
    #[inline(always)]
    fn end(&self) -> usize {
        self.0.last().map_or(0, |last| *last as usize + 1)
    }
    #[inline(always)]
    fn each(self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|k| *k as usize)
    }
}

/// acc[i][v] + sum over k of a(i, k) b(k)[v]; with `PART`, `b.columns` may end within the last vector.
///
/// Meanwhile it fetches what is needed `next`, a cache line of each with each k, so that nobody waits for it then.
#[inline(always)]
pub(super) fn multiply<S: Simd, C: Cells, const MR: usize, const NV: usize, const P: usize, const PART: bool>(
    simd: S,
    acc: [[S::V; NV]; MR],
    k: impl Steps,
    a: Left,
    b: Right,
    next: [&[u32]; P],
) -> [[S::V; NV]; MR] {
    let end = k.end();
    if end == 0 {
        return acc;
    }
    assert!((MR - 1) * a.rs + (end - 1) * a.cs < a.cells.len(), "the left side is too short");
    assert!((end - 1) * b.ld + b.columns <= b.cells.len(), "the right side is too short");
    let columns = if PART { (NV - 1) * S::LANES + 1..=NV * S::LANES } else { NV * S::LANES..=NV * S::LANES };
    assert!(columns.contains(&b.columns), "the right side is not NV vectors wide");
    // SAFETY: the assertions bound every cell that is read, since no k reaches `end`, and say how wide the right side is.
    #[allow(unsafe_code)]
    unsafe {
        each::<S, C, MR, NV, P, PART>(simd, acc, k.each(), a, b, next)
    }
}

/// The loop of `multiply`; with `PART` the last vector ends at `b.columns`.
///
/// # Safety
/// For each k, `a(i, k)` is there for i < MR, and so are `b.columns` of row k of `b`: those of NV vectors, or with `PART` of all
/// but the last and of some of that.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn each<S: Simd, C: Cells, const MR: usize, const NV: usize, const P: usize, const PART: bool>(
    simd: S,
    mut acc: [[S::V; NV]; MR],
    ks: impl Iterator<Item = usize>,
    a: Left,
    b: Right,
    next: [&[u32]; P],
) -> [[S::V; NV]; MR] {
    let last = b.columns - (NV - 1) * S::LANES;
    let (left, right) = (a.cells.as_ptr(), b.cells.as_ptr());
    let ends = next.map(|cells| cells.as_ptr_range().end);
    let mut next = next.map(|cells| cells.as_ptr());
    for k in ks {
        for p in 0..P {
            simd.prefetch(next[p]);
            next[p] = next[p].wrapping_add(LINE).min(ends[p]);
        }
        // SAFETY: the promise of the caller.
        unsafe {
            let (left, right) = (left.add(k * a.cs), right.add(k * b.ld));
            let row: [S::V; NV] = std::array::from_fn(|v| {
                let at = right.add(v * S::LANES);
                if PART && v == NV - 1 { simd.load_part(at, last) } else { simd.load(at) }
            });
            for (i, acc) in acc.iter_mut().enumerate() {
                let a = simd.splat_cell(left.add(i * a.rs));
                for (acc, b) in acc.iter_mut().zip(row) {
                    *acc = C::mul_add(simd, a, b, *acc);
                }
            }
        }
    }
    acc
}
