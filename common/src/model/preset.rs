//! Well-known models by name.

use super::{Bottleneck, Hidden, Likelihood, Network, Objective, Prior};
use crate::plan::Activation;
use vae_stream::images::ImageShape;

/// A named configuration; options override each setting.
#[derive(Clone, PartialEq, Debug)]
pub struct Preset {
    /// `mlp-400-20`.
    pub name: &'static str,
    /// A description of one line.
    pub about: &'static str,
    /// The network, for images of 28 x 28 pixels.
    pub network: Network,
    /// The objective.
    pub objective: Objective,
    /// Adam's step size.
    pub lr: f64,
    /// N, the batch size.
    pub batch: usize,
    /// The number of epochs.
    pub epochs: usize,
}

impl Preset {
    /// All presets, the default first.
    pub fn all() -> Vec<Preset> {
        let mlp = |hidden: &[usize], latent| Network::mlp(ImageShape::grey(28, 28), hidden, latent);
        let bernoulli = Objective::new(Likelihood::Bernoulli);
        let squared = Objective::new(Likelihood::gaussian(Likelihood::SIGMA));
        let no_kl = Objective { beta: 0.0, ..squared };
        vec![
            Preset {
                name: "mlp-400-20",
                about: "the classic small VAE: 784 - 400 - 20, relu",
                network: mlp(&[400], 20),
                objective: bernoulli,
                lr: 3e-4,
                batch: 128,
                epochs: 20,
            },
            Preset {
                name: "conv-20",
                about: "two convolutions of 16 and 32 channels and back, 20 latent dimensions",
                network: Network {
                    hidden: Hidden::halving(&[16, 32]),
                    activation: [Activation::LeakyRelu(0.2), Activation::Relu],
                    ..mlp(&[], 20)
                },
                objective: bernoulli,
                lr: 1e-3,
                batch: 100,
                epochs: 10,
            },
            Preset {
                name: "mlp-512-256-2",
                about: "two hidden layers and a 2-D latent plane: 784 - 512 - 256 - 2, relu",
                network: mlp(&[512, 256], 2),
                objective: bernoulli,
                lr: 1e-3,
                batch: 128,
                epochs: 2,
            },
            Preset {
                name: "cvae-prior",
                about: "a conditional VAE of 10 classes with a learned prior: 794 - 400 - 20, relu",
                network: Network { classes: Some(10), prior: Prior::Learned { hidden: vec![100] }, ..mlp(&[400], 20) },
                objective: bernoulli,
                lr: 1e-3,
                batch: 128,
                epochs: 16,
            },
            Preset {
                name: "ae-20",
                about: "a plain autoencoder: 784 - 256 - 64 - 20, relu, squared error",
                network: Network { bottleneck: Bottleneck::Point(Activation::Relu), ..mlp(&[256, 64], 20) },
                objective: no_kl,
                lr: 1e-3,
                batch: 32,
                epochs: 20,
            },
            Preset {
                name: "vae-64-10",
                about: "the VAE to compare it with: 784 - 256 - 64 - 10, relu, squared error + KL",
                network: mlp(&[256, 64], 10),
                objective: squared,
                lr: 1e-3,
                batch: 32,
                epochs: 20,
            },
            Preset {
                name: "pca-20",
                about: "20 principal components, the linear baseline; exact, in one pass",
                network: Network { bottleneck: Bottleneck::Components, ..mlp(&[], 20) },
                objective: no_kl,
                lr: 1e-3,
                batch: 128,
                epochs: 1,
            },
        ]
    }

    /// The preset of this name.
    pub fn named(name: &str) -> Option<Preset> {
        Preset::all().into_iter().find(|preset| preset.name == name)
    }
}
