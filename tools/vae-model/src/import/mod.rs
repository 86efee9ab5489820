//! Import of a PyTorch state dict as a model.

mod architecture;
mod rename;
mod state_dict;

use crate::loaded::plan;
use architecture::Hints;
use common::model::{Bottleneck, DataSpec, Likelihood, Model, Network, Objective, Spec, Training, writable};
use common::options::{ActivationArgs, LikelihoodArgs};
use common::parameters;
use common::plan::Activation;
use rename::RenamedDict;
use std::path::PathBuf;
use vae_cli::{Error, Result};
use vae_stream::images::ImageShape;

/// Import a PyTorch state dict as a model: .safetensors, or .npz from numpy.savez
///
/// Reads the tensors, f16, f32 or f64, and infers the network from their names and shapes; options give what these do
/// not determine. Names may be ours, as vae-train writes them (encoder.0 mu logvar decoder.0 ...; without mu and
/// logvar, a plain autoencoder; prior.0 prior_mu prior_logvar, a learned prior; mean and components, a PCA), or those
/// of a naming scheme: fc1 fc21 fc22 fc3 fc4 (of pytorch/examples), fc1 fc2_mean fc2_logvar fc3 fc4 (whose author's
/// weights expect --input-range -1,1), or fc1 fc2 fc31 fc32 fc4 fc5 fc6. Prefixes of all names, such as `module.`, are
/// dropped. Writes the model to the file of --output, or nothing. Memory is a few times the size of the file.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A state dict as .safetensors or .npz
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write the model to FILE
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Height and width of the images [default: a square]
    #[arg(long, value_name = "HxW", value_parser = image)]
    image: Option<ImageShape>,
    #[command(flatten)]
    activation: ActivationArgs,
    /// Activation of the latent layer of a plain autoencoder, such as relu [default: none]
    #[arg(long, value_name = "ACT", num_args = 0..=1, require_equals = true, default_missing_value = "none")]
    autoencoder: Option<Activation>,
    #[command(flatten)]
    likelihood: LikelihoodArgs,
    /// The input values of black and white pixels
    #[arg(long, value_name = "BLACK,WHITE", default_value = "0,1", allow_hyphen_values = true, value_parser = range)]
    input_range: [f64; 2],
}

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
    let dict = RenamedDict::new(state_dict::read(&args.file)?)?;
    let activation = args.activation.of([Activation::Relu; 2])?;
    let hints = Hints { image: args.image, activation, latent_activation: args.autoencoder };
    let (network, values) = architecture::infer(&dict, &hints)?;
    let squared_error = Likelihood::gaussian(Likelihood::SIGMA);
    let default = match network.bottleneck {
        Bottleneck::Components => squared_error,
        _ if values == 2 => Likelihood::gaussian_learned(),
        _ => Likelihood::Bernoulli,
    };
    let likelihood = args.likelihood.of(default)?;
    expect_values(likelihood, values)?;
    let objective = objective(&network, likelihood);
    // A network that is invalid under any likelihood is the fault of the file, not of the options.
    let permissive = Objective { likelihood: squared_error, ..objective };
    Spec::new(network.clone(), permissive).check().map_err(|e| Error::Data(e.to_string()))?;
    let spec = Spec {
        data: DataSpec { range: args.input_range, ..DataSpec::default() },
        training: Training { epochs: 0, ..Training::default() },
        tool: concat!("vae-model import ", env!("CARGO_PKG_VERSION")).into(),
        ..Spec::new(network, objective)
    };
    spec.check()?;
    let plan = plan(&spec);
    dict.check(&plan)?;
    parameters::check(&plan, &dict.weights, false)?;
    Ok(Model { spec, weights: dict.weights })
}

fn objective(network: &Network, likelihood: Likelihood) -> Objective {
    let beta = if network.bottleneck.is_distribution() { 1.0 } else { 0.0 };
    Objective { beta, ..Objective::new(likelihood) }
}

/// Refuses a likelihood with another number of decoder outputs per pixel.
fn expect_values(likelihood: Likelihood, values: usize) -> Result<()> {
    let expected = likelihood.values_per_pixel();
    if expected == values {
        return Ok(());
    }
    let remedy = match values {
        2 => "--likelihood gaussian --sigma learned",
        _ => "--likelihood bernoulli, or gaussian with a fixed --sigma",
    };
    Err(Error::Usage(format!(
        "this likelihood needs {expected} decoder outputs per pixel, got {values}: expected {remedy}"
    )))
}

fn image(text: &str) -> Result<ImageShape, String> {
    let sides = text.split_once('x').and_then(|(h, w)| Some(ImageShape::grey(h.parse().ok()?, w.parse().ok()?)));
    sides.ok_or_else(|| "expected height x width, as in 28x28".to_owned())
}

fn range(text: &str) -> Result<[f64; 2], String> {
    let values = text.split_once(',').and_then(|(black, white)| Some([black.parse().ok()?, white.parse().ok()?]));
    values.ok_or_else(|| "expected two numbers, as in -1,1".to_owned())
}
