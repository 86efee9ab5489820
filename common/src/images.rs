//! placeholder
use ndarray::Array3;
/// Images.
#[derive(Clone, PartialEq, Debug)]
pub enum Pixels {
    /// bytes
    U8(Array3<u8>),
    /// floats
    F32(Array3<f32>),
}
