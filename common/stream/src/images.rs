//! Tensors of images.

use std::fmt::{self, Display};

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

/// The brightest byte of images that are nearly black, at most: numbers of classes, or few levels.
pub const DARK: u8 = 31;

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
    /// [`Error::ImageShape`], and [`Error::Pixel`] for NaN and for integers beyond u8.
    pub fn from_tensor(tensor: &Tensor, size: Option<ImageShape>) -> Result<Pixels> {
        let image = self::size(&tensor.shape()[1..], size)?;
        let shape = (tensor.items(), image.height, image.width);
        if tensor.dtype().is_whole() {
            let odd = |e| match tensor.to_i64() {
                Ok(values) => pixel(values.iter(), |v| !(0..=255).contains(v), tensor, image).unwrap_or(e),
                Err(_) => e, // beyond i64
            };
            return Ok(Pixels::U8(reshape(tensor.to_u8().map_err(odd)?, shape)));
        }
        let values = tensor.to_f32()?;
        if let Some(e) = pixel(values.iter(), |v| v.is_nan(), tensor, image) {
            return Err(e);
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

/// The error of the first pixel that is odd.
fn pixel<'a, T: Display + 'a>(
    mut values: impl Iterator<Item = &'a T>,
    is_odd: impl Fn(&T) -> bool,
    tensor: &Tensor,
    image: ImageShape,
) -> Option<Error> {
    let mut n = 0;
    let odd = values.find(|value| {
        n += 1;
        is_odd(value)
    })?;
    let (n, ImageShape { height, width, .. }) = (n - 1, image);
    let at = [n / width % height, n % width];
    Some(Error::Pixel { at, image: n / (height * width), got: odd.to_string(), dtype: tensor.dtype() })
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
    /// An array whose first two dimensions are alike and whose last is not is N images `[H,W]`, but looks like `[H,W,N]`.
    Last {
        /// N, H and W.
        shape: [usize; 3],
    },
}

/// The values of a row that is taken for a flat image, at least.
const FLAT: usize = 64;

/// The shape of images whose items have this one: `[H,W]`, `[1,H,W]`, `[H,W,1]`; or `[D]` or `[1,D]`, which is as `expected`
/// or else square; a `[1,D]` of few values is a row.
///
/// # Errors
/// [`Error::ImageShape`] for any other.
pub fn size(item: &[usize], expected: Option<ImageShape>) -> Result<ImageShape> {
    let found = match (item, expected) {
        (&[d] | &[1, d], Some(image)) if image.height.checked_mul(image.width) == Some(d) => Some(image),
        (&[d], None) if is_square(d) => Some(ImageShape::grey(d.isqrt(), d.isqrt())),
        (&[1, d], None) if d >= FLAT && is_square(d) => Some(ImageShape::grey(d.isqrt(), d.isqrt())),
        (&[h, w] | &[1, h, w] | &[h, w, 1], _) => Some(ImageShape::grey(h, w)),
        _ => None,
    };
    match (found, expected) {
        (Some(found), None) => Ok(found),
        (Some(found), Some(expected)) if found == expected => Ok(found),
        _ => Err(Error::ImageShape { expected, got: item.to_vec() }),
    }
}

/// Whether a whole array is one image: `[D]`; and `[H,W]`, where it is of the `expected` size and its rows are not, or where
/// nothing is expected and it is square.
pub(crate) fn is_single(array: &[usize], expected: Option<ImageShape>) -> bool {
    match (array, expected) {
        (&[d], _) => d > 0,
        (&[n, d], Some(image)) => image == ImageShape::grey(n, d) && image.values() != d,
        (&[n, d], None) => n == d,
        _ => false,
    }
}

fn is_square(d: usize) -> bool {
    d.isqrt().pow(2) == d
}

fn reshape<T: Clone>(array: ArrayD<T>, shape: (usize, usize, usize)) -> Array3<T> {
    array.into_shape_with_order(shape).expect("H times W pixels in each item")
}
