//! Import of a PyTorch state dict as a model.

mod architecture;
mod assumptions;
mod outputs;
mod rename;
mod state_dict;

use crate::loaded::plan;
use architecture::Hints;
use assumptions::Assumption;
use common::model::{Bottleneck, DataSpec, Likelihood, Model, Objective, Spec, Training, writable};
use common::options::{ActivationArgs, LikelihoodArgs};
use common::parameters;
use common::plan::Activation;
use rename::RenamedDict;
use state_dict::Contents;
use std::path::PathBuf;
use vae_cli::input::check_kept;
use vae_cli::{Error, Result, tell};
use vae_stream::images::ImageShape;

/// Import a PyTorch state dict as a model: .safetensors, or .npz from numpy.savez
///
/// Reads the tensors, f16, f32 or f64, and infers the network from their names and shapes; options give what these do
/// not determine. Names may be ours, as vae-train writes them (encoder.0 mu logvar decoder.0 ...; without mu and
/// logvar, a plain autoencoder; prior.0 prior_mu prior_logvar, a learned prior; mean and components, a PCA), or those
/// of a naming scheme: fc1 fc21 fc22 fc3 fc4 (of pytorch/examples), fc1 fc2_mean fc2_logvar fc3 fc4 (whose author's
/// weights expect --input-range -1,1), or fc1 fc2 fc31 fc32 fc4 fc5 fc6. Wrappers in names, such as `module.` and
/// `_orig_mod.`, and a prefix of all names are dropped; so are entries that are no weights, such as n_averaged. What is
/// left out, and what is assumed, is said on standard error. A model of vae-train whose weights another program has
/// changed is a state dict too. Writes the model to the file of --output, or nothing. Memory is a few times the size of
/// the file.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A state dict as .safetensors or .npz; standard input if -
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
    /// The input values of black and white pixels [default: 0,1]
    #[arg(long, value_name = "BLACK,WHITE", allow_hyphen_values = true, value_parser = range)]
    input_range: Option<[f64; 2]>,
    /// Compare with outputs of the network in PyTorch, as .npy: mu (or z) of images x, and x_hat of z (or mu, or x);
    /// labels y in a conditional model. Pixels are bytes, or from 0 to 1, before any other range. A file of the name
    /// needs no NAME=. Writes no model where a value differs by more than 0.001, or by that part of a value above 1
    #[arg(long, value_name = "NAME=FILE,..", value_delimiter = ',', num_args = 1, value_parser = outputs::named)]
    verify: Vec<outputs::Named>,
}

const EXAMPLES: &str = "\
Examples:
  vae-model import vae.safetensors -o model.bin
  vae-model import classic.npz --input-range -1,1 -o model.bin
  vae-model import ae.npz --autoencoder=relu --verify x.npy,z.npy,x_hat.npy -o model.bin";

pub fn run(args: Args) -> Result<()> {
    check_kept(&args.output, [args.file.as_path()])?;
    writable(&args.output)?;
    let file = args.file.display();
    let (model, notes) = import(&args).map_err(|e| e.within(&file))?;
    model.save(&args.output)?;
    notes.iter().for_each(|note| tell(&format!("{file}: {note}")));
    Ok(())
}

/// The model, and what is to be said of it.
fn import(args: &Args) -> Result<(Model, Vec<String>)> {
    let contents = state_dict::read(&args.file)?;
    let left_out = contents.left_out.clone();
    let is_described = contents.spec.is_some();
    let model = model(args, contents)?;
    let mut assumed = match is_described {
        true => vec![],
        false => assumptions::of(args, &model.spec.network, model.spec.objective.likelihood),
    };
    let mut notes = vec![];
    if !args.verify.is_empty() {
        let differences = outputs::compare(&model, &args.verify)?;
        let problem = |e: Error| match assumed.is_empty() {
            true => e,
            false => Error::Data(format!("{e}; assumed: {}", list(&assumed))),
        };
        differences.iter().try_for_each(|d| d.expect_small().map_err(problem))?;
        let within: Vec<String> = differences.iter().map(|d| format!("{} within {:.1e}", d.name, d.greatest)).collect();
        notes.push(format!("verified with outputs of PyTorch: {}", within.join(", ")));
        if differences.len() == 2 {
            assumed.retain(|assumption| !assumption.shown_by_outputs);
        }
    }
    if !left_out.is_empty() {
        notes.push(format!("left out, since they are no weights of the network: {}", few(&left_out)));
    }
    if !assumed.is_empty() {
        let verify = if args.verify.is_empty() { "; --verify compares with outputs of PyTorch" } else { "" };
        notes.push(format!("assumed, since a state dict does not say it: {}{verify}", list(&assumed)));
    }
    Ok((model, notes))
}

fn list(assumed: &[Assumption]) -> String {
    assumed.iter().map(|assumption| &assumption.text[..]).collect::<Vec<_>>().join(", ")
}

/// The first of many names.
fn few(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let more = if names.len() > SHOWN { format!(" and {} more", names.len() - SHOWN) } else { String::new() };
    names[..names.len().min(SHOWN)].join(", ") + &more
}

/// The model, whose description in the file, if there is one, gives the defaults of the options.
fn model(args: &Args, contents: Contents) -> Result<Model> {
    let known = contents.spec.as_ref();
    let dict = RenamedDict::new(contents.dict)?;
    let activation = args.activation.of(known.map_or([Activation::Relu; 2], |spec| spec.network.activation))?;
    let code = known.and_then(|spec| match spec.network.bottleneck {
        Bottleneck::Point(activation) => Some(activation),
        Bottleneck::Gaussian | Bottleneck::Components => None,
    });
    let image = args.image.or(known.map(|spec| spec.network.image));
    let hints = Hints { image, activation, latent_activation: args.autoencoder.or(code) };
    let (network, values) = architecture::infer(&dict, &hints)?;
    let squared_error = Likelihood::gaussian(Likelihood::SIGMA);
    let default = match network.bottleneck {
        Bottleneck::Components => squared_error,
        _ if values == 2 => Likelihood::gaussian_learned(),
        _ => Likelihood::Bernoulli,
    };
    let likelihood = args.likelihood.of(known.map_or(default, |spec| spec.objective.likelihood))?;
    expect_values(likelihood, values)?;
    let beta = if network.bottleneck.is_distribution() { 1.0 } else { 0.0 };
    let unknown = Objective { beta, ..Objective::new(likelihood) };
    let objective = Objective { likelihood, ..known.map_or(unknown, |spec| spec.objective) };
    // A network that is invalid under any likelihood is the fault of the file, not of the options.
    let permissive = Objective { likelihood: squared_error, ..objective };
    Spec::new(network.clone(), permissive).check().map_err(|e| Error::Data(e.to_string()))?;
    let DataSpec { range, binarize, .. } = known.map_or_else(DataSpec::default, |spec| spec.data.clone());
    let data = DataSpec { range: args.input_range.unwrap_or(range), binarize, ..DataSpec::default() };
    let spec = Spec {
        data,
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
