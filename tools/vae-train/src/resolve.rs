//! The model and the run that the command line asks for: a preset, and what departs from it.

use crate::options::{Args, BinarizeChoice, InitChoice, OutputBiasChoice, PriorChoice, Products};
use common::dataset::Dataset;
use common::model::{Binarize, DataSpec, Init, Labels, Layers, Network, Objective, OutputBias, Preset, Spec, Training};
use common::plan::Precision;
use vae_cli::{Error, Result};
use vae_stream::Reader;

impl Args {
    /// What the options depart from.
    pub fn preset(&self) -> Preset {
        Preset::named(&self.preset).expect("clap knows the presets")
    }

    /// The images to learn from, and those to test with.
    pub fn images(&self) -> Result<(Dataset, Option<Dataset>)> {
        let classes = self.spec_for([28, 28])?.network.classes();
        let read = |mut reader: Reader| Dataset::read(&mut reader, "x", classes);
        let train = read(self.input.reader("x")?)?;
        let test = self.test.as_deref().map(|path| read(vae_cli::input::reader(path, "x")?)).transpose()?;
        Ok((train, test))
    }

    /// The run over these images.
    pub fn spec(&self, data: &Dataset) -> Result<Spec> {
        let spec = self.spec_for(data.image())?;
        let data = DataSpec { images: data.items(), sha256: data.sha256(), ..spec.data };
        Ok(Spec { data, ..spec })
    }

    /// The run over images of this size.
    pub fn spec_for(&self, image: [usize; 2]) -> Result<Spec> {
        let preset = self.preset();
        let network = self.network(preset.network, image)?;
        let objective = self.objective(preset.objective, &network)?;
        let spec = Spec {
            data: DataSpec { binarize: self.binarize(), ..DataSpec::default() },
            training: Training {
                lr: self.lr.unwrap_or(preset.lr),
                batch: self.batch.unwrap_or(preset.batch),
                seed: self.seed,
                epochs: self.epochs.unwrap_or(preset.epochs),
                steps: 0,
                precision: match self.precision {
                    Products::Fp32 => Precision::Fp32,
                    Products::Tf32 => Precision::Tf32,
                    Products::Bf16 => Precision::Bf16,
                },
                init: match self.init {
                    InitChoice::Pytorch => Init::Pytorch,
                    InitChoice::Glorot => Init::Glorot,
                },
                output_bias: match self.output_bias {
                    OutputBiasChoice::Init => OutputBias::Init,
                    OutputBiasChoice::Mean => OutputBias::Mean,
                },
            },
            tool: concat!("vae-train ", env!("CARGO_PKG_VERSION")).into(),
            ..Spec::new(network, objective)
        };
        spec.check()?;
        Ok(spec)
    }

    fn network(&self, preset: Network, image: [usize; 2]) -> Result<Network> {
        let (kind, hidden) = match (&self.hidden, &self.conv) {
            (Some(hidden), _) => (Layers::Mlp, hidden.clone()),
            (_, Some(channels)) => (Layers::Conv, channels.clone()),
            _ => (preset.kind, preset.hidden),
        };
        let activation = self.activation.of(preset.activation)?;
        let labels = match (self.classes, preset.labels) {
            (Some(classes), preset) => Some(Labels { classes, prior: preset.and_then(|labels| labels.prior) }),
            (None, preset) => preset,
        };
        let labels = match (labels, &self.prior) {
            (Some(labels), Some(PriorChoice::Standard)) => Some(Labels { prior: None, ..labels }),
            (Some(labels), Some(PriorChoice::Learned(units))) => Some(Labels { prior: Some(units.clone()), ..labels }),
            (None, Some(PriorChoice::Learned(_))) => {
                return Err(Error::Usage(
                    "--prior: a prior is learned for classes: expected a conditional model; give --classes K".into(),
                ));
            }
            (labels, _) => labels,
        };
        let latent = self.latent.unwrap_or(preset.latent);
        let autoencoder = self.autoencoder.or(preset.autoencoder);
        Ok(Network { kind, image, hidden, latent, activation, autoencoder, labels })
    }

    fn objective(&self, preset: Objective, network: &Network) -> Result<Objective> {
        let likelihood = self.likelihood.of(preset.likelihood)?;
        let usual = if network.is_variational() { 1.0 } else { 0.0 };
        let beta = self.beta.unwrap_or(usual);
        Ok(Objective { likelihood, beta, samples: self.samples, kl_warmup: self.kl_warmup })
    }

    fn binarize(&self) -> Binarize {
        match self.binarize {
            BinarizeChoice::None => Binarize::None,
            BinarizeChoice::Threshold => Binarize::Threshold,
            BinarizeChoice::Static => Binarize::Static,
            BinarizeChoice::Dynamic => Binarize::Dynamic,
        }
    }
}
