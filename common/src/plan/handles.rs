//! Handles to buffers.
//!
//! Dimensions: N images in a batch; P rows for each image (1, L samples, or the output area of a convolution); r a row of
//! N·P, and n its image. [`Activations`] are `[N, P, width]`. A weight is `[in, out]`, the transpose of PyTorch's.

use crate::model::Binarize;
pub use vae_stream::images::PixelType;

/// A handle: the index of a buffer in its plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct Buf(pub(crate) u32);

/// Activations `[N, P, width]`: P rows for each image of the batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Activations {
    /// The buffer.
    pub buf: Buf,
    /// Activations for each image.
    pub per_image: usize,
    /// Values in a row.
    pub width: usize,
}

impl Activations {
    /// The same values in another shape: `[N, P, width]` as `[N, 1, P·width]`, and back.
    pub fn reshape(self, per_image: usize, width: usize) -> Activations {
        assert_eq!(self.per_image * self.width, per_image * width, "reshape keeps the values of an image");
        Activations { per_image, width, ..self }
    }
}

/// A parameter `[inp, out]`; Adam's two moments of it are the next two buffers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Param {
    /// The buffer.
    pub buf: Buf,
    /// Input features; 1 for a bias.
    pub inp: usize,
    /// Output features.
    pub out: usize,
}

impl Param {
    /// The number of elements.
    pub fn values(self) -> usize {
        self.inp * self.out
    }
    /// Adam's m: the running mean of the gradient.
    pub fn first_moment(self) -> Buf {
        Buf(self.buf.0 + 1)
    }
    /// Adam's v: the running mean of its square.
    pub fn second_moment(self) -> Buf {
        Buf(self.buf.0 + 2)
    }
}

/// A table `[items, width]` on the device: inputs, read through the sample indices of the epoch, or per-image outputs,
/// written by position in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Table {
    /// The buffer.
    pub buf: Buf,
    /// Rows.
    pub items: usize,
    /// Values in a row.
    pub width: usize,
    /// Element type.
    pub dtype: PixelType,
}

/// How the elements of a table become the inputs of a network: scale to [0, 1], binarize, map to a range.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PixelTransform {
    /// The element that is white: 255 for bytes, 1 for floats.
    pub white: f32,
    /// Binarization of pixels in [0, 1].
    pub binarize: Binarize,
    /// The values of black and white, as the network sees them.
    pub range: [f32; 2],
}
