//! The trait of an arithmetic: how it packs the operands of products, and its three GEMMs.

use super::amx::{Configured, SIDE, Tiles};
use super::microkernel::{Bf16Pair, Element, F32};
use super::sparsity::{NonzeroColumns, NonzeroRows};
use super::windows::Matrix;
use super::{Epilogue, PackedWeight, Panels, TransposeScratch, TransposedWeight, WeightGradient};
use super::{as_packed, bf16, forward, input_gradient, weight_gradient};
use crate::backend::cpu::scratch::ScratchVec;
use crate::backend::cpu::simd::{InstructionSet, Simd, WithSimd};
use crate::plan::{Activation, Precision, Side};
use std::ops::Range;

/// How weights and operands are packed for the products of a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Packing {
    /// f32 where they are.
    F32,
    /// Pairs of bf16 along K.
    Pairs,
    /// Bricks of bf16.
    Bricks(Tiles),
}

impl Packing {
    pub(crate) fn new(precision: Precision, isa: InstructionSet) -> Packing {
        match (precision, isa.tiles()) {
            (Precision::Fp32 | Precision::Tf32, _) => Packing::F32,
            (Precision::Bf16 | Precision::Bf16x3, Some(unit)) => {
                Packing::Bricks(Tiles { unit, parts: precision.parts() })
            }
            (Precision::Bf16, None) => Packing::Pairs,
            (Precision::Bf16x3, None) => unreachable!("`Cpu::new` refuses it"),
        }
    }
    /// Configures what the products need on this thread.
    pub(crate) fn configure(self) -> Option<Configured> {
        match self {
            Packing::F32 | Packing::Pairs => None,
            Packing::Bricks(tiles) => Some(tiles.unit.configure()),
        }
    }
    /// The layout of a weight.
    pub(crate) fn panels(self, size: [usize; 2], lanes: usize) -> Panels {
        match self {
            Packing::Bricks(_) => Panels { width: SIDE, ..Panels::new(size, lanes) },
            _ => Panels::new(size, lanes),
        }
    }
    /// Rows that are packed together.
    pub(crate) fn rows(self) -> usize {
        match self {
            Packing::F32 => 1,
            Packing::Pairs => 2,
            Packing::Bricks(_) => SIDE,
        }
    }
    /// Elements of a packed row of an operand of this width.
    pub(crate) fn row_len(self, width: usize) -> usize {
        match self {
            Packing::F32 | Packing::Pairs => width,
            Packing::Bricks(tiles) => width.div_ceil(SIDE) * tiles.brick(),
        }
    }
    /// The ranges of some rows of a panel in the packings of a weight, forward and backward; None for f32.
    pub(crate) fn weight(self, panels: Panels, panel: usize, rows: Range<usize>) -> Option<[Range<usize>; 2]> {
        let packed = rows.start / self.rows()..rows.end.div_ceil(self.rows());
        match self {
            Packing::F32 => None,
            Packing::Pairs => {
                let values = panels.rows(panel, rows);
                Some([panels.packed(2).rows(panel, packed), values.start / 2..values.end / 2])
            }
            Packing::Bricks(tiles) => {
                let first = panel * panels.inp.div_ceil(SIDE);
                let bricks = (first + packed.start) * tiles.brick()..(first + packed.end) * tiles.brick();
                Some([bricks.clone(), bricks])
            }
        }
    }
}

/// Products in one arithmetic. Methods are `#[inline(always)]`, as those of [`WithSimd`] are.
pub(crate) trait Arithmetic: Copy {
    /// Whether lists of nonzero inputs pay.
    const SPARSE: bool;
    /// Packed rows of x and dy that a tile of a gradient sums at a time, so that they stay in L2: a multiple of every block
    /// size.
    const K_CHUNK: usize;
    /// Rows that are packed together.
    const ROWS: usize;

