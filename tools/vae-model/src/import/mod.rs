//! A PyTorch state dict in, a model out.

mod infer;
mod names;
mod read;

use crate::opened::plan;
use common::model::{Bottleneck, DataSpec, Likelihood, Model, Network, Objective, Spec, Training, writable};
use common::options::{ActivationArgs, LikelihoodArgs};
use common::parameters;
use common::plan::Activation;
use infer::Told;
use names::Named;
use std::path::PathBuf;
use vae_cli::{Error, Result};
use vae_stream::images::ImageShape;

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
    image: Option<ImageShape>,
    #[command(flatten)]
    activation: ActivationArgs,
    /// What follows the code of a plain autoencoder, such as relu [default: none]
    #[arg(long, value_name = "ACT", num_args = 0..=1, require_equals = true, default_missing_value = "none")]
    autoencoder: Option<Activation>,
    #[command(flatten)]
    likelihood: LikelihoodArgs,
    /// What the encoder expects of black and of white pixels
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
    let named = Named::new(read::read(&args.file)?)?;
    let told =
        Told { image: args.image, activation: args.activation.of([Activation::Relu; 2])?, code: args.autoencoder };
    let (network, values) = infer::network(&named, &told)?;
    // What is wrong with the network alone is the fault of the file.
    let squared = Likelihood::gaussian(Likelihood::SIGMA);
    let usual = match network.bottleneck {
        Bottleneck::Components => squared,
        _ if values == 2 => Likelihood::gaussian_learned(),
        _ => Likelihood::Bernoulli,
    };
    let likelihood = args.likelihood.of(usual)?;
    expect_values(likelihood, values)?;
    let objective = objective(&network, likelihood);
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
    let beta = if network.bottleneck.is_distribution() { 1.0 } else { 0.0 };
    Objective { beta, ..Objective::new(likelihood) }
}

/// Refuses a likelihood that is not of a decoder that puts out so many values for each pixel.
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
        "this likelihood takes {expected} of the decoder's values for each pixel, but the decoder puts out {values}: \
         expected {remedy}"
    )))
}

fn image(text: &str) -> Result<ImageShape, String> {
    let sides = text.split_once('x').and_then(|(h, w)| Some(ImageShape::grey(h.parse().ok()?, w.parse().ok()?)));
    sides.ok_or_else(|| "expected height x width, as in 28x28".to_owned())
}

fn range(text: &str) -> Result<[f64; 2], String> {
    let ends = text.split_once(',').and_then(|(black, white)| Some([black.parse().ok()?, white.parse().ok()?]));
    ends.ok_or_else(|| "expected two numbers, as in -1,1".to_owned())
}
