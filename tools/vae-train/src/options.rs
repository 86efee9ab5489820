//! The command line, as typed; [`resolve`](crate::resolve) makes a run of it.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, FromArgMatches, Parser};
use common::model::{Binarize, Bottleneck, Init, OutputBias, Preset, writable};
use common::options::{ActivationArgs, DeviceArgs, LikelihoodArgs};
use common::plan::{Activation, Precision};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use vae_cli::input::{check_kept, exists};
use vae_cli::{Error, ImageArgs, Result};

/// Train a VAE on a stream of images
///
/// Reads a whole stream of images `x` (or .npy) of any size, and for a conditional model labels `y`, and holds it in memory
/// as it came: 60,000 MNIST images of bytes take 47 MB. Writes the model to the file of -o once training is complete, and on
/// standard output one JSON record per epoch: the loss (reconstruction summed over pixels + beta · KL summed over
/// dimensions, averaged over images, in nats), its terms, and the speed.
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
    pub given: Given,
    #[command(flatten)]
    pub images: ImageArgs,
    /// Where to write the model, once training is complete
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// A well-known model, whose settings the options below override
    #[arg(long, value_name = "NAME", default_value = "mlp-400-20", value_parser = presets(), help_heading = "Model")]
    pub preset: Preset,
    /// Units of each hidden layer, from the image inwards [default: the preset's]
    #[arg(long, value_name = "N,N", value_delimiter = ',', help_heading = "Model")]
    pub hidden: Option<Vec<usize>>,
    /// Channels of each convolution, instead of --hidden; kernels of 5 x 5 pixels, stride 2
    #[arg(long, value_name = "N,N", value_delimiter = ',', conflicts_with = "hidden", help_heading = "Model")]
    pub conv: Option<Vec<usize>>,
    /// Dimensions of z [default: the preset's]
    #[arg(long, value_name = "N", help_heading = "Model")]
    pub latent: Option<usize>,
    #[command(flatten)]
    pub activation: ActivationArgs,
    /// A plain autoencoder: the code is a point, after this activation, and there is no KL
    #[arg(long, value_name = "ACT", num_args = 0..=1, require_equals = true, default_missing_value = "none", help_heading = "Model")]
    pub autoencoder: Option<Activation>,
    /// Classes of a conditional model, whose encoder, decoder and prior see the labels `y` [default: the preset's]
    #[arg(long, value_name = "K", help_heading = "Model")]
    pub classes: Option<usize>,
    /// The prior of a conditional model: standard, N(0, I), or p(z given y), learned, by the units of its hidden layers
    /// [default: the preset's, or standard]
    #[arg(long, value_name = "standard|N,N", help_heading = "Model")]
    pub prior: Option<PriorChoice>,
    #[command(flatten)]
    pub likelihood: LikelihoodArgs,
    /// Weight of the KL in the loss [default: 1]
    #[arg(long, value_name = "B", help_heading = "Objective")]
    pub beta: Option<f64>,
    /// Epochs of warm-up, in which the weight of the KL grows from 0 to --beta, step by step
    #[arg(long, value_name = "EPOCHS", default_value_t = 0.0, hide_default_value = true, help_heading = "Objective")]
    pub kl_warmup: f64,
    /// Draws of z per image
    #[arg(long, value_name = "L", default_value_t = 1, help_heading = "Objective")]
    pub samples: usize,
    /// Make pixels black or white, as the network sees them
    #[arg(long, value_name = "HOW", default_value = "none", help_heading = "Objective")]
    pub binarize: Binarize,
    /// Passes over the images [default: the preset's]
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub epochs: Option<usize>,
    /// Images per step [default: the preset's]
    #[arg(long, value_name = "N", help_heading = "Training")]
    pub batch: Option<usize>,
    /// Adam's step size [default: the preset's]
    #[arg(long, value_name = "LR", help_heading = "Training")]
    pub lr: Option<f64>,
    /// Operand type of matrix products; sums, weights and the optimizer are always fp32
    #[arg(long, value_name = "TYPE", default_value = "fp32", help_heading = "Training")]
    pub precision: Precision,
    /// Initialization of the weights
    #[arg(long, value_name = "HOW", default_value = "pytorch", help_heading = "Training")]
    pub init: Init,
    /// Initialization of the biases of the decoder's output
    #[arg(long, value_name = "HOW", default_value = "init", help_heading = "Training")]
    pub output_bias: OutputBias,
    /// Seed of all randomness: the same seed gives the same bytes
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Training")]
    pub seed: u32,
    /// Images to evaluate after each epoch, by sampling: a file or FIFO
    #[arg(long, value_name = "PATH", help_heading = "Training")]
    pub test: Option<PathBuf>,
    /// Where to write the checkpoint; {epoch} in the name, or {epoch:03}, keeps one per epoch. The default, FILE of -o with .ckpt, is removed
    /// after a complete run
    #[arg(long, value_name = "FILE", help_heading = "Checkpoints")]
    pub checkpoint: Option<PathBuf>,
    /// Write the checkpoint every N steps instead of after each epoch
    #[arg(long, value_name = "N", help_heading = "Checkpoints")]
    pub every: Option<NonZeroU64>,
    /// Continue from the checkpoint, if there is one; from a named one, with more --epochs too
    #[arg(long, help_heading = "Checkpoints")]
    pub resume: bool,
    /// Write a stream instead of plain JSON: the same records, and after each epoch N images in the groups `recon` (x,
    /// x_hat) and, of a VAE, `sample` (x_hat)
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub preview: usize,
    /// Show tensors, shapes and parameter counts, and stop; 28 x 28 images are assumed if none are piped in
    #[arg(long)]
    pub dry_run: bool,
    /// Show a line per epoch on standard error, even where that is no terminal
    #[arg(short, long)]
    pub verbose: bool,
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// The ids of the options on the command line.
pub struct Given(Vec<String>);

