//! What a model is, in the words of its file: the network, the objective, the data it is for, and how it was trained.

use crate::backend::Precision;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The layers. N images, D = H·W pixels, Z latent dimensions.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Network {
    /// D - hidden, relu - (mu, logvar) of Z each; Z - hidden in reverse, relu - D logits.
    Mlp {
        /// `[H, W]`.
        image: [usize; 2],
        /// Units of each hidden layer, from the image inwards.
        hidden: Vec<usize>,
        /// Z.
        latent: usize,
    },
}

impl Network {
    /// `[H, W]`.
    pub fn image(&self) -> [usize; 2] {
        match self {
            Network::Mlp { image, .. } => *image,
        }
    }
    /// D.
    pub fn pixels(&self) -> usize {
        self.image().iter().product()
    }
    /// Z.
    pub fn latent(&self) -> usize {
        match self {
            Network::Mlp { latent, .. } => *latent,
        }
    }
}

/// How pixels follow from the decoder's output.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Likelihood {
    /// Each pixel is a Bernoulli variable, its mean the sigmoid of a logit; targets in [0, 1].
    Bernoulli,
}

/// What training minimises: reconstruction + beta · KL, both summed over pixels or dimensions, averaged over images, nats.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// p(x given z).
    pub likelihood: Likelihood,
    /// The weight of the KL (Higgins et al. 2017).
    pub beta: f64,
    /// L: draws of z for each image.
    pub samples: usize,
}

/// The images that a model was trained on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DataSpec {
    /// The values of black and white, as the network sees them.
    pub range: [f64; 2],
    /// How many images.
    pub images: usize,
    /// SHA-256 of their pixels, dtype and shape.
    pub sha256: String,
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
    /// The version of this form: 1.
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

    /// Refuses what no network can be built of, before anything is allocated for it.
    pub fn check(&self) -> Result<()> {
        const MOST: usize = 1 << 16;
        let Network::Mlp { image, hidden, latent } = &self.network;
        let sizes = || image.iter().chain(hidden).chain([latent]);
        if let Some(size) = sizes().find(|size| **size == 0 || **size > MOST) {
            return Err(Error::Usage(format!(
                "the size of a layer or image is {size}: expected 1 to {MOST}; see --hidden and --latent"
            )));
        }
        if image[0] * image[1] > MOST {
            return Err(Error::Usage(format!(
                "images of {} x {} pixels are too large: expected at most {MOST} pixels; make them smaller",
                image[0], image[1]
            )));
        }
        // The engine computes in f32, where a number may be infinite or 0 that is not so in f64.
        let (beta, lr) = (self.objective.beta, self.training.lr);
        if !(beta as f32).is_finite() || beta < 0.0 {
            return Err(Error::Usage(format!("--beta is {beta:?}: expected 0 or more, within f32")));
        }
        if !(lr as f32).is_finite() || lr as f32 <= 0.0 {
            return Err(Error::Usage(format!("--lr is {lr:?}: expected a number above 0, within f32")));
        }
        for (name, value, most) in
            [("samples", self.objective.samples, 1 << 12), ("batch", self.training.batch, 1 << 20)]
        {
            if value == 0 || value > most {
                return Err(Error::Usage(format!("--{name} is {value}: expected 1 to {most}")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(change: impl Fn(&mut Spec)) -> String {
        let mut spec = Spec {
            vae_model: Spec::VERSION,
            network: Network::Mlp { image: [28, 28], hidden: vec![400], latent: 20 },
            objective: Objective { likelihood: Likelihood::Bernoulli, beta: 1.0, samples: 1 },
            data: DataSpec { range: [0.0, 1.0], images: 1, sha256: String::new() },
            training: Training { lr: 1e-3, batch: 128, seed: 0, epochs: 1, steps: 0, precision: Precision::Fp32 },
            tool: String::new(),
            checkpoint: None,
        };
        assert!(spec.check().is_ok());
        change(&mut spec);
        spec.check().expect_err("refused").to_string()
    }

    #[test]
    fn a_spec_that_no_network_can_be_built_of_is_refused_by_the_name_of_its_option() {
        let network = |image, hidden, latent| Network::Mlp { image, hidden, latent };
        assert!(message(|s| s.objective.beta = -1.0).contains("--beta is -1"));
        assert!(message(|s| s.objective.samples = 0).contains("--samples is 0"));
        assert!(message(|s| s.training.lr = f64::NAN).contains("--lr is NaN"));
        assert!(message(|s| s.training.lr = 1e-60).contains("--lr is 1e-60"));
        assert!(message(|s| s.objective.beta = 1e300).contains("--beta is 1e300"));
        assert!(message(|s| s.training.batch = 0).contains("--batch is 0"));
        let hidden = |s: &mut Spec| s.network = network([28, 28], vec![400, 0], 20);
        assert!(message(hidden).contains("--hidden"));
        let latent = |s: &mut Spec| s.network = network([28, 28], vec![], 1 << 40);
        assert!(message(latent).contains("--latent"));
        let image = |s: &mut Spec| s.network = network([1000, 1000], vec![400], 20);
        assert!(message(image).contains("1000 x 1000 pixels are too large"));
    }
}
