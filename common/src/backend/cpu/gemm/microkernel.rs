//! The trait of every GEMM, and the microkernel under its tiles: MR x NV vector accumulators, one rank-1 update per k.
//!
//! ```text
//!                    b[K, NV vectors]
//!                  ┌───────────────┐
//!            k  →  │ b[k]          │          k counts packed elements: an f32, or a pair of bf16
//!                  └───────────────┘
//!  a[MR, K]   ┌─┐  ┌───────────────┐
//!             │ │  │ acc[i][v] +=  │
//!     a[i, k] │ │  │  a[i,k] b[k]  │
//!             └─┘  └───────────────┘
//! ```
//!
//! Each output element is one sum in the order of k, whatever MR, NV and the vector width are: results do not depend on
//! the tiling. Adding 0 times a finite number changes no sum, except -0 to 0, so each k at which all of `a` is zero may
//! be skipped ([`Sparse`]). (Weights that are not finite end a run. bf16 instructions also flush denormals, below
//! 1e-38, to zero.)

use super::store_row;
use crate::backend::cpu::simd::{Simd, WithSimd};
use std::ops::Range;

/// A packed element of 32 bits, and its multiply-add.
pub(crate) trait Element: Copy {
    /// Values per element.
    const VALUES: usize;
    fn mul_add<S: Simd>(simd: S, a: S::V, b: S::V, c: S::V) -> S::V;
}

/// One f32.
#[derive(Clone, Copy)]
pub(crate) struct F32;

impl Element for F32 {
    const VALUES: usize = 1;
    #[inline(always)]
    fn mul_add<S: Simd>(simd: S, a: S::V, b: S::V, c: S::V) -> S::V {
        simd.mul_add(a, b, c)
    }
}

/// Two bf16.
#[derive(Clone, Copy)]
pub(crate) struct Bf16Pair;

impl Element for Bf16Pair {
    const VALUES: usize = 2;
    #[inline(always)]
    fn mul_add<S: Simd>(simd: S, a: S::V, b: S::V, c: S::V) -> S::V {
        simd.dot_bf16(a, b, c)
    }
}

/// Elements of a cache line.
pub(crate) const LINE: usize = 16;

/// The left operand `[MR, K]`: element (i, k) at row(i) + column(k) of the layout.
#[derive(Clone, Copy)]
pub(crate) struct Lhs<'a, L> {
    pub(crate) data: &'a [u32],
    pub(crate) layout: L,
}

/// Where the elements of a left operand lie.
///
/// # Safety
/// For i < rows and k < end, end > 0: `row(i) + column(k) <= last(rows, end)`, where that returns.
#[allow(unsafe_code)]
pub(crate) unsafe trait Layout: Copy {
    fn row(&self, i: usize) -> usize;
    /// # Safety
    /// k < end of a call of `last` that returned.
    unsafe fn column(&self, k: usize) -> usize;
    /// The last offset of some rows and columns.
    fn last(&self, rows: usize, end: usize) -> usize;
}

/// A matrix: element (i, k) at i·rs + k·cs.
#[derive(Clone, Copy)]
pub(crate) struct Strided {
    /// Row stride.
    pub(crate) rs: usize,
    /// Column stride.
    pub(crate) cs: usize,
}

// SAFETY: both terms ascend.
#[allow(unsafe_code)]
unsafe impl Layout for Strided {
    #[inline(always)]
    fn row(&self, i: usize) -> usize {
        i * self.rs
    }
    #[inline(always)]
    unsafe fn column(&self, k: usize) -> usize {
        k * self.cs
    }
    #[inline(always)]
    fn last(&self, rows: usize, end: usize) -> usize {
        (rows - 1) * self.rs + (end - 1) * self.cs
    }
}

/// The right operand `[K, columns]`: row k at k·ld. PARTIAL: `columns` may end within the last vector (a masked load).
#[derive(Clone, Copy)]
pub(crate) struct Rhs<'a, const PARTIAL: bool> {
    pub(crate) data: &'a [u32],
    /// Leading dimension.
    pub(crate) ld: usize,
    pub(crate) columns: usize,
}

/// The k that are summed: all ([`Dense`]) or some ([`Sparse`]). Types rather than an enum, since of a function with
/// both loops the compiler keeps neither's accumulators in registers.
///
/// # Safety
/// `indices` yields no k from `end` on.
#[allow(unsafe_code)]
pub(crate) unsafe trait KIndices {
    /// An exclusive upper bound.
    fn end(&self) -> usize;
    /// The number of k.
    fn len(&self) -> usize;
    fn indices(self) -> impl Iterator<Item = usize>;
}

