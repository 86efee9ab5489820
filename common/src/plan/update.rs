//! The second phase of a step: the gradients of parameters, and what the optimizer does with them.

use super::op::same_rows;
use super::{Activations, Param};

/// The gradient of a parameter, a sum over the rows of all images.
#[allow(missing_docs)] // the formula of a variant says what its fields are
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Gradient {
    /// `dW = x^T dy`, `[in, out]`
    Weight { w: Param, x: Activations, dy: Activations },
    /// `db` = sum over r of `dy[r]`, `[out]`
    Bias { b: Param, dy: Activations },
}

impl Gradient {
    /// A row of a profile, with the update that is fused to it.
    pub fn label(&self) -> String {
        match self {
            Gradient::Weight { w, .. } => format!("weight gradient {} x {}, optimizer", w.inp, w.out),
            Gradient::Bias { .. } => "biases".into(),
        }
    }
    /// Floating-point operations of its product, for each image.
    pub fn flops(&self) -> usize {
        match self {
            Gradient::Weight { w, x, .. } => 2 * x.per_image * w.values(),
            Gradient::Bias { .. } => 0,
        }
    }
    /// The parameter.
    pub fn param(&self) -> Param {
        match *self {
            Gradient::Weight { w, .. } => w,
            Gradient::Bias { b, .. } => b,
        }
    }
    /// Whether the shapes of its operands agree.
    pub fn shapes_agree(&self) -> bool {
        match *self {
            Gradient::Weight { w, x, dy } => same_rows(&[x, dy]) && x.width == w.inp && dy.width == w.out,
            Gradient::Bias { b, dy } => b.inp == 1 && dy.width == b.out,
        }
    }
}

/// The update of a parameter from its gradient.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Update {
    /// Adam (Kingma and Ba 2015, algorithm 1), with the settings and the step of the backend's state.
    Adam(Param),
}

impl Update {
    /// The parameter.
    pub fn param(&self) -> Param {
        let Update::Adam(param) = *self;
        param
    }
}
