//! Options, as typed, to a run, resolved once: a preset with what overrides it, then the images.

use crate::options::{Args, PriorChoice};
use common::backend::Device;
use common::dataset::Dataset;
use common::model::{Bottleneck, DataSpec, Hidden, Network, Objective, Preset, Prior, Spec, Training};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use vae_cli::{Error, InputArgs, Result};

/// The options that principal components take; they have neither layers nor steps.
const PCA_OPTIONS: [&str; 11] =
    ["file", "image", "output", "preset", "latent", "test", "preview", "dry_run", "verbose", "device", "threads"];

/// What to do, all options resolved and all images read.
pub struct Run {
    pub spec: Spec,
    pub train: Dataset,
    pub test: Option<Dataset>,
    pub device: Device,
    /// The file of the model.
    pub output: PathBuf,
    /// Images of a preview.
    pub preview: usize,
    /// Steps between checkpoints, instead of an epoch.
    pub every: Option<NonZeroU64>,
    pub resume: bool,
    pub verbose: bool,
}

impl Run {
    /// Reads the images.
    pub fn load(args: &Args, mut spec: Spec, output: &Path) -> Result<Run> {
        let classes = spec.network.classes;
        let (mut reader, image) = args.images.reader("x", None)?;
        let train = Dataset::read(&mut reader, "x", image, classes)?;
        let test = args.test.clone().map(|file| -> Result<_> {
            let mut reader = InputArgs { file: Some(file) }.reader("x")?;
            let (size, _) = reader.images("x", Some(image)).map_err(|e| Error::from(e).within("test images"))?;
            Ok(Dataset::read(&mut reader, "x", size, classes)?)
        });
        let test = test.transpose()?;
        spec.network.image = image;
        spec.data = DataSpec { images: train.items(), sha256: train.sha256(), ..spec.data };
        spec.check()?;
        let device = match spec.network.bottleneck {
            Bottleneck::Components => args.device.for_stage()?,
            _ => args.device.for_work()?,
        };
        Ok(Run {
            spec,
            train,
            test,
            device,
            output: output.to_owned(),
            preview: args.preview,
            every: args.every,
            resume: args.resume,
            verbose: args.verbose,
        })
    }
}

impl Args {
    /// The preset with the options that override it, but for the size of the images, which is the preset's until they are
    /// known.
    pub fn spec(&self) -> Result<Spec> {
        let preset = &self.preset;
        if preset.network.bottleneck == Bottleneck::Components
            && let Some(option) = self.given.other_than(&PCA_OPTIONS)
        {
            return Err(Error::Usage(format!(
                "--{option} has no meaning for {}: expected only --latent, --test and --preview beside it; leave it out",
                preset.name
            )));
        }
        let network = self.network(preset)?;
        let objective = self.objective(preset.objective, &network)?;
        let spec = Spec {
            data: DataSpec { binarize: self.binarize, ..DataSpec::default() },
            training: Training {
                lr: self.lr.unwrap_or(preset.lr),
                batch: self.batch.unwrap_or(preset.batch),
                seed: self.seed,
                epochs: self.epochs.unwrap_or(preset.epochs),
                steps: 0,
                precision: self.precision,
                init: self.init,
                output_bias: self.output_bias,
            },
            tool: concat!("vae-train ", env!("CARGO_PKG_VERSION")).into(),
            ..Spec::new(network, objective)
        };
        spec.check_settings()?;
        Ok(spec)
    }

    /// The same for the images that are piped in, of which only the head is read; if there are none, for 28 x 28 pixels.
    pub fn dry_run_spec(&self) -> Result<Spec> {
        let mut spec = self.spec()?;
        if self.images.input().file.is_some() || vae_cli::stdin_holds_something() {
            (_, spec.network.image) = self.images.reader("x", None)?;
        }
        spec.check()?;
        Ok(spec)
    }

    fn network(&self, preset: &Preset) -> Result<Network> {
        let preset = preset.network.clone();
        let hidden = match (&self.hidden, &self.conv) {
            (Some(units), _) => Hidden::Linear(units.clone()),
            (_, Some(channels)) => Hidden::halving(channels),
            _ => preset.hidden,
        };
        let classes = self.classes.or(preset.classes);
        let prior = match (classes, &self.prior) {
            (_, None) => preset.prior,
            (_, Some(PriorChoice::Standard)) => Prior::Standard,
            (Some(_), Some(PriorChoice::Learned(units))) => Prior::Learned { hidden: units.clone() },
            (None, Some(PriorChoice::Learned(_))) => {
                return Err(Error::Usage(
                    "--prior: a prior is learned for classes: expected a conditional model; give --classes K".into(),
                ));
            }
        };
        Ok(Network {
            image: preset.image,
            hidden,
            latent: self.latent.unwrap_or(preset.latent),
            activation: self.activation.of(preset.activation)?,
            bottleneck: self.autoencoder.map_or(preset.bottleneck, Bottleneck::Point),
            classes,
            prior,
        })
    }

    fn objective(&self, preset: Objective, network: &Network) -> Result<Objective> {
        let likelihood = self.likelihood.of(preset.likelihood)?;
        let default = if network.bottleneck.is_distribution() { 1.0 } else { 0.0 };
        let beta = self.beta.unwrap_or(default);
        Ok(Objective { likelihood, beta, samples: self.samples, kl_warmup: self.kl_warmup })
    }
}
