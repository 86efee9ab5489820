//! Tensors of images.

use ndarray::{Array3, ArrayD};

use crate::{Error, Result, Tensor};

/// N images of H rows and W columns, [N, H, W].
#[derive(Clone, Debug, PartialEq)]
pub enum Pixels {
    /// 0 is black, 255 white.
    U8(Array3<u8>),
    /// 0 is black, 1 white. Values outside are possible, NaN is not.
    F32(Array3<f32>),
}

impl Pixels {
    /// The images of a tensor shaped `[N,H,W]`, `[N,1,H,W]`, or `[N,D]` with D = H·W.
    ///
    /// Integers become u8, f2, f4 and f8 become f32, and bool becomes 0 or 1. `size` is the expected [H, W]; without it, images
    /// `[N,D]` are square.
    ///
    /// # Errors
    /// [`Error::ImageShape`], [`Error::ImageNan`], and [`Error::Range`] for integers beyond u8.
    pub fn from_tensor(tensor: &Tensor, size: Option<[usize; 2]>) -> Result<Pixels> {
        let [h, w] = self::size(&tensor.shape()[1..], size)?;
        let shape = (tensor.items(), h, w);
        if tensor.dtype().is_whole() {
            return Ok(Pixels::U8(reshape(tensor.to_u8()?, shape)));
        }
        let values = tensor.to_f32()?;
        if values.iter().any(|v| v.is_nan()) {
            return Err(Error::ImageNan);
        }
        Ok(Pixels::F32(reshape(values, shape)))
    }

    /// N, H and W.
    pub fn dim(&self) -> (usize, usize, usize) {
        match self {
            Pixels::U8(a) => a.dim(),
            Pixels::F32(a) => a.dim(),
        }
    }
}

/// The [H, W] of items of this shape: `[H,W]`, `[1,H,W]`, or `[D]`, which is as `expected`, or else square.
///
/// # Errors
/// [`Error::ImageShape`] for any other.
pub fn size(item: &[usize], expected: Option<[usize; 2]>) -> Result<[usize; 2]> {
    let found = match (item, expected) {
        (&[h, w] | &[1, h, w], _) => Some([h, w]),
        (&[d], Some([h, w])) if h.checked_mul(w) == Some(d) => Some([h, w]),
        (&[d], None) if d.isqrt().pow(2) == d => Some([d.isqrt(), d.isqrt()]),
        _ => None,
    };
    match (found, expected) {
        (Some(found), None) => Ok(found),
        (Some(found), Some(expected)) if found == expected => Ok(found),
        _ => Err(Error::ImageShape { expected, got: item.to_vec() }),
    }
}

fn reshape<T: Clone>(array: ArrayD<T>, shape: (usize, usize, usize)) -> Array3<T> {
    array.into_shape_with_order(shape).expect("H times W pixels in each item")
}
