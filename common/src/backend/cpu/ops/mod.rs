//! The operations of a plan on the CPU: one function for each [`Op`](crate::plan::Op), of the same name.
//!
//! Dimensions: N images of a block; P rows per image (1, L samples, or output positions of a convolution); R = N · P
//! rows; r a row and n = r / P its image; D pixels; Z latent dimensions. Arrays are row-major slices: `x[R, width]`.
//! Functions are `#[inline(always)]` into the interpreter, which compiles them for each instruction set.

mod adam;
mod conv;
mod elementwise;
mod gaussian;
mod im2col;
pub(crate) mod interpreter;
mod likelihood;
mod linear;
pub(crate) mod patch_update;
pub(crate) mod update;

pub(crate) use adam::AdamStep;
pub(crate) use linear::Scratch;

/// d[i] = f(i), or d[i] += f(i) with `add`
#[inline(always)]
fn assign(d: &mut [f32], add: bool, f: impl Fn(usize) -> f32) {
    if add {
        d.iter_mut().enumerate().for_each(|(i, d)| *d += f(i));
    } else {
        d.iter_mut().enumerate().for_each(|(i, d)| *d = f(i));
    }
}
