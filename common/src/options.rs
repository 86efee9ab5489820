//! Options that several programs share: where to compute, and what a model is.

use crate::backend::{Device, cuda};
use crate::model::{Learned, Likelihood, Sigma};
use crate::plan::Activation;
use clap::ValueEnum;
use std::str::FromStr;
use vae_cli::{Error, Result, ThreadArgs, meant};

/// The device to compute on.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub struct DeviceArgs {
    /// Where to compute: auto (a GPU where one works, else the CPU), cpu, cuda, or cuda:N for the N-th GPU [default: auto in
    /// vae-train and vae-eval, else cpu]
    #[arg(long, value_name = "DEVICE", env = "VAE_DEVICE", hide_env_values = true)]
    device: Option<DeviceChoice>,
    #[command(flatten)]
    threads: ThreadArgs,
}

#[derive(Clone, Copy, Debug)]
enum DeviceChoice {
    Auto,
    Cpu,
    Cuda(u32),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<DeviceChoice, String> {
        let number = |n: &str| n.parse().map(DeviceChoice::Cuda).ok();
        match text {
            "auto" => Ok(DeviceChoice::Auto),
            "cpu" => Ok(DeviceChoice::Cpu),
            "cuda" => Ok(DeviceChoice::Cuda(0)),
            "gpu" => Err("expected auto, cpu, cuda or cuda:N; did you mean cuda?".to_owned()),
            _ => text
                .strip_prefix("cuda:")
                .and_then(number)
                .ok_or_else(|| format!("expected auto, cpu, cuda or cuda:N{}", meant(text, &["auto", "cpu", "cuda"]))),
        }
    }
}

impl DeviceArgs {
    /// The device of long work: a GPU where one works, unless another device is given.
    ///
    /// # Errors
    /// [`Error::Unavailable`] for a GPU that is missing or does not work.
    pub fn for_work(self) -> Result<Device> {
        self.or(DeviceChoice::Auto)
    }
    /// The device of a stage in a pipe: the CPU, unless another is given. Starting a GPU takes longer than most stages.
    ///
    /// # Errors
    /// As [`for_work`](DeviceArgs::for_work).
    pub fn for_stage(self) -> Result<Device> {
        self.or(DeviceChoice::Cpu)
    }
    fn or(self, default: DeviceChoice) -> Result<Device> {
        let cpu = || Ok(Device::cpu(self.threads.count())?);
        match self.device.unwrap_or(default) {
            DeviceChoice::Cpu => cpu(),
            DeviceChoice::Cuda(ordinal) => {
                cuda::expect(ordinal)?;
                Ok(Device::Cuda { ordinal })
            }
            DeviceChoice::Auto => match cuda::expect(0) {
                Ok(()) => {
                    vae_cli::tell("computing on the GPU; --device cpu keeps to the CPU");
                    Ok(Device::Cuda { ordinal: 0 })
                }
                Err(error) => {
                    if error.is_age() {
                        vae_cli::tell(&format!("computing on the CPU, since {}", Error::from(error)));
                    }
                    cpu()
                }
            },
        }
    }
}

/// Activations of the hidden layers.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct ActivationArgs {
    /// Activation of the hidden layers: relu, leaky-relu:0.2 (the slope), tanh or softplus; two for encoder and decoder
    /// [default: relu, or the preset's]
    #[arg(long, value_name = "ACT,ACT", value_delimiter = ',', num_args = 1, help_heading = "Model")]
    activation: Option<Vec<Activation>>,
}

impl ActivationArgs {
    /// Whether any is given.
    pub fn is_given(&self) -> bool {
        self.activation.is_some()
    }
    /// Those of encoder and decoder; `default` where none is given.
    ///
    /// # Errors
    /// More than two.
    pub fn of(&self, default: [Activation; 2]) -> Result<[Activation; 2]> {
        match self.activation.as_deref() {
            None => Ok(default),
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
    likelihood: Option<LikelihoodName>,
    /// The standard deviation of Gaussian pixels, or `learned`: the decoder puts out one for each [default: 0.7071, where -log
    /// p is the squared error and a constant]
    #[arg(long, value_name = "S|learned", value_parser = sigma, help_heading = "Objective")]
    sigma: Option<Sigma>,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum LikelihoodName {
    /// each pixel is black or white, and the decoder says with which probability
    Bernoulli,
    /// each pixel is normally distributed around what the decoder says
    Gaussian,
}

impl LikelihoodArgs {
    /// Whether the kind is given.
    pub fn is_given(self) -> bool {
        self.likelihood.is_some()
    }
    /// Whether a standard deviation is given.
    pub fn has_sigma(self) -> bool {
        self.sigma.is_some()
    }
    /// The one given; `default` where none is.
    ///
    /// # Errors
    /// A standard deviation of Bernoulli pixels.
    pub fn of(self, default: Likelihood) -> Result<Likelihood> {
        let asked = match (self.likelihood, default) {
            (None, default) => default,
            (Some(LikelihoodName::Bernoulli), _) => Likelihood::Bernoulli,
            (Some(LikelihoodName::Gaussian), Likelihood::Bernoulli) => Likelihood::gaussian(Likelihood::SIGMA),
            (Some(LikelihoodName::Gaussian), gaussian) => gaussian,
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
