//! The three GEMMs of a layer on tiles.
//!
//! ```text
//! x, dy in scratch    [R / 32, K / 32] bricks, Rows              y = act(x W + b), dx = dy W^T
//! W                   [panels of O, I / 32] bricks, Pairs and Back
//! x, dy of a batch    [R / 32, width / 32] bricks, Turned and Pairs   dW = x^T dy
//! ```

use super::bricks::{Form, pack};
use super::unit::{Bricks, TileUnit};
use super::{BRICK, Block, SIDE};
use crate::backend::cpu::gemm::forward::activate;
use crate::backend::cpu::gemm::sparsity::{NonzeroColumns, NonzeroRows};
use crate::backend::cpu::gemm::{
    Arithmetic, Epilogue, PackedWeight, Panels, TransposeScratch, TransposedWeight, WeightGradient,
};
use crate::backend::cpu::scratch::ScratchVec;
use crate::backend::cpu::simd::Simd;
use crate::plan::{Activation, Side};
use std::ops::Range;

/// Products of bf16 on tiles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tiles {
    pub(crate) unit: TileUnit,
    /// Parts of each value.
    pub(crate) parts: usize,
}

/// Bricks of the left operand at a time, so that they stay in L1 for every panel of the right one.
const CHUNK: usize = 8;
/// Panels of the left operand whose sums stay in L1.
const GROUP: usize = 4;

/// An operand: the brick of panel i at step k of the inner dimension begins at i · panel + k · step.
#[derive(Clone, Copy)]
struct Operand<'a> {
    data: &'a [u32],
    panel: usize,
    step: usize,
}

impl<'a> Operand<'a> {
    fn at(self, panel: usize, step: usize) -> Bricks<'a> {
        Bricks { data: &self.data[panel * self.panel + step * self.step..], stride: self.step }
    }
}

impl Tiles {
    /// Elements of a brick in all its parts.
    pub(crate) fn brick(self) -> usize {
        self.parts * BRICK
    }

    /// Each block of a b, once it is complete: `done(panel of a, panel of b, block)`.
    #[inline(always)]
    fn product(
        self,
        [a, b]: [Operand; 2],
        [rows, columns]: [usize; 2],
        steps: usize,
        mut done: impl FnMut(usize, usize, &mut Block),
    ) {
        let chunk = steps.div_ceil((steps * self.parts / CHUNK).max(1)).max(1);
        let mut sums = [const { Block::ZERO }; GROUP];
        for first in (0..rows).step_by(GROUP) {
            for j in 0..columns {
                for k in (0..steps).step_by(chunk) {
                    for (i, sums) in (first..rows).zip(&mut sums) {
                        let some = chunk.min(steps - k);
                        self.unit.multiply(sums, a.at(i, k), b.at(j, k), some, self.parts, k > 0);
                    }
                }
                (first..rows).zip(&mut sums).for_each(|(i, sums)| done(i, j, sums));
            }
        }
    }

    /// The columns of a block of a matrix of `width` columns.
    fn columns(block: usize, width: usize) -> Range<usize> {
        block * SIDE..width.min((block + 1) * SIDE)
    }
}

impl Arithmetic for Tiles {
    const SPARSE: bool = false;
    const K_CHUNK: usize = 16;
    const ROWS: usize = SIDE;

