//! A block of f32 into bricks of bf16.

use super::{BRICK, Block, SIDE};
use crate::backend::cpu::gemm::bf16::pack_along_k;
use crate::backend::cpu::gemm::transpose::transpose;
use crate::backend::cpu::simd::{Simd, bf16_pair};

/// What a brick of the block c is for.
///
/// ```text
/// Rows     row r:             c[r][0..32]                     a of x W, of dy W^T
/// Pairs    tile j, row p:     (c[2p], c[2p + 1])[16j..]       b of x W (W), of x^T dy (dy)
/// Turned   row r:             c[0..32][r]                     a of x^T dy (x)         Pairs with its tiles transposed
/// Back     tile j, row p:     c[16j..][2p, 2p + 1]            b of dy W^T (W)         Rows with its tiles transposed
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Rows,
    Pairs,
    Turned,
    Back,
}

impl Block {
    pub(super) const ZERO: Block = Block([0.0; SIDE * SIDE]);

    /// The block at these rows and columns of values[_, width], zero beyond its end.
    #[inline(always)]
    pub(super) fn load(values: &[f32], width: usize, row: usize, column: usize) -> Block {
        let mut block = Block::ZERO;
        let columns = column..width.min(column + SIDE);
        for (to, from) in block.0.chunks_exact_mut(SIDE).zip(values.chunks_exact(width).skip(row)) {
            to[..columns.len()].copy_from_slice(&from[columns.clone()]);
        }
        block
    }

    /// Its first rows and columns.
    pub(super) fn rows(&self, rows: usize, columns: usize) -> impl Iterator<Item = &[f32]> {
        self.0.chunks_exact(SIDE).take(rows).map(move |row| &row[..columns])
    }
}

/// Packs a block in each form, in as many parts as `to` has bricks. The block ends as what the parts but the last leave.
#[inline(always)]
pub(super) fn pack<S: Simd, const N: usize>(simd: S, block: &mut Block, mut to: [(Form, &mut [u32]); N]) {
    let parts = to[0].1.len() / BRICK;
    for part in 0..parts {
        for (form, to) in &mut to {
            pack_part(simd, block, *form, &mut to[part * BRICK..][..BRICK]);
        }
        if part + 1 < parts {
            block.0.iter_mut().for_each(|v| *v -= f32::from_bits(bf16_pair(0.0, *v).to_bits()));
        }
    }
}

#[inline(always)]
fn pack_part<S: Simd>(simd: S, block: &Block, form: Form, to: &mut [u32]) {
    match form {
        Form::Rows => pack_along_k(simd, to, &block.0, SIDE),
        Form::Pairs => pairs(simd, block, to),
        Form::Turned => {
            let mut cells = [0; BRICK];
            pairs(simd, block, &mut cells);
            transpose_tiles(simd, to, &cells);
        }
        Form::Back => {
            let mut cells = [0; BRICK];
            pack_along_k(simd, &mut cells, &block.0, SIDE);
            transpose_tiles(simd, to, &cells);
        }
    }
}

/// Rows and columns of a tile, in cells of 32 bits.
const CELLS: usize = 16;

#[inline(always)]
fn pairs<S: Simd>(simd: S, block: &Block, to: &mut [u32]) {
    for (j, tile) in to.chunks_exact_mut(CELLS * CELLS).enumerate() {
        for (to, rows) in tile.chunks_exact_mut(CELLS).zip(block.0.chunks_exact(2 * SIDE)) {
            for (i, to) in to.chunks_exact_mut(S::LANES).enumerate() {
                let at = j * CELLS + i * S::LANES;
                let pairs = simd.interleave_bf16(simd.read(&rows[at..]), simd.read(&rows[SIDE + at..]));
                // SAFETY: the chunk is a vector long.
                #[allow(unsafe_code)]
                unsafe {
                    simd.store(to.as_mut_ptr().cast(), pairs)
                }
            }
        }
    }
}

#[inline(always)]
fn transpose_tiles<S: Simd>(simd: S, to: &mut [u32], from: &[u32; BRICK]) {
    for (to, from) in to.chunks_exact_mut(CELLS * CELLS).zip(from.chunks_exact(CELLS * CELLS)) {
        transpose(simd, to, CELLS, from, CELLS, [CELLS; 2]);
    }
}
