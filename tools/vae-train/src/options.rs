//! The command line.

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Parser, ValueEnum};
use common::model::{Bottleneck, Preset, writable};
use common::options::{ActivationArgs, DeviceArgs, LikelihoodArgs};
use common::plan::Activation;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use vae_cli::{Error, InputArgs, Result};

/// Train a VAE on a stream of images
///
/// Reads a whole stream of images `x` (or .npy) of any size, and for a conditional model labels `y`, and holds it in memory
/// as it came: 60,000 MNIST images of bytes take 47 MB. Writes the model to the file of -o once training is complete, and on standard output one JSON record
/// per epoch: the loss (reconstruction summed over pixels + beta · KL summed over dimensions, averaged over images, in
/// nats), its parts, and the speed.
///
/// --preset pca-20 finds principal components in one pass instead, to compare with; it takes --latent, --test and --preview.
#[derive(Parser)]
#[command(
    name = "vae-train",
    version,
    after_help = "Example: mnist-dump | vae-train --test <(mnist-dump --split test) -o model.bin"
)]
pub struct Args {
    #[command(flatten)]
    pub input: InputArgs,
    /// Where the model goes, when training is complete
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// A well-known model, from whose settings the options below depart
    #[arg(long, value_name = "NAME", default_value = "mlp-400-20", value_parser = presets(), help_heading = "Model")]
    pub preset: String,
    /// Units of each hidden layer, from the image inwards [default: the preset's]
    #[arg(long, value_name = "N,N", value_delimiter = ',', help_heading = "Model")]
    pub hidden: Option<Vec<usize>>,
    /// Convolutions instead, with so many channels, each of 5 x 5 pixels and half the side of the one before
    #[arg(long, value_name = "N,N", value_delimiter = ',', conflicts_with = "hidden", help_heading = "Model")]
    pub conv: Option<Vec<usize>>,
    /// Dimensions of z [default: the preset's]
    #[arg(long, value_name = "N", help_heading = "Model")]
    pub latent: Option<usize>,
    #[command(flatten)]
    pub activation: ActivationArgs,
    /// A plain autoencoder: the code is a point, with this activation behind it, and there is no KL
    #[arg(long, value_name = "ACT", num_args = 0..=1, require_equals = true, default_missing_value = "none", help_heading = "Model")]
    pub autoencoder: Option<Activation>,
    /// A conditional model: encoder, decoder and prior see labels `y` of so many classes [default: the preset's]
    #[arg(long, value_name = "K", help_heading = "Model")]
    pub classes: Option<usize>,
    /// The prior of a conditional model: standard, N(0, I), or p(z given y) learned with hidden layers of so many units
    /// [default: the preset's, or standard]
    #[arg(long, value_name = "standard|N,N", help_heading = "Model")]
    pub prior: Option<PriorChoice>,
    #[command(flatten)]
    pub likelihood: LikelihoodArgs,
    /// Weight of the KL in the loss [default: 1]
    #[arg(long, value_name = "B", help_heading = "Objective")]
    pub beta: Option<f64>,
    /// Epochs in which the weight of the KL grows from 0 to that, step by step
    #[arg(long, value_name = "EPOCHS", default_value_t = 0.0, hide_default_value = true, help_heading = "Objective")]
    pub kl_warmup: f64,
    /// Draws of z for each image
    #[arg(long, value_name = "L", default_value_t = 1, help_heading = "Objective")]
    pub samples: usize,
    /// Make pixels black or white, as the network sees them
    #[arg(long, value_name = "HOW", default_value = "none", help_heading = "Objective")]
    pub binarize: BinarizeChoice,
    /// Times that every image is seen [default: the preset's]
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub epochs: Option<usize>,
    /// Images in a step [default: the preset's]
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub batch: Option<usize>,
    /// Adam's step size [default: the preset's]
    #[arg(long, value_name = "LR", help_heading = "Training")]
    pub lr: Option<f64>,
    /// The numbers that products multiply; sums, weights and the optimizer are fp32 always
    #[arg(long, value_name = "TYPE", default_value = "fp32", help_heading = "Training")]
    pub precision: Products,
    /// Where weights start
    #[arg(long, value_name = "HOW", default_value = "pytorch", help_heading = "Training")]
    pub init: InitChoice,
    /// Where the biases of the decoder's output start
    #[arg(long, value_name = "HOW", default_value = "init", help_heading = "Training")]
    pub output_bias: OutputBiasChoice,
    /// Key of all randomness: the same seed gives the same bytes
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Training")]
    pub seed: u32,
    /// Images to evaluate after each epoch, by sampling: a file or FIFO
    #[arg(long, value_name = "PATH", help_heading = "Training")]
    pub test: Option<PathBuf>,
    /// Where the state goes from which a run goes on; {epoch} in the name keeps one for each epoch. The default, FILE of
    /// -o with .ckpt, is removed after a complete run
    #[arg(long, value_name = "FILE", help_heading = "Checkpoints")]
    pub checkpoint: Option<PathBuf>,
    /// Write it every N steps instead of after each epoch
    #[arg(long, value_name = "N", help_heading = "Checkpoints")]
    pub every: Option<NonZeroU64>,
    /// Go on from the checkpoint if it is there, else start; from one that was named, with more --epochs too
    #[arg(long, help_heading = "Checkpoints")]
    pub resume: bool,
    /// Write a stream instead of plain JSON: the same records, and after each epoch N images in the groups `recon` (x,
    /// x_hat) and, of a VAE, `sample` (x_hat)
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub preview: usize,
    /// Show layers, shapes and parameters, and stop; 28 x 28 images are assumed if none are piped in
    #[arg(long)]
    pub dry_run: bool,
    /// A line for each epoch on standard error, where that is no terminal
    #[arg(short, long)]
    pub verbose: bool,
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// What [`Precision`](common::backend::Precision) is called on the command line.
#[derive(ValueEnum, Clone, Copy)]
pub enum Products {
    /// a significand of 24 bits
    Fp32,
    /// a significand of 11 bits: faster on a GPU from Ampere on; a CPU multiplies fp32
    Tf32,
    /// a significand of 8 bits: faster on CPUs with AVX512_BF16, and on a GPU from Ampere on
    Bf16,
}

/// How pixels become black or white.
#[derive(ValueEnum, Clone, Copy)]
pub enum BinarizeChoice {
    /// they stay grey
    None,
    /// white above 0.5
    Threshold,
    /// white with the probability that the pixel holds, drawn once for each image
    Static,
    /// drawn anew at each visit
    Dynamic,
}

/// Where weights start.
#[derive(ValueEnum, Clone, Copy)]
pub enum InitChoice {
    /// weights and biases uniform in ±1/sqrt(fan in)
    Pytorch,
    /// weights uniform in ±sqrt(6 / (fan in + fan out)), biases 0
    Glorot,
}

/// Where the biases of the decoder's output start.
#[derive(ValueEnum, Clone, Copy)]
pub enum OutputBiasChoice {
    /// as the other biases
    Init,
    /// the logit of the mean pixel of the images
    Mean,
}

/// The prior of a conditional model.
#[derive(Clone)]
pub enum PriorChoice {
    Standard,
    Learned(Vec<usize>),
}

impl FromStr for PriorChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<PriorChoice, String> {
        let wrong = |_| "expected standard, or the units of its hidden layers, as in 100 or 200,200".to_owned();
        match text {
            "standard" => Ok(PriorChoice::Standard),
            _ => text.split(',').map(str::parse).collect::<Result<_, _>>().map(PriorChoice::Learned).map_err(wrong),
        }
    }
}