    /// Elements of a packed row of a panel of this width, in each packing of a weight.
    fn panel_row_len(self, width: usize) -> usize;
    /// values[rows, width] as the left operand of `forward` and `input_gradient`: borrowed in f32, in `scratch` otherwise.
    fn pack_rows<'a, S: Simd>(
        self,
        simd: S,
        values: &'a [f32],
        width: usize,
        scratch: &'a mut ScratchVec<u32>,
    ) -> &'a [u32];
    /// values[rows, width] as an operand of `weight_gradient`.
    fn pack_operand<S: Simd>(self, simd: S, to: &mut [u32], values: &[f32], width: usize, side: Side);
    /// Some rows of a panel of a weight, w[rows, width], forward and backward.
    fn pack_weight<S: Simd>(self, simd: S, to: [&mut [u32]; 2], w: &[f32], width: usize);
    /// W^T for `forward`, where there are many rows.
    fn transposed<'a, S: Simd>(
        self,
        simd: S,
        w: PackedWeight<'a>,
        scratch: &'a mut TransposedWeight,
    ) -> PackedWeight<'a>;

    /// See [`forward`](super::forward).
    #[allow(clippy::too_many_arguments)]
    fn forward<S: Simd>(
        self,
        simd: S,
        y: &mut [f32],
        x: &[u32],
        w: PackedWeight,
        b: &[f32],
        act: Activation,
        nonzero: Option<&NonzeroColumns>,
    );
    /// See [`input_gradient`](super::input_gradient).
    fn input_gradient<S: Simd>(
        self,
        simd: S,
        dx: &mut [f32],
        dy: &[u32],
        w: PackedWeight,
        add: bool,
        scratch: &mut TransposeScratch,
    );
    /// See [`weight_gradient`](super::weight_gradient).
    fn weight_gradient<S: Simd>(
        self,
        simd: S,
        g: &mut [f32],
        operands: &WeightGradient,
        rows: Range<usize>,
        nonzero: Option<NonzeroRows>,
        epilogue: Option<impl Epilogue>,
    );
}

/// Vectors of packed elements, by the microkernel.
impl<E: Element> Arithmetic for E {
    const SPARSE: bool = true;
    const K_CHUNK: usize = 256;
    const ROWS: usize = E::VALUES;

    #[inline(always)]
    fn panel_row_len(self, width: usize) -> usize {
        width
    }
    #[inline(always)]
    fn pack_rows<'a, S: Simd>(
        self,
        simd: S,
        values: &'a [f32],
        width: usize,
        scratch: &'a mut ScratchVec<u32>,
    ) -> &'a [u32] {
        if E::VALUES == 1 {
            return as_packed(values);
        }
        let packed = scratch.get(values.len() / width * bf16::pairs(width));
        bf16::pack_along_k(simd, packed, values, width);
        packed
    }
    #[inline(always)]
    fn pack_operand<S: Simd>(self, simd: S, to: &mut [u32], values: &[f32], width: usize, _: Side) {
        bf16::vnni_interleave(simd, to, values, width);
    }
    #[inline(always)]
    fn pack_weight<S: Simd>(self, simd: S, [forward, backward]: [&mut [u32]; 2], w: &[f32], width: usize) {
        bf16::vnni_interleave(simd, forward, w, width);
        bf16::pack_along_k(simd, backward, w, width);
    }
    #[inline(always)]
    fn transposed<'a, S: Simd>(
        self,
        simd: S,
        w: PackedWeight<'a>,
        scratch: &'a mut TransposedWeight,
    ) -> PackedWeight<'a> {
        scratch.transpose::<S, E>(simd, w)
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
        nonzero: Option<&NonzeroColumns>,
    ) {
        let x = Matrix { data: x, width: w.panels.inp.div_ceil(E::VALUES) };
        forward::<S, E, _>(simd, y, x, w, b, act, nonzero)
    }
    #[inline(always)]
    fn input_gradient<S: Simd>(
        self,
        simd: S,
        dx: &mut [f32],
        dy: &[u32],
        w: PackedWeight,
        add: bool,
        scratch: &mut TransposeScratch,
    ) {
        input_gradient::<S, E>(simd, dx, dy, w, add, scratch)
    }
    #[inline(always)]
    fn weight_gradient<S: Simd>(
        self,
        simd: S,
        g: &mut [f32],
        operands: &WeightGradient,
        rows: Range<usize>,
        nonzero: Option<NonzeroRows>,
        epilogue: Option<impl Epilogue>,
    ) {
        weight_gradient::<S, E>(simd, g, operands, rows, nonzero, epilogue)
    }
}

/// An operation that is monomorphised for each arithmetic too; inlined like [`WithSimd`].
pub(crate) trait WithArithmetic {
    fn with_arithmetic<S: Simd, A: Arithmetic>(self, simd: S, arithmetic: A);
}

/// The second dispatch, on the arithmetic: adapts a [`WithArithmetic`] to [`WithSimd`].
pub(crate) struct InArithmetic<W>(pub(crate) Packing, pub(crate) W);

impl<W: WithArithmetic> WithSimd for InArithmetic<W> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.0 {
            Packing::F32 => self.1.with_arithmetic(simd, F32),
            Packing::Pairs => self.1.with_arithmetic(simd, Bf16Pair),
            Packing::Bricks(tiles) => self.1.with_arithmetic(simd, tiles),
        }
    }
}
