//! AMX: bf16 products by tiles, and an exact model of the instruction for CPUs without it.
//!
//! A tile is 16 rows of 64 bytes. `tdpbf16ps c, a, b` adds to c (16 x 16 f32) the product of a (16 rows of 32 bf16) and b (16
//! pairs of rows, 16 columns). Everything here is a *block*, 32 x 32 values in f32, or a *brick*, a block in bf16: two
//! tiles of 1 KB, one after the other.
//!
//! ```text
//! a, 32 rows of k             b, 32 columns                              c = 4 tiles
//! +---------------------+     +----------+----------+                    +------+------+
//! | tile 0: rows  0..16 |     | tile 0   | tile 1   |  row p of a tile   | tmm0 | tmm1 |
//! +---------------------+     | columns  | columns  |  = k 2p, 2p + 1    +------+------+
//! | tile 1: rows 16..32 |     | 0..16    | 16..32   |  of 16 columns     | tmm2 | tmm3 |
//! +---------------------+     +----------+----------+                    +------+------+
//! ```
//!
//! In P parts (1 for bf16, 2 for bf16x3) a brick is P of these: each value rounded to bf16, then what that left, rounded. The
//! product of two values in two parts is three products; the fourth, low by low, is below the error of the last part.
//!
//! A sum runs over bricks in order, so its bits depend on where bricks start: at multiples of 32 rows of the batch,
//! whatever the size of blocks and the number of threads.

mod bricks;
mod model;
mod products;
#[cfg(test)]
mod tests;
mod unit;

pub(crate) use products::Tiles;
pub(crate) use unit::{Configured, TileUnit};

/// Rows and columns of a block.
pub(crate) const SIDE: usize = 32;
/// Pairs of bf16 in a brick of one part.
pub(crate) const BRICK: usize = SIDE * SIDE / 2;

/// `[32, 32]` in f32.
#[derive(Clone)]
#[repr(align(64))]
pub(crate) struct Block(pub(crate) [f32; SIDE * SIDE]);
