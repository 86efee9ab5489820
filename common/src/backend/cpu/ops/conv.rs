//! Convolutions in f32 on the rows of a block, whose patches are windows of padded images.

use super::elementwise::activation;
use super::linear::{OnBlock, Scratch};
use crate::backend::cpu::gemm::{self, F32, Output, PackedWeight, Patches, TransposedConv, Windows, as_packed};
use crate::backend::cpu::memory::BlockView;
use crate::backend::cpu::simd::{Simd, WithSimd};
use crate::plan::{Activation, Activations, Op, Param, Program};

/// An operation over the patches of padded images, or a transposed convolution.
pub(crate) enum Conv {
    /// y = act(patches(x) @ W + b), or W^T.
    Forward { y: Activations, patches: Activations, windows: Windows, w: Param, transpose_w: bool, output: Layer },
    /// dx = patches(dy) @ W^T, plus dx if `add`.
    Back { dx: Activations, patches: Activations, windows: Windows, w: Param, add: bool },
    /// y = act(b + col2im(x @ W)), or W^T; plus y if `add`.
    Transposed {
        y: Activations,
        x: Activations,
        conv: TransposedConv,
        w: Param,
        transpose_w: bool,
        output: Layer,
        add: bool,
    },
}

/// What follows the product of a layer.
#[derive(Clone, Copy)]
pub(crate) struct Layer {
    b: Option<Param>,
    act: Activation,
}

impl Layer {
    /// The activation in the epilogue of the product, and the one after it: one of a few instructions needs no further
    /// registers.
    fn activations(self) -> [Activation; 2] {
        match self.act {
            Activation::Tanh | Activation::Softplus => [Activation::None, self.act],
            _ => [self.act, Activation::None],
        }
    }
}

impl Conv {
    /// An operation of a program in f32, if it is one of these. `padded`: whether buffers of patches hold padded images.
    pub(crate) fn from_op(op: &Op, program: &Program, padded: bool, lanes: usize) -> Option<Conv> {
        let windows = |rows| program.patches(rows).filter(|_| padded).map(Windows::new);
        match *op {
            Op::Linear { y, x: patches, w, b, act } => {
                let (windows, output) = (windows(patches)?, Layer { b, act });
                Some(Conv::Forward { y, patches, windows, w, transpose_w: false, output })
            }
            Op::LinearBack { dx, dy: patches, w, add } => {
                let windows = windows(patches)?;
                // Many rows: W^T is made once for all.
                if add || windows.conv.output_area() < gemm::MANY_POSITIONS {
                    return Some(Conv::Back { dx, patches, windows, w, add });
                }
                let output = Layer { b: None, act: Activation::None };
                Some(Conv::Forward { y: dx, patches, windows, w, transpose_w: true, output })
            }
            Op::ConvTranspose { y, x, w, transpose_w, b, act, conv, add } if TransposedConv::pays(&conv, lanes) => {
                let (conv, output) = (TransposedConv::new(conv, x.width), Layer { b, act });
                Some(Conv::Transposed { y, x, conv, w, transpose_w, output, add })
            }
            _ => None,
        }
    }
}

impl WithSimd for OnBlock<'_, '_, Conv> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let OnBlock { op, at, scratch } = self;
        match *op {
            Conv::Forward { y, patches, ref windows, w, transpose_w, output } => {
                let (bias, [inside, after]) = (output.b.map(|b| at.bias(b)), output.activations());
                let Scratch { zero_bias, transposed_weight, .. } = scratch;
                let weight = weight(simd, &at, w, transpose_w, transposed_weight);
                let zero_bias = &*zero_bias.get(weight.panels.out.next_multiple_of(S::LANES));
                let (x, y) = (Patches { images: as_packed(at.read(patches)), windows }, at.write(y));
                gemm::forward::<S, F32, _>(simd, y, x, weight, bias.unwrap_or(zero_bias), inside, None);
                activation(simd, y, after);
            }
            Conv::Back { dx, patches, ref windows, w, add } => {
                let images = at.read(patches);
                let rows = images.len() / windows.conv.padded_len() * windows.per_image();
                let dy = scratch.patches.get(rows * windows.conv.patch_len());
                windows.gather(dy, images);
                let w = at.weight(w);
                gemm::input_gradient::<S, F32>(simd, at.write(dx), as_packed(dy), w, add, &mut scratch.transpose);
            }
            Conv::Transposed { y, x, ref conv, w, transpose_w, output, add } => {
                let (bias, [act, after]) = (output.b.map(|b| at.bias(b)), output.activations());
                let weight = weight(simd, &at, w, transpose_w, &mut scratch.transposed_weight);
                let y = at.write(y);
                conv.compute(simd, y, at.read(x), weight, Output { bias, add, act }, &mut scratch.transposed_conv);
                activation(simd, y, after);
            }
        }
    }
}

/// W or W^T.
#[inline(always)]
fn weight<'a, S: Simd>(
    simd: S,
    at: &'a BlockView,
    w: Param,
    transposed: bool,
    scratch: &'a mut gemm::TransposedWeight,
) -> PackedWeight<'a> {
    match transposed {
        true => scratch.transpose::<S, F32>(simd, at.weight(w)),
        false => at.weight(w),
    }
}
