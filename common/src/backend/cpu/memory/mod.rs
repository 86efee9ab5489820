//! The buffers of a plan in main memory, and the two views of them. All aliasing `unsafe` of the CPU is in this module.
//!
//! Invariants. A slice is cut only after checking the shape and length of its buffer. In the first phase of a step a
//! [`BlockView`] gives its operation the rows of its own images only, each written buffer once and none both ways;
//! [`Program::new`](crate::plan::Program::new) has checked the operation's list of buffers. Parameters are read-only
//! then, since no operation writes one. So are tables, except per-image outputs, which no operation of the program
//! reads: a block writes those at the positions of its images. In the second phase a [`TileView`] gives mutable slices
//! of a part of one parameter and its moments, and read-only activations, which nothing writes then; a program updates
//! a parameter once. The callers of the constructors promise the rest: images and tiles belong to one thread at a time,
//! and blocks and tiles never coexist.
//!
//! A buffer may carry derived copies: bf16 packings of a weight, and the bf16 packing and nonzero rows of an
//! operand of weight gradients. The packings of a weight follow the rules of the weight: read by blocks, updated in
//! part by a tile. Those of an operand are written once by the block of its images, and read by tiles.

mod arena;
mod storage;
mod views;

pub(crate) use storage::Memory;
pub(crate) use views::{BlockView, TileSlices, TileView};
