//! Options that say what a model is, for the programs that make one.

use crate::model::{Activation, Learned, Likelihood, Sigma};
use crate::{Error, Result};
use clap::ValueEnum;

/// What follows the hidden layers.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct ActivationArgs {
    /// What follows each hidden layer: relu, leaky-relu:0.2 (the slope), tanh or softplus; two for encoder and decoder
    /// [default: relu, or the preset's]
    #[arg(long, value_name = "ACT,ACT", value_delimiter = ',', num_args = 1, help_heading = "Model")]
    activation: Option<Vec<Activation>>,
}

impl ActivationArgs {
    /// Of encoder and decoder; `usual` where nothing is asked for.
    ///
    /// # Errors
    /// More than two.
    pub fn of(&self, usual: [Activation; 2]) -> Result<[Activation; 2]> {
        match self.activation.as_deref() {
            None => Ok(usual),
            Some(&[both]) => Ok([both; 2]),
            Some(&[encoder, decoder]) => Ok([encoder, decoder]),
            Some(more) => {
                let got = more.len();
                Err(Error::Usage(format!("--activation: expected one, or two for encoder and decoder, got {got}")))
            }
        }
    }
}

/// p(x given z).
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub struct LikelihoodArgs {
    /// p(x given z) of pixels [default: bernoulli, or as the preset or the weights say]
    #[arg(long, value_name = "NAME", help_heading = "Objective")]
    likelihood: Option<Name>,
    /// The standard deviation of Gaussian pixels, or `learned`: the decoder puts out one for each [default: 0.7071, where -log
    /// p is the squared error and a constant]
    #[arg(long, value_name = "S|learned", value_parser = sigma, help_heading = "Objective")]
    sigma: Option<Sigma>,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum Name {
    /// each pixel is black or white, and the decoder says with which probability
    Bernoulli,
    /// each pixel is normally distributed around what the decoder says
    Gaussian,
}

impl LikelihoodArgs {
    /// What is asked for; `usual` where nothing is.
    ///
    /// # Errors
    /// A standard deviation of Bernoulli pixels.
    pub fn of(self, usual: Likelihood) -> Result<Likelihood> {
        let asked = match (self.likelihood, usual) {
            (None, usual) => usual,
            (Some(Name::Bernoulli), _) => Likelihood::Bernoulli,
            (Some(Name::Gaussian), Likelihood::Bernoulli) => Likelihood::gaussian(Likelihood::SIGMA),
            (Some(Name::Gaussian), gaussian) => gaussian,
        };
        match (asked, self.sigma) {
            (asked, None) => Ok(asked),
            (Likelihood::Gaussian { .. }, Some(sigma)) => Ok(Likelihood::Gaussian { sigma }),
            (Likelihood::Bernoulli, Some(_)) => Err(Error::Usage(
                "--sigma: Bernoulli pixels have no standard deviation of their own: expected --likelihood gaussian"
                    .into(),
            )),
        }
    }
}

fn sigma(text: &str) -> Result<Sigma, String> {
    match text {
        "learned" => Ok(Sigma::Learned(Learned::Learned)),
        _ => text.parse().map(Sigma::Fixed).map_err(|_| "expected a number, or learned".into()),
    }
}
