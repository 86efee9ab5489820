//! A PyTorch state dict in, a model out.

mod infer;
mod names;
mod read;

use crate::opened::plan;
use clap::builder::PossibleValuesParser;
use common::model::{
    Activation, DataSpec, Layers, Learned, Likelihood, Model, Network, Objective, Sigma, Spec, Training, writable,
};
use common::{Error, Result, parameters};
use infer::Told;
use names::Named;
use std::path::PathBuf;

/// Make a model of a PyTorch state dict: .safetensors, or .npz from numpy.savez
///
/// Reads the tensors, f16, f32 or f64, and finds the network in their names and shapes; says what it cannot find there is
/// for the options. Names may be ours (encoder.0 mu logvar decoder.0 ..., as vae-train writes them; without mu and logvar, a
/// plain autoencoder; prior.0 prior_mu prior_logvar, where a prior is learned; mean and components, of a PCA), or those of
/// a family: fc1 fc21 fc22 fc3 fc4 (of pytorch/examples), fc1 fc2_mean fc2_logvar fc3 fc4 (whose author's weights expect
/// --input-range -1,1), or fc1 fc2 fc31 fc32 fc4 fc5 fc6. Wrappers such as `module.` before all names are left out. Writes
/// the model to the file of --output, or nothing. Memory is a few times the size of the file.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A state dict as .safetensors or .npz
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where the model goes
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Height and width of the images [default: a square]
    #[arg(long, value_name = "HxW", value_parser = image)]
    image: Option<[usize; 2]>,
    /// What follows each hidden layer: relu, leaky-relu:0.2 (the slope), tanh or softplus; two for encoder and decoder
    #[arg(long, value_name = "ACT,ACT", value_delimiter = ',', num_args = 1, default_value = "relu")]
    activation: Vec<Activation>,
    /// What follows the code of a plain autoencoder, such as relu [default: none]
    #[arg(long, value_name = "ACT", num_args = 0..=1, require_equals = true, default_missing_value = "none")]
    autoencoder: Option<Activation>,
    /// p(x given z) of pixels: bernoulli or gaussian, whose means are sigmoids [default: bernoulli, or gaussian where the
    /// decoder puts out two values for each pixel]
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new([BERNOULLI, GAUSSIAN]))]
    likelihood: Option<String>,
    /// The standard deviation of Gaussian pixels, or `learned` [default: 0.7071]
    #[arg(long, value_name = "S|learned", value_parser = sigma)]
    sigma: Option<Sigma>,
    /// What the encoder expects of black and of white pixels
    #[arg(long, value_name = "BLACK,WHITE", default_value = "0,1", allow_hyphen_values = true, value_parser = range)]
    input_range: [f64; 2],
}

const BERNOULLI: &str = "bernoulli";
const GAUSSIAN: &str = "gaussian";

const EXAMPLES: &str = "\
Examples:
  vae-model import vae.safetensors -o model.bin
  vae-model import classic.npz --input-range -1,1 -o model.bin";

pub fn run(args: Args) -> Result<()> {
    writable(&args.output)?;
    let model = model(&args).map_err(|e| e.within(args.file.display()))?;
    model.save(&args.output).map(drop)
}

fn model(args: &Args) -> Result<Model> {
    let named = Named::new(read::read(&args.file)?)?;
    let told = Told { image: args.image, activation: both(&args.activation)?, code: args.autoencoder };
    let (network, values) = infer::network(&named, &told)?;
    // What is wrong with the network alone is the fault of the file.
    let squared = Likelihood::gaussian(Likelihood::SIGMA);
    let usual = if network.kind == Layers::Pca { squared } else { Likelihood::Bernoulli };
    let objective = objective(&network, likelihood(args, values, usual)?);
    let alone = Objective { likelihood: squared, ..objective };
    Spec::new(network.clone(), alone).check().map_err(|e| Error::Data(e.to_string()))?;
    let spec = Spec {
        data: DataSpec { range: args.input_range, ..DataSpec::default() },
        training: Training { epochs: 0, ..Training::default() },
        tool: concat!("vae-model import ", env!("CARGO_PKG_VERSION")).into(),
        ..Spec::new(network, objective)
    };
    spec.check()?;
    let plan = plan(&spec);
    named.check(&plan)?;
    parameters::check(&plan, &named.weights, false)?;
    Ok(Model { spec, weights: named.weights })
}

fn objective(network: &Network, likelihood: Likelihood) -> Objective {
    let beta = if network.is_variational() { 1.0 } else { 0.0 };
    Objective { beta, ..Objective::new(likelihood) }
}

/// The likelihood of a decoder that puts out so many values for each pixel; `usual`: where none is asked for.
fn likelihood(args: &Args, values: usize, usual: Likelihood) -> Result<Likelihood> {
    let likelihood = match (args.likelihood.as_deref(), args.sigma) {
        (Some(GAUSSIAN), Some(sigma)) => Likelihood::Gaussian { sigma },
        (_, Some(_)) => {
            return Err(Error::Usage(
                "--sigma: Bernoulli pixels have no standard deviation of their own: expected --likelihood gaussian"
                    .into(),
            ));
        }
        (None | Some(GAUSSIAN), None) if values == 2 => Likelihood::gaussian_learned(),
        (Some(GAUSSIAN), None) => Likelihood::gaussian(Likelihood::SIGMA),
        (Some(_), None) => Likelihood::Bernoulli,
        (None, None) => usual,
    };
    let expected = likelihood.values_per_pixel();
    if expected == values {
        return Ok(likelihood);
    }
    let remedy = match values {
        2 => "--likelihood gaussian --sigma learned",
        _ => "--likelihood bernoulli, or gaussian with a fixed --sigma",
    };
    Err(Error::Usage(format!(
        "this likelihood takes {expected} of the decoder's values for each pixel, but the decoder puts out {values}: \
         expected {remedy}"
    )))
}

fn both(activation: &[Activation]) -> Result<[Activation; 2]> {
    match *activation {
        [both] => Ok([both; 2]),
        [encoder, decoder] => Ok([encoder, decoder]),
        _ => {
            let got = activation.len();
            Err(Error::Usage(format!("--activation: expected one, or two for encoder and decoder, got {got}")))
        }
    }
}

fn image(text: &str) -> Result<[usize; 2], String> {
    let sides = text.split_once('x').and_then(|(h, w)| Some([h.parse().ok()?, w.parse().ok()?]));
    sides.ok_or_else(|| "expected height x width, as in 28x28".to_owned())
}

fn sigma(text: &str) -> Result<Sigma, String> {
    match text {
        "learned" => Ok(Sigma::Learned(Learned::Learned)),
        _ => text.parse().map(Sigma::Fixed).map_err(|_| "expected a number, or learned".to_owned()),
    }
}

fn range(text: &str) -> Result<[f64; 2], String> {
    let ends = text.split_once(',').and_then(|(black, white)| Some([black.parse().ok()?, white.parse().ok()?]));
    ends.ok_or_else(|| "expected two numbers, as in -1,1".to_owned())
}
