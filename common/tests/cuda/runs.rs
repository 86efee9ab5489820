//! End to end: training, encoding and decoding on the GPU agree with the CPU up to rounding, and are deterministic.

use crate::{OTHER_KERNELS, expect_launched, gpu};
use common::backend::{Device, InstructionSet};
use common::dataset::Dataset;
use common::infer::{Decoder, Encoder, Latent};
use common::model::{
    Binarize, Bottleneck, DataSpec, Hidden, Likelihood, Model, Network, Objective, Prior, Spec, Training,
};
use common::plan::{Activation, PixelType, Precision};
use common::train::{Losses, Trainer};
use ndarray::Array3;
use vae_stream::images::Pixels;

const IMAGE: [usize; 2] = [12, 10];

/// Distinct images.
fn images(n: usize) -> Dataset {
    let pixel = |(n, y, x): (usize, usize, usize)| {
        let inside = (y + n) % 12 < 6 && (x + n / 7) % 10 < 4;
        if inside { (40 + (n * 31 + y * x) % 216) as u8 } else { 0 }
    };
    let pixels = Array3::from_shape_fn((n, IMAGE[0], IMAGE[1]), pixel);
    Dataset::new(Pixels::U8(pixels), (0..n as u32).collect())
}

/// The same, with labels of three classes where the network asks for some.
pub fn data_of(spec: &Spec, n: usize) -> Dataset {
    match spec.network.classes {
        Some(_) => images(n).labelled((0..n).map(|i| (i % 3) as u8).collect()),
        None => images(n),
    }
}

pub fn cpu() -> Device {
    Device::Cpu { threads: 2, isa: *InstructionSet::available().last().unwrap() }
}

/// Ten steps an epoch, the last with fewer images.
const ITEMS: usize = 157;

fn spec(network: Network, objective: Objective) -> Spec {
    let data = images(ITEMS);
    Spec {
        data: DataSpec { images: ITEMS, sha256: data.sha256(), ..DataSpec::default() },
        training: Training { batch: 16, seed: 1, epochs: 2, lr: 1e-3, ..Training::default() },
        tool: "test".into(),
        ..Spec::new(network, objective)
    }
}

pub fn mlp() -> Spec {
    spec(Network::mlp(IMAGE, &[33, 20], 5), Objective::new(Likelihood::Bernoulli))
}

/// With layers too large for the interpreter of ops (`is_small` in lower/mod.rs): they are tiled GEMMs.
fn tiled() -> Spec {
    spec(Network::mlp(IMAGE, &[150, 20], 5), Objective::new(Likelihood::Bernoulli))
}

fn every_kind() -> Vec<(&'static str, Spec)> {
    let conv = |spec: Spec| {
        let network = Network { hidden: Hidden::halving(&[3, 6]), ..spec.network };
        Spec { network, ..spec }
    };
    let with = |likelihood, samples| Objective { samples, kl_warmup: 0.5, beta: 2.0, ..Objective::new(likelihood) };
    let mut conditional = mlp();
    conditional.network.classes = Some(3);
    conditional.network.prior = Prior::Learned { hidden: vec![8] };
    let mut autoencoder = mlp();
    autoencoder.network.bottleneck = Bottleneck::Point(Activation::Tanh);
    autoencoder.objective = Objective { beta: 0.0, ..Objective::new(Likelihood::gaussian(Likelihood::SIGMA)) };
    let mut drawn = mlp();
    drawn.data.binarize = Binarize::Dynamic;
    drawn.network.activation = [Activation::LeakyRelu(0.2), Activation::Softplus];
    let learned = spec(Network::mlp(IMAGE, &[33], 5), with(Likelihood::gaussian_learned(), 3));
    vec![
        ("mlp", mlp()),
        ("mlp in tiles", tiled()),
        ("conv", conv(mlp())),
        ("conditional", conditional),
        ("autoencoder", autoencoder),
        ("drawn", drawn),
        ("samples, learned sigma", learned.clone()),
        ("conv, samples, learned sigma", conv(learned)),
    ]
}

/// The losses of training and test images by epoch, and the model.
pub fn trained(spec: &Spec, device: Device, limit: usize) -> (Vec<[Losses; 2]>, Model) {
    let (train, test) = (data_of(spec, ITEMS), data_of(spec, 50));
    let mut trainer = Trainer::new(spec.clone(), train, Some(test), None, device).unwrap();
    let mut losses = vec![];
    while !trainer.complete() {
        if trainer.steps(limit).unwrap() {
            let train = trainer.losses();
            losses.push([train, trainer.end_epoch().unwrap().unwrap()]);
        }
    }
    (losses, trainer.model().unwrap())
}

