//! Index lists of nonzero inputs, to skip zero k in the GEMMs of the first layer.
//!
//! ```text
//! NonzeroColumns   forward, K = I           per tile of rows: the columns in which a row of the tile is nonzero
//! NonzeroRows      weight gradient, K = R   per group of four columns: the rows of a block nonzero in one of them
//! ```
//!
//! Digits are mostly black, and neighbouring pixels are black together, so about a third of the multiplications
//! remains. Where most k are nonzero the GEMM is dense. The result has the same bits (see
//! [`microkernel`](super::microkernel)).

use super::microkernel::{Blocks, KIndices, Sparse};
use crate::backend::cpu::simd::Simd;
use std::ops::Range;

/// Columns of a group of [`NonzeroRows`]: the rows of a tile of the weight gradient.
pub(crate) const GROUP: usize = 4;
/// The largest share of nonzero k for which an index list is faster than a dense loop.
const PROFITABLE: f64 = 0.7;

/// The nonzero columns of each tile of rows of x[R, K], in compressed rows: indices and the end of each tile.
#[derive(Default)]
pub(crate) struct NonzeroColumns {
    /// Rows of a tile.
    rows: usize,
    indices: Vec<u16>,
    ends: Vec<usize>,
}

impl NonzeroColumns {
    /// Scans x[R, width]; false where the lists are not profitable.
    #[inline(always)]
    pub(crate) fn scan<S: Simd>(&mut self, simd: S, x: &[u32], width: usize) -> bool {
        // A tile of fewer rows has fewer nonzero columns, but then the weights are read more often than the cache
        // provides.
        self.rows = S::TILE_ROWS;
        let tiles = x.len() / width / self.rows;
        if tiles == 0 || width > u16::MAX as usize || width < S::LANES {
            return false;
        }
        self.indices.resize(self.indices.len().max(tiles * width + S::LANES), 0);
        self.ends.clear();
        let mut end = 0;
        for tile in x.chunks_exact(self.rows * width) {
            let mut column = 0;
            while column < width {
                // The last vector ends with the row; its overlap with the one before is masked out.
                let start = column.min(width - S::LANES);
                let mut nonzero = 0;
                for row in tile.chunks_exact(width) {
                    let row = &row[start..start + S::LANES];
                    // SAFETY: the slice is a vector long.
                    #[allow(unsafe_code)]
                    let v = unsafe { simd.load(row.as_ptr()) };
                    nonzero |= simd.nonzero_mask(v);
                }
                nonzero &= u32::MAX << (column - start);
                end += simd.compress_indices(nonzero, start as u16, &mut self.indices[end..]);
                column = start + S::LANES;
            }
            self.ends.push(end);
            if end as f64 > PROFITABLE * (self.ends.len() * width) as f64 && self.ends.len() * 4 >= tiles {
                return false;
            }
        }
        true
    }
    /// Rows of whole tiles, which have a list.
    pub(crate) fn rows(&self) -> usize {
        self.ends.len() * self.rows
    }
}

impl Blocks for NonzeroColumns {
    /// One block, of all columns.
    #[inline(always)]
    fn blocks(&self, i: usize) -> impl Iterator<Item = (usize, impl KIndices)> {
        let tile = i / self.rows;
        let start = if tile == 0 { 0 } else { self.ends[tile - 1] };
        // SAFETY: `scan` writes ascending columns.
        #[allow(unsafe_code)]
        std::iter::once((0, unsafe { Sparse::new(&self.indices[start..self.ends[tile]]) }))
    }
}

/// The nonzero rows of each group of columns, for x[R, I] cut in blocks of up to 64 packed rows: one table per block,
/// `[I / GROUP, SLOT]`, a slot being the number of rows and then the rows.
#[derive(Clone, Copy)]
pub(crate) struct NonzeroRows<'a> {
    /// The tables, block after block.
    tables: &'a [u16],
    /// Packed rows of a block.
    block: usize,
    /// I.
    width: usize,
}

