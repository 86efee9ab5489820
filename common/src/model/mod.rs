//! A model: metadata and weights.

mod architecture;
mod check;
mod file;
mod objective;
mod preset;
mod spec;
mod store;

pub use architecture::{Bottleneck, Conv, Hidden, Network, Prior};
pub use file::ModelFile;
pub use objective::*;
pub use preset::Preset;
pub use spec::{DataSpec, Init, OutputBias, Progress, Spec, Training};
pub use store::{Stored, writable};

use std::borrow::Cow;
use std::collections::BTreeMap;

/// A tensor of a state dict, C order.
#[derive(Clone, PartialEq, Debug)]
pub struct Weight {
    /// `[out, in]` of a linear layer's weight, `[out]` of a bias; of convolutions as PyTorch has them.
    pub shape: Vec<usize>,
    /// Elements, in C order.
    pub values: Vec<f32>,
}

/// Tensors by name, as PyTorch's `state_dict()` has them.
pub type StateDict = BTreeMap<String, Weight>;

/// A model in memory. A checkpoint is one with further tensors: `adam.m.*`, `adam.v.*` and `terms`.
#[derive(Clone, PartialEq, Debug)]
pub struct Model {
    /// The metadata.
    pub spec: Spec,
    /// The state dict.
    pub weights: StateDict,
}

/// A collection of named tensors.
pub trait Tensors {
    /// The shape of a tensor and its values, C order.
    fn tensor(&self, name: &str) -> Option<(&[usize], Cow<'_, [f32]>)>;
}

/// A model in memory or in a file.
pub trait Trained: Tensors {
    /// The metadata.
    fn spec(&self) -> &Spec;
}

impl Tensors for StateDict {
    fn tensor(&self, name: &str) -> Option<(&[usize], Cow<'_, [f32]>)> {
        self.get(name).map(|weight| (&weight.shape[..], Cow::Borrowed(&weight.values[..])))
    }
}

impl Tensors for Model {
    fn tensor(&self, name: &str) -> Option<(&[usize], Cow<'_, [f32]>)> {
        self.weights.tensor(name)
    }
}

impl Trained for Model {
    fn spec(&self) -> &Spec {
        &self.spec
    }
}