#[test]
fn twenty_steps_have_the_losses_of_the_cpu() {
    let ordinal = gpu();
    for (kind, spec) in every_kind() {
        let ((expected, _), (got, _)) = (trained(&spec, cpu(), 100), trained(&spec, Device::Cuda { ordinal }, 100));
        for (expected, got) in expected.iter().flatten().zip(got.iter().flatten()) {
            for (expected, got) in
                expected.terms.iter().zip(&got.terms).map(|(expected, got)| (expected.mean, got.mean))
            {
                // Twenty steps of Adam on gradients with different rounding.
                assert!((expected - got).abs() <= 1e-4 * expected.abs(), "{kind}: expected {expected}, got {got}");
            }
        }
    }
    expect_launched(OTHER_KERNELS.iter().filter(|kernel| **kernel != "reduce_splits"));
}

#[test]
fn runs_are_bit_identical_for_any_split_into_graphs() {
    let ordinal = gpu();
    for precision in [Precision::Fp32, Precision::Bf16] {
        let mut spec = tiled();
        // Forty steps: graphs of 32, of 4 and of 1.
        spec.training = Training { precision, batch: 4, epochs: 1, ..spec.training };
        let bytes = |limit: usize| trained(&spec, Device::Cuda { ordinal }, limit).1.to_bytes();
        let expected = bytes(100);
        assert!(expected == bytes(100), "{precision:?}");
        assert!(expected == bytes(3), "{precision:?}");
    }
}

#[test]
fn a_resumed_run_is_bit_identical() {
    let ordinal = gpu();
    let (device, spec) = (Device::Cuda { ordinal }, mlp());
    let (_, expected) = trained(&spec, device, 100);
    let start = |from| Trainer::new(spec.clone(), images(ITEMS), Some(images(50)), from, device).unwrap();
    let mut first = start(None);
    first.steps(7).unwrap();
    let mut second = start(Some(first.checkpoint().unwrap()));
    while !second.complete() {
        if second.steps(4).unwrap() {
            second.end_epoch().unwrap();
        }
    }
    assert!(second.model().unwrap().to_bytes() == expected.to_bytes());
}

#[test]
fn training_converges_in_bf16_and_tf32() {
    let ordinal = gpu();
    let loss = |precision| {
        let mut spec = tiled();
        spec.training.precision = precision;
        trained(&spec, Device::Cuda { ordinal }, 100).0.last().unwrap()[1].loss()
    };
    let exact = loss(Precision::Fp32);
    for (precision, bound) in [(Precision::Tf32, 1e-4), (Precision::Bf16, 1e-3)] {
        let got = loss(precision);
        assert!(got != exact && (got - exact).abs() < bound * exact, "{precision:?}: {exact} in fp32, got {got}");
    }
}

#[test]
fn encoders_and_decoders_agree_with_the_cpu_in_any_batching() {
    let ordinal = gpu();
    for (kind, spec) in every_kind() {
        let (_, model) = trained(&spec, cpu(), 100);
        let data = data_of(&spec, 300);
        let on = |device: Device, parts: &[std::ops::Range<usize>]| {
            let seed = spec.network.bottleneck.is_distribution().then_some(7);
            let mut encoder = Encoder::new(&model, PixelType::U8, &[Latent::Z], seed, device).unwrap();
            let mut decoder = Decoder::new(&model, device).unwrap();
            let mut all = (vec![], vec![]);
            for part in parts {
                let part = data.slice(part.clone());
                let z = encoder.encode(&part).unwrap().remove(0);
                all.1.extend(decoder.decode(z.view(), part.labels(), 0).unwrap());
                all.0.extend(z);
            }
            all
        };
        let device = Device::Cuda { ordinal };
        let whole = 0..300;
        let expected = on(cpu(), std::slice::from_ref(&whole));
        let got = on(device, std::slice::from_ref(&whole));
        for (expected, got) in expected.0.iter().zip(&got.0).chain(expected.1.iter().zip(&got.1)) {
            // Dot products of a few dozen terms, a few layers deep.
            assert!((expected - got).abs() < 1e-5 * expected.abs().max(1.0), "{kind}: expected {expected}, got {got}");
        }
        assert!(got == on(device, &[0..1, 1..38, 38..300]), "{kind}: the output depends on the batch");
    }
}