/// Every k below a bound.
#[derive(Clone, Copy)]
pub(crate) struct Dense(pub(crate) usize);

// SAFETY: the range ends there.
#[allow(unsafe_code)]
unsafe impl KIndices for Dense {
    #[inline(always)]
    fn end(&self) -> usize {
        self.0
    }
    #[inline(always)]
    fn len(&self) -> usize {
        self.0
    }
    #[inline(always)]
    fn indices(self) -> impl Iterator<Item = usize> {
        0..self.0
    }
}

/// A list of k, ascending.
#[derive(Clone, Copy)]
pub(crate) struct Sparse<'a>(&'a [u16]);

impl<'a> Sparse<'a> {
    /// # Safety
    /// No index is greater than the last.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn new(ascending: &'a [u16]) -> Sparse<'a> {
        Sparse(ascending)
    }
}

// SAFETY: the last index is the greatest, by the promise of `new`.
#[allow(unsafe_code)]
unsafe impl KIndices for Sparse<'_> {
    #[inline(always)]
    fn end(&self) -> usize {
        self.0.last().map_or(0, |last| *last as usize + 1)
    }
    #[inline(always)]
    fn len(&self) -> usize {
        self.0.len()
    }
    #[inline(always)]
    fn indices(self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|k| *k as usize)
    }
}

/// The operands of a tile over some K, and P streams to prefetch meanwhile, a cache line of each per k.
pub(crate) struct Operands<'a, K, L, const PARTIAL: bool, const P: usize> {
    pub(crate) k: K,
    pub(crate) a: Lhs<'a, L>,
    pub(crate) b: Rhs<'a, PARTIAL>,
    pub(crate) next: [&'a [u32]; P],
}

impl<K: KIndices, L: Layout, const PARTIAL: bool, const P: usize> Operands<'_, K, L, PARTIAL, P> {
    /// acc + a @ b: acc[MR, NV vectors] a[MR, K] b[K, NV vectors].
    #[inline(always)]
    pub(crate) fn accumulate<S: Simd, E: Element, const MR: usize, const NV: usize>(
        self,
        simd: S,
        acc: [[S::V; NV]; MR],
    ) -> [[S::V; NV]; MR] {
        let (end, a, b) = (self.k.end(), self.a, self.b);
        if end == 0 {
            return acc;
        }
        assert!(a.layout.last(MR, end) < a.data.len(), "the left operand is too short");
        assert!((end - 1) * b.ld + b.columns <= b.data.len(), "the right operand is too short");
        let columns = if PARTIAL { (NV - 1) * S::LANES + 1..=NV * S::LANES } else { NV * S::LANES..=NV * S::LANES };
        assert!(columns.contains(&b.columns), "the right operand is not NV vectors wide");
        // SAFETY: the assertions bound every element that is read, since no k reaches `end`, and the width of the right
        // operand.
        #[allow(unsafe_code)]
        unsafe {
            self.accumulate_unchecked::<S, E, MR, NV>(simd, acc)
        }
    }

    /// The loop of `accumulate`, without bounds checks.
    ///
    /// # Safety
    /// For each k, `a[i, k]` is in bounds for i < MR, and so are `b.columns` elements of row k of `b`: NV vectors, or with
    /// PARTIAL all but the last and part of that.
    #[inline(always)]
    #[allow(unsafe_code)]
    unsafe fn accumulate_unchecked<S: Simd, E: Element, const MR: usize, const NV: usize>(
        self,
        simd: S,
        mut acc: [[S::V; NV]; MR],
    ) -> [[S::V; NV]; MR] {
        let Operands { k, a, b, next } = self;
        let last = b.columns - (NV - 1) * S::LANES;
        let (left, right) = (a.data.as_ptr(), b.data.as_ptr());
        let ends = next.map(|stream| stream.as_ptr_range().end);
        let mut next = next.map(|stream| stream.as_ptr());
        for k in k.indices() {
            for p in 0..P {
                simd.prefetch(next[p]);
                next[p] = next[p].wrapping_add(LINE).min(ends[p]);
            }
            // SAFETY: the caller's promise.
            unsafe {
                let (left, right) = (left.add(a.layout.column(k)), right.add(k * b.ld));
                let row: [S::V; NV] = std::array::from_fn(|v| {
                    let at = right.add(v * S::LANES);
                    if PARTIAL && v == NV - 1 { simd.partial_load(at, last) } else { simd.load(at) }
                });
                for (i, acc) in acc.iter_mut().enumerate() {
                    let a = simd.broadcast(left.add(a.layout.row(i)));
                    for (acc, b) in acc.iter_mut().zip(row) {
                        *acc = E::mul_add(simd, a, b, *acc);
                    }
                }
            }
        }
        acc
    }
}