/// The names of the presets, with what they are.
fn presets() -> PossibleValuesParser {
    let about = |p: &Preset| match p.network.bottleneck {
        Bottleneck::Components => p.about.to_owned(),
        _ => format!("{}; lr {}, batches of {}, {} epochs", p.about, p.lr, p.batch, p.epochs),
    };
    PossibleValuesParser::new(
        Preset::all().iter().map(|p| PossibleValue::new(p.name).help(about(p))).collect::<Vec<_>>(),
    )
}

impl Args {
    /// Refuses what can be refused before any image is read. Gives the place of the model.
    pub fn check(&self) -> Result<&Path> {
        let output = self.output.as_deref();
        let output = output.ok_or_else(|| Error::Usage("no place for the model: expected -o FILE".into()))?;
        writable(output)?;
        self.spec_for([28, 28].into())?;
        match &self.test {
            Some(path) if path.as_os_str() == "-" => Err(Error::Usage(
                "--test -: expected a file or FIFO, since standard input is for training images".into(),
            )),
            Some(path) if !path.exists() => Err(Error::NoInput(format!("--test {}: no such file", path.display()))),
            _ => Ok(output),
        }
    }

    /// Steps from this one to the next checkpoint, where --every asks for them.
    pub fn to_checkpoint(&self, step: u64) -> Option<u64> {
        self.every.map(|every| every.get() - step % every)
    }
    /// Whether --every asks for a checkpoint after this step.
    pub fn due(&self, step: u64) -> bool {
        self.every.is_some_and(|every| step % every == 0)
    }
}
