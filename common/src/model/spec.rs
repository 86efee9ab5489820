//! What a model is, in the words of its file: the network, the objective, the data it is for, and how it was trained.

use super::{Binarize, Network, Objective};
use crate::plan::Precision;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The images that a model was trained on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DataSpec {
    /// The values of black and white, as the network sees them.
    pub range: [f64; 2],
    /// How many images.
    pub images: usize,
    /// SHA-256 of their pixels, dtype and shape, and of their labels where the model is conditional.
    pub sha256: String,
    /// What is done to pixels before the network sees them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub binarize: Binarize,
}

impl Default for DataSpec {
    fn default() -> DataSpec {
        DataSpec { range: [0.0, 1.0], images: 0, sha256: String::new(), binarize: Binarize::None }
    }
}

/// How a model was, or is to be, trained.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Training {
    /// Adam's step size.
    pub lr: f64,
    /// N.
    pub batch: usize,
    /// Key of the weights it starts from, of the order of images, and of all noise.
    pub seed: u32,
    /// Times that every image is seen.
    pub epochs: usize,
    /// Steps taken so far.
    pub steps: u64,
    /// What products multiplied; models older than this field were trained in fp32.
    #[serde(default)]
    pub precision: Precision,
    /// Where weights start.
    #[serde(default, skip_serializing_if = "is_default")]
    pub init: Init,
    /// Where the biases of the decoder's output start.
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

/// How weights are drawn at the start.
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

/// Where the biases of the decoder's output start.
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

/// How far an unfinished run has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// The epoch under way, from 1; one more than the number of epochs at the end of the last.
    pub epoch: usize,
    /// Images of it that were seen.
    pub at: usize,
}

/// The metadata of a model file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Spec {
    /// The version of this form, [`Spec::VERSION`].
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
    /// The newest form of a model file that this code reads.
    pub const VERSION: u32 = 1;

    /// A network and its objective, with no data yet and the training that is usual.
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
