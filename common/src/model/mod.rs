//! A model: what it is, and its weights.

mod file;
mod preset;
mod spec;
mod store;

pub use file::{hex, sha256};
pub use preset::{PRESETS, Preset, preset};
pub use spec::{DataSpec, Likelihood, Network, Objective, Progress, Spec, Training};
pub use store::{Stored, writable};

use std::collections::BTreeMap;

/// A tensor of a state dict, C order.
#[derive(Clone, PartialEq, Debug)]
pub struct Weight {
    /// `[out, in]` of a weight, `[out]` of a bias.
    pub shape: Vec<usize>,
    /// As many as the shape says.
    pub values: Vec<f32>,
}

/// Tensors by name, as PyTorch's `state_dict()` has them.
pub type StateDict = BTreeMap<String, Weight>;

/// A model in memory. A checkpoint is one with further tensors: `adam.m.*`, `adam.v.*` and `terms`.
#[derive(Clone, PartialEq, Debug)]
pub struct Model {
    /// What it is.
    pub spec: Spec,
    /// Its weights.
    pub weights: StateDict,
}
