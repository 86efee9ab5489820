//! What programs see of a tensor of images.

use ndarray::{Array3, ArrayD, Ix3};

use crate::{Error, Result, Tensor};

/// Images as an array [N, H, W]: N images, H rows, W columns.
#[derive(Clone, Debug, PartialEq)]
pub enum Pixels {
    /// 0 is black, 255 white.
    U8(Array3<u8>),
    /// 0 is black, 1 white; values outside are possible, NaN is not.
    F32(Array3<f32>),
}

impl Pixels {
    /// The images of a tensor shaped `[N,H,W]`, `[N,1,H,W]`, or `[N,D]` with D = H·W.
    ///
    /// Whole numbers become u8, which they must fit; f2, f4 and f8 become f32; bool is 0 or 1. `size` is the expected
    /// (H, W), if there is one; without it `[N,D]` images are taken to be square.
    ///
    /// # Errors
    /// [`Error::Data`] for another shape or size, whole numbers beyond u8, and NaN.
    pub fn from_tensor(tensor: &Tensor, size: Option<[usize; 2]>) -> Result<Pixels> {
        let [h, w] = self::size(&tensor.shape()[1..], size)?;
        let shape = (tensor.items(), h, w);
        if tensor.dtype().is_whole() {
            return reshape(tensor.to_u8()?, shape).map(Pixels::U8);
        }
        let values = tensor.to_f32()?;
        if values.iter().any(|v| v.is_nan()) {
            return Err(Error::Data("bad images: expected numbers, got NaN".to_owned()));
        }
        reshape(values, shape).map(Pixels::F32)
    }

    /// (N, H, W).
    pub fn dim(&self) -> (usize, usize, usize) {
        match self {
            Pixels::U8(a) => a.dim(),
            Pixels::F32(a) => a.dim(),
        }
    }
}

/// The (H, W) of images whose items have this shape: `[H,W]`, `[1,H,W]`, or `[D]`, which is as `expected`, or else square.
///
/// # Errors
/// Another shape, or another size than is expected.
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
        (_, Some([h, w])) => Err(Error::Data(format!("bad images: expected items [{h}, {w}], got {item:?}"))),
        (None, None) => Err(Error::Data(format!("bad images: expected items [H, W], got {item:?}"))),
    }
}

fn reshape<T: Clone>(array: ArrayD<T>, shape: (usize, usize, usize)) -> Result<Array3<T>> {
    let array = array.into_shape_with_order(shape).and_then(|a| a.into_dimensionality::<Ix3>());
    array.map_err(|e| Error::Data(format!("bad images: {e}")))
}
