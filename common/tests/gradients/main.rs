//! The loss of every kind of model, and its gradient, against the plain f64 reference and its finite differences.

use common::backend::{Device, InstructionSet, SampleIndex};
use common::model::{
    Bottleneck, DataSpec, Hidden, Init, Likelihood, Network, Objective, Prior, Sigma, StateDict, Weight,
};
use common::network::loss_graph;
use common::parameters;
use common::plan::Activation;
use common::plan::{PixelType, Plan, Precision};
use vae_reference::{self as reference, Tensor, Vector};

const ITEMS: usize = 6;
const BATCH: usize = 4;

/// What is checked.
#[derive(Clone)]
struct Case {
    network: Network,
    objective: Objective,
    data: DataSpec,
    /// The position in the epoch of the step that is taken.
    at: usize,
    cell: PixelType,
    warmup: u64,
}

fn mlp() -> Case {
    Case {
        network: Network::mlp([3, 4], &[7, 5], 3),
        objective: Objective::new(Likelihood::Bernoulli),
        data: DataSpec::default(),
        at: 0,
        cell: PixelType::U8,
        warmup: 0,
    }
}

fn conv(image: [usize; 2]) -> Case {
    let mut case = mlp();
    case.network = Network { image: image.into(), hidden: Hidden::halving(&[2, 3]), ..case.network };
    // Smooth, since a bias that many positions share would move some of them across a kink.
    case.network.activation = [Activation::Tanh, Activation::Softplus];
    case
}

fn conditional(mut case: Case, prior: Option<Vec<usize>>) -> Case {
    case.network.classes = Some(3);
    case.network.prior = prior.map_or(Prior::Standard, |hidden| Prior::Learned { hidden });
    case
}

fn autoencoder(mut case: Case, code: Activation) -> Case {
    case.network.bottleneck = Bottleneck::Point(code);
    case.objective.beta = 0.0;
    case
}

/// The same model in the words of the reference.
fn plain(net: &StateDict, network: &Network, objective: &Objective) -> reference::Model {
    let activation = |activation| match activation {
        Activation::None => reference::Activation::None,
        Activation::Relu => reference::Activation::Relu,
        Activation::LeakyRelu(slope) => reference::Activation::LeakyRelu(slope as f64),
        Activation::Tanh => reference::Activation::Tanh,
        Activation::Softplus => reference::Activation::Softplus,
    };
    let likelihood = match objective.likelihood {
        Likelihood::Bernoulli => reference::Likelihood::Bernoulli,
        Likelihood::Gaussian { sigma: Sigma::Fixed(sigma) } => reference::Likelihood::Gaussian { sigma },
        Likelihood::Gaussian { .. } => {
            reference::Likelihood::GaussianLearned { min_sigma: Likelihood::MIN_SIGMA as f64 }
        }
    };
    let tensor = |(name, w): (&String, &Weight)| {
        let values = w.values.iter().map(|v| *v as f64).collect();
        (name.clone(), Tensor { shape: w.shape.clone(), values })
    };
    reference::Model {
        net: net.iter().map(tensor).collect(),
        image: [network.image.height, network.image.width],
        convolutional: network.hidden.is_conv(),
        hidden: network.hidden.len(),
        activation: network.activation.map(activation),
        autoencoder: match network.bottleneck {
            Bottleneck::Point(code) => Some(activation(code)),
            Bottleneck::Gaussian | Bottleneck::Components => None,
        },
        classes: network.classes,
        prior: match &network.prior {
            Prior::Learned { hidden } => Some(hidden.len()),
            Prior::Standard => None,
        },
        likelihood,
    }
}

/// On every instruction set of this CPU, and on the emulated GPU.
fn check(case: Case) {
    cuda_emulator::load();
    let cpus = InstructionSet::available().into_iter().map(|isa| Device::Cpu { threads: 2, isa });
    cpus.chain([Device::Cuda { ordinal: 0 }]).for_each(|device| check_on(device, &case));
}