impl<'a> NonzeroRows<'a> {
    /// The fewest rows of a block for which a list is profitable.
    pub(crate) const MIN_BLOCK: usize = 8;
    const MAX_BLOCK: usize = 64;
    /// The number of rows, the rows, and the overhang of the last vector store.
    const SLOT: usize = 1 + Self::MAX_BLOCK + 15;

    /// Length of the table of a block.
    pub(crate) fn table_len(width: usize) -> usize {
        width / GROUP * Self::SLOT
    }

    /// Fills the table of a block from x[rows, width]; `masks` is scratch.
    #[inline(always)]
    pub(crate) fn scan<S: Simd>(simd: S, table: &mut [u16], x: &[u32], width: usize, masks: &mut Vec<u64>) {
        assert!(x.len() <= Self::MAX_BLOCK * width && table.len() == Self::table_len(width));
        // One bit per row, for each group.
        masks.clear();
        masks.resize(width / GROUP + S::LANES / GROUP, 0);
        for (r, row) in x.chunks_exact(width).enumerate() {
            for (elements, masks) in row.chunks(S::LANES).zip(masks.chunks_exact_mut(S::LANES / GROUP)) {
                // SAFETY: the chunk has that many elements.
                #[allow(unsafe_code)]
                let v = unsafe {
                    match elements.len() == S::LANES {
                        true => simd.load(elements.as_ptr()),
                        false => simd.partial_load(elements.as_ptr(), elements.len()),
                    }
                };
                let nonzero = simd.nonzero_mask(v);
                let nonzero = nonzero | nonzero >> 1;
                let nonzero = nonzero | nonzero >> 2;
                for (g, mask) in masks.iter_mut().enumerate() {
                    *mask |= ((nonzero >> (GROUP * g)) as u64 & 1) << r;
                }
            }
        }
        for (slot, mask) in table.chunks_exact_mut(Self::SLOT).zip(masks.iter()) {
            let (count, rows) = slot.split_first_mut().expect("a slot is longer");
            let mut n = 0;
            for first in (0..Self::MAX_BLOCK).step_by(S::LANES) {
                let nonzero = (*mask >> first) as u32 & (u32::MAX >> (32 - S::LANES));
                n += simd.compress_indices(nonzero, first as u16, &mut rows[n..]);
            }
            *count = n as u16;
        }
    }

    /// The tables of blocks of `block` packed rows of x[_, width].
    ///
    /// # Safety
    /// [`NonzeroRows::scan`] filled every table.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn new(tables: &'a [u16], block: usize, width: usize) -> NonzeroRows<'a> {
        NonzeroRows { tables, block, width }
    }
    /// Those of some rows.
    pub(crate) fn part(self, rows: Range<usize>) -> NonzeroRows<'a> {
        let len = Self::table_len(self.width);
        NonzeroRows { tables: &self.tables[rows.start / self.block * len..rows.end.div_ceil(self.block) * len], ..self }
    }
    /// Whether the lists of these columns are profitable, over `count` rows.
    pub(crate) fn is_profitable(self, columns: &Range<usize>, count: usize) -> bool {
        let groups = columns.start / GROUP..columns.end / GROUP;
        let tables = self.tables.chunks_exact(Self::table_len(self.width)).take(count.div_ceil(self.block));
        let nonzero = |table: &[u16]| groups.clone().map(|g| table[g * Self::SLOT] as usize).sum::<usize>();
        tables.map(nonzero).sum::<usize>() as f64 <= PROFITABLE * (count * groups.len()) as f64
    }
}

impl Blocks for NonzeroRows<'_> {
    const ROWS: usize = GROUP;
    #[inline(always)]
    fn blocks(&self, i: usize) -> impl Iterator<Item = (usize, impl KIndices)> {
        let tables = self.tables.chunks_exact(Self::table_len(self.width));
        tables.enumerate().map(move |(block, table)| {
            let slot = &table[i / GROUP * Self::SLOT..][..Self::SLOT];
            // SAFETY: `scan` writes ascending rows.
            #[allow(unsafe_code)]
            (block * self.block, unsafe { Sparse::new(&slot[1..][..slot[0] as usize]) })
        })
    }
}
