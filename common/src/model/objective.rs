//! What training minimises.

use crate::plan::TermWeight;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Reconstruction + beta · KL: both summed over pixels or dimensions, averaged over images, in nats.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// p(x given z).
    pub likelihood: Likelihood,
    /// The weight of the KL (Higgins et al. 2017, eq. 4); 0 in a plain autoencoder, which has none.
    pub beta: f64,
    /// L: draws of z for each image.
    pub samples: usize,
    /// Epochs in which the weight of the KL grows from 0 to beta, step by step (Sønderby et al. 2016).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub kl_warmup: f64,
}

/// A term of the objective.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Term {
    /// Its key in records.
    pub name: &'static str,
    /// Its factor.
    pub weight: TermWeight,
}

impl Objective {
    /// The terms of the negative ELBO (Kingma and Welling 2014, eq. 7): -log p(x given z), and KL(q(z given x) to p(z)), which
    /// is 0 in a plain autoencoder.
    pub fn terms(&self) -> &'static [Term] {
        &[Term { name: "recon", weight: TermWeight::One }, Term { name: "kl", weight: TermWeight::Beta }]
    }

    /// The factor of a term, after warm-ups.
    pub fn weight(&self, weight: TermWeight) -> f64 {
        match weight {
            TermWeight::One => 1.0,
            TermWeight::Beta => self.beta,
        }
    }
    /// What is minimised, for people, with the KL in these words; without, in a plain autoencoder.
    pub fn formula(&self, kl: Option<&str>) -> String {
        let likelihood = self.likelihood.formula();
        match (kl, self.beta) {
            (None, _) => likelihood,
            (Some(kl), 1.0) => format!("{likelihood} + {kl}"),
            (Some(kl), beta) => format!("{likelihood} + {beta} {kl}"),
        }
    }
    /// With beta 1 and one draw.
    pub fn new(likelihood: Likelihood) -> Objective {
        Objective { likelihood, beta: 1.0, samples: 1, kl_warmup: 0.0 }
    }
}

/// How pixels follow from the decoder's output.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Likelihood {
    /// Each pixel is a Bernoulli variable, its mean the sigmoid of a logit; targets in [0, 1].
    Bernoulli,
    /// Each pixel is a Gaussian variable, its mean the sigmoid of a logit.
    Gaussian {
        /// Its standard deviation.
        sigma: Sigma,
    },
}

/// A standard deviation of pixels.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Sigma {
    /// This one, for every pixel.
    Fixed(f64),
    /// `"learned"`: the decoder puts out a logit and a log-variance for each pixel.
    Learned(Learned),
}

/// The word `learned`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Learned {
    /// The decoder says it.
    Learned,
}

impl Likelihood {
    /// The lower bound of a learned standard deviation, a step of 8 bits: pixels that are black in every image would make the
    /// likelihood infinite.
    pub const MIN_SIGMA: f32 = 1.0 / 256.0;
    /// The sigma with which -log p is the squared error and a constant.
    pub const SIGMA: f64 = std::f64::consts::FRAC_1_SQRT_2;

    /// Gaussian, with this standard deviation.
    pub fn gaussian(sigma: f64) -> Likelihood {
        Likelihood::Gaussian { sigma: Sigma::Fixed(sigma) }
    }
    /// Gaussian, with a standard deviation for each pixel that the decoder puts out.
    pub fn gaussian_learned() -> Likelihood {
        Likelihood::Gaussian { sigma: Sigma::Learned(Learned::Learned) }
    }
    /// Values that the decoder puts out for each pixel.
    pub fn values_per_pixel(self) -> usize {
        if self == Likelihood::gaussian_learned() { 2 } else { 1 }
    }
    /// The mean squared error per pixel that a reconstruction term of this many pixels stands for, where it stands for one.
    pub fn mse(self, recon: f64, pixels: usize) -> Option<f64> {
        self.line().map(|[constant, slope]| (recon / pixels as f64 - constant) / slope)
    }
    /// And back: the reconstruction term of a mean squared error per pixel.
    pub fn recon(self, mse: f64, pixels: usize) -> Option<f64> {
        self.line().map(|[constant, slope]| (constant + slope * mse) * pixels as f64)
    }
    /// -log p of a pixel = 1/2 log(2 pi sigma²) + squared error / (2 sigma²): both numbers of this line.
    fn line(self) -> Option<[f64; 2]> {
        match self {
            Likelihood::Gaussian { sigma: Sigma::Fixed(sigma) } => {
                Some([0.5 * (std::f64::consts::TAU * sigma * sigma).ln(), 0.5 / (sigma * sigma)])
            }
            _ => None,
        }
    }
    /// -log p(x), for people.
    pub fn formula(self) -> String {
        match self {
            Likelihood::Bernoulli => "-log Bernoulli(x)".into(),
            Likelihood::Gaussian { sigma: Sigma::Fixed(sigma) } => format!("-log N(x; mean, {sigma:.4}²)"),
            Likelihood::Gaussian { .. } => "-log N(x; mean, variance of each pixel)".into(),
        }
    }
}

/// Whether and how pixels become black or white before the network sees them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Binarize {
    /// Grey levels, as they are.
    #[default]
    #[value(help = "they stay grey")]
    None,
    /// White above 0.5.
    #[value(help = "white above 0.5")]
    Threshold,
    /// White with the probability that the pixel holds, drawn once for each image (Larochelle and Murray 2011, in kind).
    #[value(help = "white with the probability that the pixel holds, drawn once for each image")]
    Static,
    /// Drawn anew at each visit (Burda et al. 2016); once for each test image.
    #[value(help = "drawn anew at each visit")]
    Dynamic,
}

fn is_zero(v: &f64) -> bool {
    *v == 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_objective_reads_as_one_would_write_it() {
        let json = |likelihood| serde_json::to_string(&Objective::new(likelihood)).unwrap();
        let bernoulli = r#"{"likelihood":"bernoulli","beta":1.0,"samples":1}"#;
        assert_eq!(json(Likelihood::Bernoulli), bernoulli);
        let learned = r#"{"likelihood":{"gaussian":{"sigma":"learned"}},"beta":1.0,"samples":1}"#;
        assert_eq!(json(Likelihood::gaussian_learned()), learned);
        let fixed = r#"{"likelihood":{"gaussian":{"sigma":0.5}},"beta":1.0,"samples":1}"#;
        assert_eq!(json(Likelihood::gaussian(0.5)), fixed);
        for text in [bernoulli, learned, fixed] {
            assert_eq!(json(serde_json::from_str::<Objective>(text).unwrap().likelihood), text);
        }
    }

    #[test]
    fn the_squared_error_is_found_in_the_likelihood() {
        // Four pixels, each off by 0.1, with sigma 0.3.
        let (sigma, error) = (0.3f64, 0.01);
        let nll = 4.0 * (0.5 * (std::f64::consts::TAU * sigma * sigma).ln() + error / (2.0 * sigma * sigma));
        assert!((Likelihood::gaussian(sigma).mse(nll, 4).unwrap() - error).abs() < 1e-12);
        assert!((Likelihood::gaussian(sigma).recon(error, 4).unwrap() - nll).abs() < 1e-12);
        assert_eq!(Likelihood::Bernoulli.mse(nll, 4), None);
    }
}
