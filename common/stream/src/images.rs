//! Tensors of images.

use std::fmt;

use ndarray::{Array3, ArrayD};
use serde::{Deserialize, Serialize};

use crate::{Error, Result, Tensor};

/// The shape of an image, `[H, W, C]`; as JSON `[H, W]` where C is 1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "Vec<usize>", into = "Vec<usize>")]
pub struct ImageShape {
    /// H, rows.
    pub height: usize,
    /// W, columns.
    pub width: usize,
    /// C, values of a pixel.
    pub channels: usize,
}

impl ImageShape {
    /// One channel.
    pub const fn grey(height: usize, width: usize) -> ImageShape {
        ImageShape { height, width, channels: 1 }
    }
    /// H · W · C.
    pub const fn values(self) -> usize {
        self.height * self.width * self.channels
    }
    /// The shape of an item in a stream.
    pub fn dims(self) -> Vec<usize> {
        self.into()
    }
}

impl fmt::Display for ImageShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ImageShape { height, width, channels } = self;
        match channels {
            1 => write!(f, "{height} x {width}"),
            _ => write!(f, "{height} x {width} x {channels}"),
        }
    }
}

impl From<ImageShape> for Vec<usize> {
    fn from(shape: ImageShape) -> Vec<usize> {
        let dims = [shape.height, shape.width, shape.channels];
        dims[..if shape.channels == 1 { 2 } else { 3 }].to_vec()
    }
}

impl From<[usize; 2]> for ImageShape {
    fn from([height, width]: [usize; 2]) -> ImageShape {
        ImageShape::grey(height, width)
    }
}

impl TryFrom<Vec<usize>> for ImageShape {
    type Error = String;

    fn try_from(dims: Vec<usize>) -> Result<ImageShape, String> {
        match dims[..] {
            [height, width] => Ok(ImageShape::grey(height, width)),
            [height, width, channels] => Ok(ImageShape { height, width, channels }),
            _ => Err(format!("expected [H, W] or [H, W, C], got {dims:?}")),
        }
    }
}

/// The element type of images.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PixelType {
    /// Bytes, 0 to 255.
    U8,
    /// Floats, 0 to 1.
    F32,
}

/// Images `[N, H, W]` as bytes or floats; or, with other parameters, something else of either type.
#[derive(Clone, Debug, PartialEq)]
pub enum Pixels<U = Array3<u8>, F = Array3<f32>> {
    /// 0 is black, 255 white.
    U8(U),
    /// 0 is black, 1 white; values outside are possible, NaN is not.
    F32(F),
}

/// The values of some images, in C order.
pub type PixelSlice<'a> = Pixels<&'a [u8], &'a [f32]>;

impl<U, F> Pixels<U, F> {
    /// The type of an element.
    pub fn pixel_type(&self) -> PixelType {
        match self {
            Pixels::U8(_) => PixelType::U8,
            Pixels::F32(_) => PixelType::F32,
        }
    }
}

impl PixelSlice<'_> {
    /// From 0 to 1.
    pub fn to_f64(&self) -> Vec<f64> {
        match self {
            Pixels::U8(values) => values.iter().map(|v| *v as f64 / 255.0).collect(),
            Pixels::F32(values) => values.iter().map(|v| *v as f64).collect(),
        }
    }
}

impl Pixels {
    /// The images of a tensor shaped `[N,H,W]`, `[N,1,H,W]`, `[N,H,W,1]`, or `[N,D]` with D = H·W.
    ///
    /// Integers become u8, f2, f4 and f8 become f32, and bool becomes 0 or 1. `size` is the expected size; without it, images
    /// `[N,D]` are square.
    ///
    /// # Errors
    /// [`Error::ImageShape`], [`Error::ImageNan`], and [`Error::Range`] for integers beyond u8.
    pub fn from_tensor(tensor: &Tensor, size: Option<ImageShape>) -> Result<Pixels> {
        let image = self::size(&tensor.shape()[1..], size)?;
        let shape = (tensor.items(), image.height, image.width);
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

/// A reading of an array as images where the array and the program leave more than one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Guess {
    /// Items `[D]` are square images.
    Square {
        /// D.
        values: usize,
    },
    /// A square array `[H,W]` is one image.
    Single {
        /// H and W.
        side: usize,
    },
}

/// The shape of images whose items have this one: `[H,W]`, `[1,H,W]`, `[H,W,1]`, or `[D]`, which is as `expected`, or else
/// square.
///
/// # Errors
/// [`Error::ImageShape`] for any other.
pub fn size(item: &[usize], expected: Option<ImageShape>) -> Result<ImageShape> {
    let found = match (item, expected) {
        (&[h, w] | &[1, h, w] | &[h, w, 1], _) => Some(ImageShape::grey(h, w)),
        (&[d], Some(expected)) if expected.height.checked_mul(expected.width) == Some(d) => Some(expected),
        (&[d], None) if is_square(d) => Some(ImageShape::grey(d.isqrt(), d.isqrt())),
        _ => None,
    };
    match (found, expected) {
        (Some(found), None) => Ok(found),
        (Some(found), Some(expected)) if found == expected => Ok(found),
        _ => Err(Error::ImageShape { expected, got: item.to_vec() }),
    }
}

/// Whether a whole array `[N,D]` is one image `[H,W]`: where it is of the `expected` size and its rows are not, or where
/// nothing is expected and it is square.
pub(crate) fn is_single([n, d]: [usize; 2], expected: Option<ImageShape>) -> bool {
    match expected {
        Some(image) => image == ImageShape::grey(n, d) && image.values() != d,
        None => n == d,
    }
}

fn is_square(d: usize) -> bool {
    d.isqrt().pow(2) == d
}

fn reshape<T: Clone>(array: ArrayD<T>, shape: (usize, usize, usize)) -> Array3<T> {
    array.into_shape_with_order(shape).expect("H times W pixels in each item")
}
