//! The GEMMs of a layer on the rows of a block: linear, transposed convolution, and their input gradients.

use super::elementwise::activation;
use super::im2col::col2im;
use crate::backend::cpu::gemm::sparsity::NonzeroColumns;
use crate::backend::cpu::gemm::{
    Arithmetic, TransposeScratch, TransposedConvScratch, TransposedWeight, WithArithmetic,
};
use crate::backend::cpu::memory::BlockView;
use crate::backend::cpu::scratch::ScratchVec;
use crate::backend::cpu::simd::Simd;
use crate::plan::{Activation, Activations, ConvGeometry, Op, Param, Program};

/// Scratch memory of a thread, which grows to the largest need.
#[derive(Default)]
pub(crate) struct Scratch {
    packed: ScratchVec<u32>,
    pub(super) transpose: TransposeScratch,
    nonzero: NonzeroColumns,
    /// Row masks, for [`NonzeroRows::scan`](crate::backend::cpu::gemm::sparsity::NonzeroRows::scan).
    pub(crate) masks: Vec<u64>,
    /// Never written.
    pub(super) zero_bias: ScratchVec<f32>,
    pub(super) patches: ScratchVec<f32>,
    pub(super) transposed_weight: TransposedWeight,
    pub(super) transposed_conv: TransposedConvScratch,
}

/// Largest W, in elements, that is transposed instead of dy and dx.
const TRANSPOSE_MAX: usize = 1 << 16;
/// Patches of col2im, in elements, that are computed at a time, so that they stay in the cache.
const COL2IM_CHUNK: usize = 1 << 16;

/// y = act(x @ W + b), or y = act(b + col2im(x @ W)), with W or W^T. One type, so that the large code of the forward
/// GEMM is compiled once per instruction set and precision.
pub(crate) struct Linear {
    y: Activations,
    x: Activations,
    w: Param,
    transpose_w: bool,
    b: Option<Param>,
    act: Activation,
    col2im: Option<Col2im>,
    /// Whether x is raw input, hence likely sparse.
    is_input: bool,
}

#[derive(Clone, Copy)]
struct Col2im {
    conv: ConvGeometry,
    /// Whether to accumulate into y.
    add: bool,
}

impl Col2im {
    /// Values of an image of y.
    fn image_len(&self) -> usize {
        self.conv.input_area() * self.conv.channels
    }
    /// Values of the patches of an image.
    fn patches_len(&self) -> usize {
        self.conv.output_area() * self.conv.patch_len()
    }
}

impl Linear {
    /// An operation of a program as a forward GEMM, if it is one.
    pub(crate) fn from_op(op: &Op, program: &Program) -> Option<Linear> {
        let (col2im, is_input) = (None, false);
        match *op {
            Op::Linear { y, x, w, b, act } => {
                Some(Linear { y, x, w, transpose_w: false, b, act, col2im, is_input: program.is_input(x) })
            }
            Op::ConvTranspose { y, x, w, transpose_w, b, act, conv, add } => {
                Some(Linear { y, x, w, transpose_w, b, act, col2im: Some(Col2im { conv, add }), is_input })
            }
            // Many rows, small W: transpose W once instead of dy and dx.
            Op::LinearBack { dx: y, dy: x, w, add: false } if y.per_image > 1 && w.values() <= TRANSPOSE_MAX => {
                Some(Linear { y, x, w, transpose_w: true, b: None, act: Activation::None, col2im, is_input })
            }
            _ => None,
        }
    }
}

/// An operation on the rows of a block.
pub(crate) struct OnBlock<'a, 'm, T> {
    pub(crate) op: &'a T,
    pub(crate) at: BlockView<'m>,
    pub(crate) scratch: &'a mut Scratch,
}

impl WithArithmetic for OnBlock<'_, '_, Linear> {
    #[inline(always)]
    fn with_arithmetic<S: Simd, A: Arithmetic>(self, simd: S, arithmetic: A) {
        let OnBlock { op, at, scratch } = self;
        let Linear { y, x, w, transpose_w, b, act, col2im: fold, is_input } = *op;
        let Scratch { packed, nonzero, zero_bias, patches, transposed_weight, .. } = scratch;
        let weight = match transpose_w {
            true => arithmetic.transposed(simd, at.weight(w), transposed_weight),
            false => at.weight(w),
        };
        let (out, bias) = (weight.out(), b.map(|b| at.bias(b)));
        let zero_bias = &*zero_bias.get(out.next_multiple_of(S::LANES));
        let y = at.write(y);
        // The GEMM's epilogue applies an activation of a few instructions, which needs no further registers.
        let fused = fold.is_none() && !matches!(act, Activation::Tanh | Activation::Softplus);
        let (inside, after) = if fused { (act, Activation::None) } else { (Activation::None, act) };
        match fold {
            None => {
                let x_packed = arithmetic.pack_rows(simd, at.read(x), x.width, packed);
                let sparse =
                    A::SPARSE && is_input && nonzero.scan(simd, x_packed, x_packed.len() * x.width / at.read(x).len());
                let nonzero = sparse.then_some(&*nonzero);
                arithmetic.forward(simd, y, x_packed, weight, bias.unwrap_or(zero_bias), inside, nonzero)
            }
            Some(fold) => {
                match bias {
                    Some(b) => y.chunks_exact_mut(fold.conv.channels).for_each(|y| y.copy_from_slice(&b[..y.len()])),
                    None if !fold.add => y.fill(0.0),
                    None => {}
                }
                // A few images at a time, so that their patches stay in the cache.
                let images = (COL2IM_CHUNK / fold.patches_len()).max(1);
                let rows = images * fold.conv.output_area() * x.width;
                for (y, rows) in y.chunks_mut(images * fold.image_len()).zip(at.read(x).chunks(rows)) {
                    let patches = patches.get(y.len() / fold.image_len() * fold.patches_len());
                    let x_packed = arithmetic.pack_rows(simd, rows, x.width, packed);
                    arithmetic.forward(simd, patches, x_packed, weight, zero_bias, inside, None);
                    col2im(y, patches, &fold.conv);
                }
            }
        }
        activation(simd, y, after);
    }
}

/// dx = dy @ W^T, plus dx if `add`.
pub(crate) struct LinearBack {
    pub(crate) dx: Activations,
    pub(crate) dy: Activations,
    pub(crate) w: Param,
    pub(crate) add: bool,
}

impl WithArithmetic for OnBlock<'_, '_, LinearBack> {
    #[inline(always)]
    fn with_arithmetic<S: Simd, A: Arithmetic>(self, simd: S, arithmetic: A) {
        let OnBlock { op, at, scratch } = self;
        let LinearBack { dx, dy, w, add } = *op;
        let dy_packed = arithmetic.pack_rows(simd, at.read(dy), dy.width, &mut scratch.packed);
        arithmetic.input_gradient(simd, at.write(dx), dy_packed, at.weight(w), add, &mut scratch.transpose)
    }
}
