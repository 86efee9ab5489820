//! The metadata of a model: network, objective, data and training.

use super::{Binarize, Network, Objective};
use crate::plan::Precision;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The training images of a model.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DataSpec {
    /// The values of black and white, as the network sees them.
    pub range: [f64; 2],
    /// The number of images.
    pub images: usize,
    /// SHA-256 of dtype, shape, indices and pixels, and of the labels of a conditional model.
    pub sha256: String,
    /// Binarization of the pixels.
    #[serde(default, skip_serializing_if = "is_default")]
    pub binarize: Binarize,
}

impl Default for DataSpec {
    fn default() -> DataSpec {
        DataSpec { range: [0.0, 1.0], images: 0, sha256: String::new(), binarize: Binarize::None }
    }
}

/// The hyperparameters and the state of training.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Training {
    /// Adam's step size.
    pub lr: f64,
    /// N, the batch size.
    pub batch: usize,
    /// The seed of initialization, shuffling and noise.
    pub seed: u32,
    /// The number of epochs.
    pub epochs: usize,
    /// Steps taken so far.
    pub steps: u64,
    /// The operand type of matrix products; fp32 in files without this key.
    #[serde(default)]
    pub precision: Precision,
    /// Weight initialization.
    #[serde(default, skip_serializing_if = "is_default")]
    pub init: Init,
    /// Initialization of the decoder's output bias.
    #[serde(default, skip_serializing_if = "is_default")]
    pub output_bias: OutputBias,
}

impl Default for Training {
    fn default() -> Training {
        Training {
            lr: 1e-3,
            batch: 128,
            seed: 0,
            epochs: 1,
            steps: 0,
            precision: Precision::Fp32,
            init: Init::Pytorch,
            output_bias: OutputBias::Init,
        }
    }
}

/// Weight initialization.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Init {
    /// Weights and biases uniform in ±1/sqrt(fan in), as PyTorch's layers.
    #[default]
    #[value(help = "weights and biases uniform in ±1/sqrt(fan in)")]
    Pytorch,
    /// Weights uniform in ±sqrt(6 / (fan in + fan out)), biases 0 (Glorot and Bengio 2010, eq. 16).
    #[value(help = "weights uniform in ±sqrt(6 / (fan in + fan out)), biases 0")]
    Glorot,
}

/// Initialization of the decoder's output bias.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum OutputBias {
    /// As the other biases.
    #[default]
    #[value(help = "as the other biases")]
    Init,
    /// The logit of the mean pixel of the training images.
    #[value(help = "the logit of the mean pixel of the images")]
    Mean,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The position of a checkpoint in its run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// The current epoch, from 1; after the last, the number of epochs + 1.
    pub epoch: usize,
    /// Images done in this epoch.
    pub at: usize,
}

/// The metadata of a model file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Spec {
    /// The format version, [`Spec::VERSION`].
    pub vae_model: u32,
    /// The layers.
    pub network: Network,
    /// The loss.
    pub objective: Objective,
    /// The images.
    pub data: DataSpec,
    /// The run.
    pub training: Training,
    /// The program that wrote it, and its version.
    pub tool: String,
    /// Present in a checkpoint.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub checkpoint: Option<Progress>,
}

impl Spec {
    /// The newest format version that is read.
    pub const VERSION: u32 = 1;

    /// A network and its objective, with default data and training.
    pub fn new(network: Network, objective: Objective) -> Spec {
        Spec {
            vae_model: Spec::VERSION,
            network,
            objective,
            data: DataSpec::default(),
            training: Training::default(),
            tool: String::new(),
            checkpoint: None,
        }
    }
}
