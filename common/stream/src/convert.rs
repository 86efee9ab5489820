//! Conversion of any tensor to the few types that programs compute with, checked for range.

use std::fmt::Display;

use half::f16;
use ndarray::ArrayD;

use crate::{Dtype, Error, Result, Tensor};

impl Tensor {
    /// The elements as f32, rounded to the nearest; NaN stays NaN.
    ///
    /// # Errors
    /// [`Error::Range`] for values beyond f32 (1e300).
    pub fn to_f32(&self) -> Result<ArrayD<f32>> {
        match self.dtype() {
            Dtype::F32 => self.to_array(),
            _ => self.convert::<f32>("numbers in the range of f32"),
        }
    }

    /// The elements as u8.
    ///
    /// # Errors
    /// [`Error::Range`] for all but integers from 0 to 255.
    pub fn to_u8(&self) -> Result<ArrayD<u8>> {
        match self.dtype() {
            Dtype::U8 => self.to_array(),
            _ => self.convert::<u8>("whole numbers from 0 to 255"),
        }
    }

    /// The elements as i64.
    ///
    /// # Errors
    /// [`Error::Range`] for all but integers in its range.
    pub fn to_i64(&self) -> Result<ArrayD<i64>> {
        match self.dtype() {
            Dtype::I64 => self.to_array(),
            _ => self.convert::<i64>("whole numbers in the range of i64"),
        }
    }

    fn convert<T: FromNumber>(&self, expected: &'static str) -> Result<ArrayD<T>> {
        match self.dtype() {
            Dtype::Bool => map(self.to_array::<bool>()?.mapv(u8::from), expected),
            Dtype::I8 => map(self.to_array::<i8>()?, expected),
            Dtype::U8 => map(self.to_array::<u8>()?, expected),
            Dtype::I16 => map(self.to_array::<i16>()?, expected),
            Dtype::U16 => map(self.to_array::<u16>()?, expected),
            Dtype::F16 => map(self.halves().mapv(f16::to_f32), expected),
            Dtype::I32 => map(self.to_array::<i32>()?, expected),
            Dtype::U32 => map(self.to_array::<u32>()?, expected),
            Dtype::F32 => map(self.to_array::<f32>()?, expected),
            Dtype::I64 => map(self.to_array::<i64>()?, expected),
            Dtype::U64 => map(self.to_array::<u64>()?, expected),
            Dtype::F64 => map(self.to_array::<f64>()?, expected),
        }
    }
}

fn map<S: Number, T: FromNumber>(array: ArrayD<S>, expected: &'static str) -> Result<ArrayD<T>> {
    let shape = array.raw_dim();
    let (values, _) = array.into_raw_vec_and_offset(); // in C order, as every tensor is
    let converted: Option<Vec<T>> = values.iter().map(|&x| T::cast(x)).collect();
    match converted {
        Some(values) => Ok(ArrayD::from_shape_vec(shape, values).expect("one value for each element")),
        None => {
            let odd = values.iter().find(|&&x| T::cast(x).is_none());
            Err(Error::Range { expected, got: odd.map_or(String::new(), S::to_string) })
        }
    }
}

/// An element of a tensor.
trait Number: Copy + Display {
    fn whole(self) -> Option<i64>;
    fn real(self) -> f64;
}

/// A type to convert to.
trait FromNumber: Sized {
    fn cast(x: impl Number) -> Option<Self>;
}

impl FromNumber for f32 {
    fn cast(x: impl Number) -> Option<f32> {
        let (wide, narrow) = (x.real(), x.real() as f32);
        (narrow.is_finite() || !wide.is_finite()).then_some(narrow)
    }
}

impl FromNumber for i64 {
    fn cast(x: impl Number) -> Option<i64> {
        x.whole()
    }
}

impl FromNumber for u8 {
    fn cast(x: impl Number) -> Option<u8> {
        u8::try_from(x.whole()?).ok()
    }
}

macro_rules! whole {
    ($($type:ty)*) => {
        $(impl Number for $type {
            fn whole(self) -> Option<i64> {
                i64::try_from(self).ok()
            }
            fn real(self) -> f64 {
                self as f64
            }
        })*
    };
}
whole!(i8 u8 i16 u16 i32 u32 i64 u64);

impl Number for f64 {
    fn whole(self) -> Option<i64> {
        // 2^63 itself is one too many; every whole f64 below it is an i64.
        (self.fract() == 0.0 && (-(2f64.powi(63))..2f64.powi(63)).contains(&self)).then_some(self as i64)
    }
    fn real(self) -> f64 {
        self
    }
}

impl Number for f32 {
    fn whole(self) -> Option<i64> {
        f64::from(self).whole()
    }
    fn real(self) -> f64 {
        f64::from(self)
    }
}