    #[inline(always)]
    fn panel_row_len(self, _: usize) -> usize {
        self.brick()
    }
    #[inline(always)]
    fn pack_rows<'a, S: Simd>(
        self,
        simd: S,
        values: &'a [f32],
        width: usize,
        scratch: &'a mut ScratchVec<u32>,
    ) -> &'a [u32] {
        let blocks = width.div_ceil(SIDE);
        let rows = (values.len() / width).div_ceil(SIDE);
        let packed = scratch.get(rows * blocks * self.brick());
        for (i, to) in packed.chunks_exact_mut(self.brick()).enumerate() {
            let mut block = Block::load(values, width, i / blocks * SIDE, i % blocks * SIDE);
            pack(simd, &mut block, [(Form::Rows, to)]);
        }
        packed
    }
    #[inline(always)]
    fn pack_operand<S: Simd>(self, simd: S, to: &mut [u32], values: &[f32], width: usize, side: Side) {
        let blocks = width.div_ceil(SIDE);
        let form = match side {
            Side::Left => Form::Turned,
            Side::Right => Form::Pairs,
        };
        for (i, to) in to.chunks_exact_mut(self.brick()).enumerate() {
            let mut block = Block::load(values, width, i / blocks * SIDE, i % blocks * SIDE);
            pack(simd, &mut block, [(form, to)]);
        }
    }
    #[inline(always)]
    fn pack_weight<S: Simd>(self, simd: S, [forward, backward]: [&mut [u32]; 2], w: &[f32], width: usize) {
        let bricks = forward.chunks_exact_mut(self.brick()).zip(backward.chunks_exact_mut(self.brick()));
        for (i, (forward, backward)) in bricks.enumerate() {
            pack(simd, &mut Block::load(w, width, i * SIDE, 0), [(Form::Pairs, forward), (Form::Back, backward)]);
        }
    }
    /// Both packings are there.
    #[inline(always)]
    fn transposed<'a, S: Simd>(self, _: S, w: PackedWeight<'a>, _: &'a mut TransposedWeight) -> PackedWeight<'a> {
        PackedWeight { transposed: true, ..w }
    }
    #[inline(always)]
    fn forward<S: Simd>(
        self,
        simd: S,
        y: &mut [f32],
        x: &[u32],
        w: PackedWeight,
        b: &[f32],
        act: Activation,
        _: Option<&NonzeroColumns>,
    ) {
        let (out, one) = (w.out(), simd.splat(1.0));
        self.times_weight(y, x, w, w.transposed, |block, columns, to| {
            let mut bias = [0.0; SIDE];
            bias[..columns.len()].copy_from_slice(&b[columns.clone()]);
            for row in block.0.chunks_exact_mut(SIDE) {
                for (v, b) in row.chunks_exact_mut(S::LANES).zip(bias.chunks_exact(S::LANES)) {
                    let sum = simd.mul_add(simd.read(v), one, simd.read(b));
                    let mut sum = [[sum]];
                    activate(simd, &mut sum, act);
                    simd.write(v, sum[0][0]);
                }
            }
            let rows = block.rows(to.len().div_ceil(out), columns.len());
            to.chunks_mut(out).zip(rows).for_each(|(to, row)| to[columns.clone()].copy_from_slice(row));
        });
    }
    #[inline(always)]
    fn input_gradient<S: Simd>(
        self,
        _: S,
        dx: &mut [f32],
        dy: &[u32],
        w: PackedWeight,
        add: bool,
        _: &mut TransposeScratch,
    ) {
        let inp = w.panels.inp;
        self.times_weight(dx, dy, w, true, |block, columns, to| {
            let rows = block.rows(to.len().div_ceil(inp), columns.len());
            for (to, row) in to.chunks_mut(inp).zip(rows) {
                let to = to[columns.clone()].iter_mut().zip(row);
                if add { to.for_each(|(to, v)| *to += v) } else { to.for_each(|(to, v)| *to = *v) }
            }
        });
    }
    #[inline(always)]
    fn weight_gradient<S: Simd>(
        self,
        simd: S,
        g: &mut [f32],
        operands: &WeightGradient,
        rows: Range<usize>,
        _: Option<NonzeroRows>,
        mut epilogue: Option<impl Epilogue>,
    ) {
        let WeightGradient { panels, panel, x, dy, accumulate } = *operands;
        let (width, brick) = (panels.width(panel), self.brick());
        let operand = |data, width: usize| Operand { data, panel: brick, step: width.div_ceil(SIDE) * brick };
        let (x, dy) = (operand(x, panels.inp), operand(dy, panels.out));
        let steps = x.data.len() / x.step;
        assert!(steps * dy.step == dy.data.len() && g.len() == rows.len() * width && rows.start.is_multiple_of(SIDE));
        for (first, g) in rows.clone().step_by(SIDE).zip(g.chunks_mut(SIDE * width)) {
            let mut block = if accumulate { Block::load(g, width, 0, 0) } else { Block::ZERO };
            let (a, b) = (x.at(first / SIDE, 0), dy.at(panel, 0));
            self.unit.multiply(&mut block, a, b, steps, self.parts, accumulate);
            let some = g.len() / width;
            g.chunks_exact_mut(width).zip(block.rows(some, width)).for_each(|(g, row)| g.copy_from_slice(row));
            if let Some(epilogue) = &mut epilogue {
                epilogue.apply(simd, first..first + some, g);
            }
        }
    }
}

impl Tiles {
    /// x W, or x W^T if `transposed`, for rows x in bricks: `done(block, its columns, rows of y from its first)`.
    #[inline(always)]
    fn times_weight(
        self,
        y: &mut [f32],
        x: &[u32],
        w: PackedWeight,
        transposed: bool,
        mut done: impl FnMut(&mut Block, Range<usize>, &mut [f32]),
    ) {
        let (Panels { inp, out, .. }, brick) = (w.panels, self.brick());
        let (panels, stride) = (inp.div_ceil(SIDE), inp.div_ceil(SIDE) * brick);
        let (width, inner, b) = match transposed {
            false => (out, inp, Operand { data: w.forward, panel: stride, step: brick }),
            true => (inp, out, Operand { data: w.backward, panel: brick, step: stride }),
        };
        assert!(w.panels.count() * panels * brick <= b.data.len());
        let (rows, steps) = (y.len() / width, inner.div_ceil(SIDE));
        let x = Operand { data: x, panel: steps * brick, step: brick };
        self.product([x, b], [rows.div_ceil(SIDE), width.div_ceil(SIDE)], steps, |i, j, block| {
            let to = &mut y[i * SIDE * width..rows.min((i + 1) * SIDE) * width];
            done(block, Tiles::columns(j, width), to);
        });
    }
}