/// The k of each tile, in blocks: the first row of a block, and k from there.
pub(crate) trait Blocks {
    /// Rows of a tile, at most.
    const ROWS: usize = 8;
    fn blocks(&self, i: usize) -> impl Iterator<Item = (usize, impl KIndices)>;
}

impl Blocks for Dense {
    #[inline(always)]
    fn blocks(&self, _: usize) -> impl Iterator<Item = (usize, impl KIndices)> {
        std::iter::once((0, *self))
    }
}

/// A GEMM by tiles of MR rows and NV vectors. Methods are `#[inline(always)]`, as those of [`WithSimd`] are.
pub(crate) trait Gemm: Sized {
    /// Rows of the next tile: the most whose accumulators stay in registers.
    #[inline(always)]
    fn tile_rows<S: Simd>(_nv: usize, left: usize) -> usize {
        match left {
            8.. if S::HAS_32_REGISTERS => 8,
            4.. => 4,
            _ => 1,
        }
    }
    /// The sums of the tile from row i.
    fn sums<S: Simd, const MR: usize, const NV: usize>(&self, simd: S, i: usize, k: &impl Blocks) -> [[S::V; NV]; MR];
    /// The epilogue, on sums in registers.
    #[inline(always)]
    fn epilogue<S: Simd, const MR: usize, const NV: usize>(&self, _simd: S, _sums: &mut [[S::V; NV]; MR]) {}
    /// Row i of the output: up to NV vectors.
    fn row(&mut self, i: usize) -> &mut [f32];
    /// Follows some rows, while they are in L1.
    #[inline(always)]
    fn after<S: Simd>(&mut self, _simd: S, _rows: Range<usize>) {}

    /// Some rows of `nv` vectors, tile by tile.
    #[inline(always)]
    fn compute<S: Simd, K: Blocks>(&mut self, simd: S, rows: Range<usize>, nv: usize, k: &K) {
        let mut i = rows.start;
        while i < rows.end {
            let (mr, gemm) = (Self::tile_rows::<S>(nv, (rows.end - i).min(K::ROWS)), &mut *self);
            match (mr, nv) {
                (12, 2) => simd.vectorize(Tile::<_, _, 12, 2> { gemm, i, k }),
                (8, 1) => simd.vectorize(Tile::<_, _, 8, 1> { gemm, i, k }),
                (8, 2) => simd.vectorize(Tile::<_, _, 8, 2> { gemm, i, k }),
                (8, 3) => simd.vectorize(Tile::<_, _, 8, 3> { gemm, i, k }),
                (6, 4) => simd.vectorize(Tile::<_, _, 6, 4> { gemm, i, k }),
                (4, 1) => simd.vectorize(Tile::<_, _, 4, 1> { gemm, i, k }),
                (4, 2) => simd.vectorize(Tile::<_, _, 4, 2> { gemm, i, k }),
                (4, 3) => simd.vectorize(Tile::<_, _, 4, 3> { gemm, i, k }),
                (1, 1) => simd.vectorize(Tile::<_, _, 1, 1> { gemm, i, k }),
                (1, 2) => simd.vectorize(Tile::<_, _, 1, 2> { gemm, i, k }),
                (1, 3) => simd.vectorize(Tile::<_, _, 1, 3> { gemm, i, k }),
                (1, 4) => simd.vectorize(Tile::<_, _, 1, 4> { gemm, i, k }),
                _ => unreachable!("no tile of {mr} rows and {nv} vectors"),
            }
            self.after(simd, i..i + mr);
            i += mr;
        }
    }
}

/// A tile, out of line so that its accumulators stay in registers.
struct Tile<'a, G, K, const MR: usize, const NV: usize> {
    gemm: &'a mut G,
    i: usize,
    k: &'a K,
}

impl<G: Gemm, K: Blocks, const MR: usize, const NV: usize> WithSimd for Tile<'_, G, K, MR, NV> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut sums = self.gemm.sums::<S, MR, NV>(simd, self.i, self.k);
        self.gemm.epilogue(simd, &mut sums);
        for (i, sums) in sums.into_iter().enumerate() {
            store_row(simd, self.gemm.row(self.i + i), sums);
        }
    }
}
