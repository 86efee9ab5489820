//! Where the images of a batch are not black: the k that a product of the first layer cannot leave out.
//!
//! ```text
//! forward           a tile is a few images: every pixel that one of them has
//! weight gradient   a tile is four pixels:  every image of a block that has one of them
//! ```
//!
//! Digits are mostly black, and neighbours are black together, so that a third of the products remains. Where most remain,
//! there is no list and the product is dense. It comes to the same bits (see [`multiply`](super::multiply)).

use super::multiply::List;
use super::simd::Simd;

/// Pixels of a tile that is listed.
pub(super) const TILE: usize = 4;
/// A list is worth its jumps up to this share of k.
const WORTH: f64 = 0.7;

/// For each tile of rows, the columns in which one of them is not zero.
#[derive(Default)]
pub(super) struct Columns {
    rows: usize,
    at: Vec<u16>,
    ends: Vec<usize>,
}

impl Columns {
    /// Looks through `[rows][width]` cells; false where a list is not worth it.
    #[inline(always)]
    pub(super) fn find<S: Simd>(&mut self, simd: S, cells: &[u32], width: usize) -> bool {
        // Fewer rows have fewer columns that one of them needs, but then the weights come too slowly from the cache.
        self.rows = S::ROWS;
        let tiles = cells.len() / width / self.rows;
        if tiles == 0 || width > u16::MAX as usize || width < S::LANES {
            return false;
        }
        self.at.resize(self.at.len().max(tiles * width + S::LANES), 0);
        self.ends.clear();
        let mut end = 0;
        for tile in cells.chunks_exact(self.rows * width) {
            let mut column = 0;
            while column < width {
                // The last vector ends where the row ends; what it has seen already is masked out.
                let start = column.min(width - S::LANES);
                let mut lit = 0;
                for row in tile.chunks_exact(width) {
                    let row = &row[start..start + S::LANES];
                    // SAFETY: the slice has as many cells.
                    #[allow(unsafe_code)]
                    let v = unsafe { simd.load(row.as_ptr()) };
                    lit |= simd.nonzero(v);
                }
                lit &= u32::MAX << (column - start);
                end += simd.append(lit, start as u16, &mut self.at[end..]);
                column = start + S::LANES;
            }
            self.ends.push(end);
            if end as f64 > WORTH * (self.ends.len() * width) as f64 && self.ends.len() * 4 >= tiles {
                return false;
            }
        }
        true
    }
    /// The columns of the tile of this size that begins with this row, where there is one.
    #[inline(always)]
    pub(super) fn tile(&self, row: usize, rows: usize) -> Option<List<'_>> {
        let tile = row / self.rows;
        if rows != self.rows || tile >= self.ends.len() {
            return None;
        }
        let start = if tile == 0 { 0 } else { self.ends[tile - 1] };
        // SAFETY: `find` appends ascending columns.
        #[allow(unsafe_code)]
        Some(unsafe { List::new(&self.at[start..self.ends[tile]]) })
    }
}

/// For each four columns of a block of up to 64 rows, the rows in which one of them is not zero, as the block leaves them
/// in memory: `[columns / 4][SLOT]`, of which the first says how many.
pub(crate) struct Lit;

impl Lit {
    /// The fewest rows of a block that are worth a list, and the most that one can have.
    pub(crate) const LEAST: usize = 8;
    const ROWS: usize = 64;
    /// Room for the number, the rows, and what a whole vector writes beyond the last.
    const SLOT: usize = 1 + Self::ROWS + 15;

    /// Numbers that a block of this width needs.
    pub(crate) fn room(width: usize) -> usize {
        width / TILE * Self::SLOT
    }

    /// Looks through `[rows][width]` cells.
    #[inline(always)]
    pub(super) fn find<S: Simd>(simd: S, to: &mut [u16], cells: &[u32], width: usize, bits: &mut Vec<u64>) {
        assert!(cells.len() <= Self::ROWS * width && to.len() == Self::room(width));
        // One bit for each row, for each four columns.
        bits.clear();
        bits.resize(width / TILE + S::LANES / TILE, 0);
        for (r, row) in cells.chunks_exact(width).enumerate() {
            for (cells, bits) in row.chunks(S::LANES).zip(bits.chunks_exact_mut(S::LANES / TILE)) {
                // SAFETY: the chunk has as many cells.
                #[allow(unsafe_code)]
                let v = unsafe {
                    match cells.len() == S::LANES {
                        true => simd.load(cells.as_ptr()),
                        false => simd.load_part(cells.as_ptr(), cells.len()),
                    }
                };
                let lit = simd.nonzero(v);
                let lit = lit | lit >> 1;
                let lit = lit | lit >> 2;
                for (g, bits) in bits.iter_mut().enumerate() {
                    *bits |= ((lit >> (TILE * g)) as u64 & 1) << r;
                }
            }
        }
        for (slot, bits) in to.chunks_exact_mut(Self::SLOT).zip(bits.iter()) {
            let (count, rows) = slot.split_first_mut().expect("a slot is longer");
            let mut n = 0;
            for first in (0..Self::ROWS).step_by(S::LANES) {
                let lit = (*bits >> first) as u32 & (u32::MAX >> (32 - S::LANES));
                n += simd.append(lit, first as u16, &mut rows[n..]);
            }
            *count = n as u16;
        }
    }

    /// How many rows are listed for some groups of four columns.
    pub(super) fn count(lit: &[u16], groups: std::ops::Range<usize>) -> usize {
        groups.map(|g| lit[g * Self::SLOT] as usize).sum()
    }

    /// The rows of a group of four columns.
    ///
    /// # Safety
    /// `find` filled the lists.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(super) unsafe fn rows(lit: &[u16], group: usize) -> List<'_> {
        let slot = &lit[group * Self::SLOT..][..Self::SLOT];
        // SAFETY: `find` appends ascending rows.
        unsafe { List::new(&slot[1..][..slot[0] as usize]) }
    }

    /// Whether lists of so many rows are worth their jumps.
    pub(super) fn worth(listed: usize, all: usize) -> bool {
        listed as f64 <= WORTH * all as f64
    }
}