/// Takes one step with lr 0, so that the first moment is a tenth of the gradient.
fn check_on(device: Device, case: &Case) {
    let Case { network, objective, data, at, cell, warmup } = case;
    let (at, samples, latent, width) = (*at, objective.samples, network.latent, network.values());
    let mut plan = Plan::new(BATCH);
    let model = loss_graph(&mut plan, network, objective, data, ITEMS, *cell);
    let step = model.training(&mut plan);
    let mut backend = device.open(&plan, Precision::Fp32).unwrap();
    let net = parameters::initial(&plan, 5, Init::Pytorch);
    parameters::upload(&mut *backend, &plan, &net, false).unwrap();
    let pixels: Vec<u8> = (0..ITEMS * width).map(|i| (i * 7919 % 256) as u8).collect();
    let images: Vec<f32> = pixels.iter().map(|b| *b as f32 / 255.0).collect();
    match cell {
        PixelType::U8 => backend.upload_bytes(model.images.buf, &pixels).unwrap(),
        PixelType::F32 => backend.upload(model.images.buf, &images).unwrap(),
    }
    let labels = [2u8, 0, 1, 1, 0, 2];
    if let Some(table) = model.labels {
        backend.upload_bytes(table.buf, &labels).unwrap();
    }
    let order = [3, 0, 5, 1, 4, 2].map(|row| SampleIndex { row, id: row + 100 });
    backend.upload_indices(&order).unwrap();
    let state = backend.state();
    (state.at, state.items, state.beta, state.epoch) = (at, ITEMS, objective.beta as f32, 1);
    (state.warmup, state.steps) = (*warmup, 1);
    let live = state.valid();
    // Step 1 of the optimizer divides by 1 - 0.9², where it would divide by 1 - 0.9 in step 0; lr is 0 in both.
    let beta = objective.beta * if *warmup > 1 { 1.0 / *warmup as f64 } else { 1.0 };
    let step = backend.compile(&step).unwrap();
    backend.run(step, 1).unwrap();

    let mut eps = vec![0.0; model.eps.map_or(0, |eps| BATCH * eps.per_image * eps.width)];
    if let Some(buffer) = model.eps {
        backend.download(buffer.buf, 0, &mut eps).unwrap();
    }
    let eps: Vector = eps.into_iter().map(f64::from).collect();
    let eps: Vec<Vector> = eps.chunks(latent).map(<[f64]>::to_vec).collect();
    let [black, white] = data.range;
    let mean = |plain: &reference::Model, beta: f64| {
        let one = |n: usize| {
            let row = order[at + n].row as usize;
            let x: Vector = images[row * width..][..width].iter().map(|v| *v as f64).collect();
            let encoder_input: Vector = x.iter().map(|v| black + (white - black) * v).collect();
            let eps = if eps.is_empty() { &[] } else { &eps[n * samples..(n + 1) * samples] };
            let losses = plain.losses(&encoder_input, &x, labels[row] as usize, eps);
            losses.recon + beta * losses.kl
        };
        (0..live).map(one).sum::<f64>() / live as f64
    };
    let mut parts = vec![0.0; 2 * (at + live)];
    backend.download(model.losses.buf, 0, &mut parts).unwrap();
    let ours = parts[2 * at..].chunks(2).map(|t| t[0] as f64 + beta * t[1] as f64).sum::<f64>() / live as f64;
    let mut plain = plain(&net, network, objective);
    let theirs = mean(&plain, beta);
    assert!((ours - theirs).abs() < 1e-5 * theirs.abs(), "loss: expected {theirs}, got {ours}");

    let moments = parameters::download(&*backend, &plan, true).unwrap();
    for (name, weight) in &net {
        let gradient: Vector = moments[&format!("adam.m.{name}")].values.iter().map(|m| *m as f64 / 0.1).collect();
        let size = gradient.iter().fold(1e-3, |a: f64, b| a.max(b.abs()));
        for (i, (g, value)) in gradient.iter().zip(&weight.values).enumerate() {
            let mut shifted = |h: f64| {
                plain.net.get_mut(name).unwrap().values[i] = *value as f64 + h;
                mean(&plain, beta)
            };
            let numeric = (shifted(1e-3) - shifted(-1e-3)) / 2e-3;
            plain.net.get_mut(name).unwrap().values[i] = *value as f64;
            // Central differences with h = 1e-3 are off by h²/6 of the third derivative.
            assert!(
                (g - numeric).abs() < 2e-4 * size,
                "{device:?}, at {at}: d/d{name}[{i}]: expected {numeric}, got {g}"
            );
        }
    }
}

#[test]
fn the_gradient_of_a_vae_is_that_of_its_loss() {
    check(mlp());
}

#[test]
fn the_gradient_is_right_in_a_smaller_last_batch() {
    check(Case { at: 4, ..mlp() });
}

#[test]
fn the_gradient_is_right_with_several_samples_and_another_beta() {
    let objective = Objective { beta: 0.25, samples: 5, ..mlp().objective };
    check(Case { objective, ..mlp() });
    let objective = Objective { beta: 4.0, samples: 3, ..mlp().objective };
    check(Case { objective, at: 4, cell: PixelType::F32, ..mlp() });
}

#[test]
fn the_gradient_is_right_while_the_kl_warms_up() {
    check(Case { warmup: 8, ..mlp() });
}

#[test]
fn the_gradient_is_right_with_every_activation() {
    for activation in [Activation::None, Activation::LeakyRelu(0.2), Activation::Tanh, Activation::Softplus] {
        let mut case = mlp();
        case.network.activation = [activation, activation];
        check(case);
    }
}

#[test]
fn the_gradient_of_gaussian_pixels_is_right() {
    for likelihood in
        [Likelihood::gaussian(Likelihood::SIGMA), Likelihood::gaussian(0.2), Likelihood::gaussian_learned()]
    {
        check(Case { objective: Objective::new(likelihood), ..mlp() });
        let objective = Objective { samples: 2, ..Objective::new(likelihood) };
        check(Case { objective, at: 4, ..conv([5, 6]) });
    }
}

#[test]
fn the_gradient_of_convolutions_is_right_for_even_and_odd_sides() {
    check(conv([8, 8]));
    check(Case { at: 4, ..conv([5, 7]) });
    check(Case { objective: Objective { samples: 3, ..mlp().objective }, ..conv([6, 3]) });
}

#[test]
fn the_gradient_of_a_conditional_vae_is_right_with_either_prior() {
    check(conditional(mlp(), Some(vec![4])));
    check(conditional(mlp(), Some(vec![4, 6])));
    check(conditional(mlp(), None));
    check(conditional(conv([5, 6]), Some(vec![4])));
    let objective = Objective { samples: 3, beta: 2.0, ..mlp().objective };
    check(Case { objective, at: 4, ..conditional(mlp(), Some(vec![4])) });
}

#[test]
fn the_gradient_of_an_autoencoder_is_right() {
    let squared = Objective { beta: 0.0, ..Objective::new(Likelihood::gaussian(Likelihood::SIGMA)) };
    check(Case { objective: squared, ..autoencoder(mlp(), Activation::Relu) });
    check(autoencoder(mlp(), Activation::None));
    check(autoencoder(conv([5, 6]), Activation::Tanh));
    check(conditional(autoencoder(mlp(), Activation::None), None));
}

#[test]
fn the_encoder_sees_the_range_of_the_data_and_the_likelihood_sees_pixels() {
    let data = DataSpec { range: [-1.0, 1.0], ..DataSpec::default() };
    check(Case { data, ..mlp() });
}