impl Given {
    /// The long name of the first option on the command line, in the order of the help, that is none of these.
    pub fn other_than(&self, ids: &[&str]) -> Option<String> {
        let command = <Args as clap::CommandFactory>::command();
        let given = |id: &str| self.0.iter().any(|given| given == id);
        let mut options = command.get_arguments().filter(|option| given(option.get_id().as_str()));
        options.find(|option| !ids.contains(&option.get_id().as_str()))?.get_long().map(str::to_owned)
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Given, clap::Error> {
        let typed = |id: &&clap::Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
        Ok(Given(matches.ids().filter(typed).map(|id| id.to_string()).collect()))
    }
    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Given::from_arg_matches(matches)?;
        Ok(())
    }
}

/// No option of its own: it reads which of the others are there.
impl clap::Args for Given {
    fn augment_args(command: Command) -> Command {
        command
    }
    fn augment_args_for_update(command: Command) -> Command {
        command
    }
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

/// A preset by its name; the help tells what each is.
fn presets() -> impl TypedValueParser<Value = Preset> {
    let about = |p: &Preset| match p.network.bottleneck {
        Bottleneck::Components => p.about.to_owned(),
        _ => format!("{}; lr {}, batches of {}, {} epochs", p.about, p.lr, p.batch, p.epochs),
    };
    let names: Vec<_> = Preset::all().iter().map(|p| PossibleValue::new(p.name).help(about(p))).collect();
    PossibleValuesParser::new(names).map(|name| Preset::named(&name).expect("a possible value is a preset"))
}

impl Args {
    /// The file of the model. With [`check_test`](Args::check_test), what can be refused before any image is read.
    pub fn output(&self) -> Result<&Path> {
        let missing = || Error::Usage("missing -o FILE: where to write the model".into());
        let output = self.output.as_deref().ok_or_else(missing)?;
        if output.to_string_lossy().contains("{epoch") {
            let message = "-o is one file, which takes no {epoch}: expected it in --checkpoint; correct the name";
            return Err(Error::Usage(message.into()));
        }
        let images = self.images.input().file.as_deref().unwrap_or(Path::new("-"));
        let inputs = [images].into_iter().chain(self.test.as_deref());
        let written = [output].into_iter().chain(self.checkpoint.as_deref());
        written.into_iter().try_for_each(|written| check_kept(written, inputs.clone()))?;
        writable(output)?;
        Ok(output)
    }

    /// Refuses test images that cannot be read.
    pub fn check_test(&self) -> Result<()> {
        match &self.test {
            Some(path) if path.as_os_str() == "-" => Err(Error::Usage(
                "--test -: expected a file or FIFO, since standard input is for training images".into(),
            )),
            Some(path) if !exists(path)? => Err(Error::NoInput(format!("--test {}: no such file", path.display()))),
            _ => Ok(()),
        }
    }
}
