//! The command line, and what it asks for.

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Parser, ValueEnum};
use common::backend::Precision;
use common::cli::{InputArgs, ThreadArgs};
use common::dataset::Dataset;
use common::images;
use common::model::{DataSpec, Likelihood, Network, Objective, PRESETS, Preset, Spec, Training, preset, writable};
use common::network::judged;
use common::output::{Kind, Output};
use common::plan::{Cell, Plan};
use common::stream::Reader;
use common::{Error, Result, cli};
use std::io::Write;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

/// Train a VAE on a stream of images
///
/// Reads a whole stream of images `x` (or .npy) of any size, and holds it in memory as it came: 60,000 MNIST images of
/// bytes take 47 MB. Writes the model to the file of -o once training is complete, and on standard output one JSON record
/// per epoch: the loss (reconstruction summed over pixels + beta · KL summed over dimensions, averaged over images, in
/// nats), its parts, and the speed.
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
    /// Dimensions of z [default: the preset's]
    #[arg(long, value_name = "N", help_heading = "Model")]
    pub latent: Option<usize>,
    /// Weight of the KL in the loss
    #[arg(long, value_name = "B", default_value_t = 1.0, help_heading = "Training")]
    pub beta: f64,
    /// Draws of z for each image
    #[arg(long, value_name = "L", default_value_t = 1, help_heading = "Training")]
    pub samples: usize,
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
    /// x_hat) and `sample` (x_hat)
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub preview: usize,
    /// Show layers, shapes and parameters, and stop; 28 x 28 images are assumed if none are piped in
    #[arg(long)]
    pub dry_run: bool,
    /// A line for each epoch on standard error, where that is no terminal
    #[arg(short, long)]
    pub verbose: bool,
    #[command(flatten)]
    pub threads: ThreadArgs,
}

/// What [`Precision`] is called on the command line.
#[derive(ValueEnum, Clone, Copy)]
pub enum Products {
    /// a significand of 24 bits
    Fp32,
    /// a significand of 8 bits: faster on CPUs with AVX512_BF16
    Bf16,
}

/// The names of the presets, with what they are.
fn presets() -> PossibleValuesParser {
    let about = |p: &Preset| {
        let Preset { lr, batch, epochs, .. } = p;
        format!("{}; lr {lr}, batches of {batch}, {epochs} epochs", p.about)
    };
    PossibleValuesParser::new(PRESETS.iter().map(|p| PossibleValue::new(p.name).help(about(p))))
}

impl Args {
    /// Refuses what can be refused before any image is read. Gives the place of the model.
    pub fn check(&self) -> Result<&Path> {
        let output = self.output.as_deref();
        let output = output.ok_or_else(|| Error::Usage("no place for the model: expected -o FILE".into()))?;
        writable(output)?;
        self.spec_of([1, 1], DataSpec { range: [0.0, 1.0], images: 0, sha256: String::new() })?;
        match &self.test {
            Some(path) if path.as_os_str() == "-" => Err(Error::Usage(
                "--test -: expected a file or FIFO, since standard input is for training images".into(),
            )),
            Some(path) if !path.exists() => Err(Error::NoInput(format!("--test {}: no such file", path.display()))),
            _ => Ok(output),
        }
    }

    /// The run that is asked for, over these images.
    pub fn spec(&self, data: &Dataset) -> Result<Spec> {
        let data_spec = DataSpec { range: [0.0, 1.0], images: data.items(), sha256: data.sha256() };
        self.spec_of(data.image(), data_spec)
    }

    fn spec_of(&self, image: [usize; 2], data: DataSpec) -> Result<Spec> {
        let preset = preset(&self.preset);
        let spec = Spec {
            vae_model: Spec::VERSION,
            network: Network::Mlp {
                image,
                hidden: self.hidden.clone().unwrap_or(preset.hidden.to_vec()),
                latent: self.latent.unwrap_or(preset.latent),
            },
            objective: Objective { likelihood: Likelihood::Bernoulli, beta: self.beta, samples: self.samples },
            data,
            training: Training {
                lr: self.lr.unwrap_or(preset.lr),
                batch: self.batch.unwrap_or(preset.batch),
                seed: self.seed,
                epochs: self.epochs.unwrap_or(preset.epochs),
                steps: 0,
                precision: match self.precision {
                    Products::Fp32 => Precision::Fp32,
                    Products::Bf16 => Precision::Bf16,
                },
            },
            tool: concat!("vae-train ", env!("CARGO_PKG_VERSION")).into(),
            checkpoint: None,
        };
        spec.check()?;
        Ok(spec)
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

/// Shows what would be trained.
pub fn describe(args: &Args) -> Result<()> {
    let image = if args.input.file.is_some() || cli::stdin_holds_something() {
        let reader = Reader::open(&args.input, "x")?;
        images::size(&reader.head().need("x")?.shape, None)?
    } else {
        [28, 28]
    };
    let spec = args.spec_of(image, DataSpec { range: [0.0, 1.0], images: 0, sha256: String::new() })?;
    let mut plan = Plan::new(spec.training.batch);
    judged(&mut plan, &spec.network, &spec.objective, 1, Cell::Byte);
    let mut text = format!("{:24} {:>16} {:>12}\n", "tensor", "shape", "parameters");
    let mut total = 0;
    for (name, shape) in common::parameters::shapes(&plan) {
        let count: usize = shape.iter().product();
        text += &format!("{name:24} {:>16} {count:>12}\n", format!("{shape:?}"));
        total += count;
    }
    let [h, w] = image;
    let (training, objective) = (&spec.training, &spec.objective);
    text += &format!("{:24} {:>16} {total:>12}\n\n", "total", "");
    text += &format!(
        "images {h} x {w} in [0, 1]; loss = -log Bernoulli(x) + {} KL, nats per image, {} draw{} of z\n",
        objective.beta,
        objective.samples,
        if objective.samples == 1 { "" } else { "s" }
    );
    text += &format!(
        "Adam lr {}, batches of {}, {} epochs, seed {}{}\n",
        training.lr,
        training.batch,
        training.epochs,
        training.seed,
        if training.precision == Precision::Bf16 { ", products of bf16" } else { "" }
    );
    let mut output = Output::open(None, Kind::Text)?;
    output.write_all(text.as_bytes()).map_err(|e| output.error(e))?;
    output.commit()
}
