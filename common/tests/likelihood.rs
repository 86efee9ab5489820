//! The evaluation of a model against values known in closed form.
//!
//! A linear Gaussian VAE: x = 1/2 + W z / 4 + sigma e with z from N(0, I), since the sigmoid of a small logit l is 1/2 + l / 4
//! but for l³ / 48. Then x is from N(1/2, W W^T / 16 + sigma² I), and p(z given x) is Gaussian too.

use common::backend::{Device, InstructionSet};
use common::dataset::Dataset;
use common::evaluate::{Evaluation, Evaluator};
use common::model::{Likelihood, Model, Network, Objective, Prior, Spec, StateDict, Weight};
use ndarray::{Array1, Array2, Array3};
use vae_numerics::rng::{Purpose, normals};
use vae_stream::images::Pixels;

const PIXELS: usize = 6;
const LATENT: usize = 2;
const SIGMA: f64 = 0.01;
const IMAGES: usize = 12;

fn device() -> Device {
    Device::Cpu { threads: 2, isa: *InstructionSet::available().last().unwrap() }
}

/// W `[D, Z]`: logits of at most about 0.1.
fn w() -> Array2<f64> {
    Array2::from_shape_fn((PIXELS, LATENT), |(i, j)| 0.03 * ((2 * i + 5 * j) as f64).sin())
}

/// Images that such a model draws.
fn images() -> Array2<f64> {
    let mut x = Array2::zeros((IMAGES, PIXELS));
    for (n, mut x) in x.rows_mut().into_iter().enumerate() {
        let mut draws = [0.0; LATENT + PIXELS];
        normals(&mut draws, 5, Purpose::Prior, [0, n as u32, 0]);
        let draws = Array1::from_iter(draws.iter().map(|v| *v as f64));
        let mean = w().dot(&draws.slice(ndarray::s![..LATENT]));
        x.assign(&(0.5 + mean / 4.0 + SIGMA * &draws.slice(ndarray::s![LATENT..])));
    }
    x
}

/// The inverse and the logarithm of the determinant of a positive definite matrix, by Gauss and Jordan.
fn inverse(a: &Array2<f64>) -> (Array2<f64>, f64) {
    let n = a.nrows();
    let (mut a, mut inverse, mut log_det) = (a.clone(), Array2::eye(n), 0.0);
    for i in 0..n {
        let pivot = a[[i, i]];
        log_det += pivot.ln();
        a.row_mut(i).mapv_inplace(|v| v / pivot);
        inverse.row_mut(i).mapv_inplace(|v: f64| v / pivot);
        for k in (0..n).filter(|k| *k != i) {
            let factor = a[[k, i]];
            let (row, of_inverse) = (a.row(i).to_owned(), inverse.row(i).to_owned());
            a.row_mut(k).scaled_add(-factor, &row);
            inverse.row_mut(k).scaled_add(-factor, &of_inverse);
        }
    }
    (inverse, log_det)
}

/// The mean of p(z given x) as A (x - 1/2), and its covariance.
fn posterior() -> (Array2<f64>, Array2<f64>) {
    let w = w() / 4.0;
    let (covariance, _) = inverse(&(w.t().dot(&w) / (SIGMA * SIGMA) + Array2::<f64>::eye(LATENT)));
    (covariance.dot(&w.t()) / (SIGMA * SIGMA), covariance)
}

fn weight(shape: &[usize], values: impl IntoIterator<Item = f64>) -> Weight {
    Weight { shape: shape.to_vec(), values: values.into_iter().map(|v| v as f32).collect() }
}

/// The model, whose q has the mean of the posterior and these variances.
fn model(variance: &[f64]) -> Model {
    let (a, _) = posterior();
    let weights = [
        ("mu.weight", weight(&[LATENT, PIXELS], a.iter().copied())),
        ("mu.bias", weight(&[LATENT], a.rows().into_iter().map(|row| -0.5 * row.sum()))),
        ("logvar.weight", weight(&[LATENT, PIXELS], vec![0.0; LATENT * PIXELS])),
        ("logvar.bias", weight(&[LATENT], variance.iter().map(|v| v.ln()))),
        ("decoder.0.weight", weight(&[PIXELS, LATENT], w().iter().copied())),
        ("decoder.0.bias", weight(&[PIXELS], vec![0.0; PIXELS])),
    ];
    let network = Network::mlp([2, 3], &[], LATENT);
    let spec = Spec::new(network, Objective::new(Likelihood::gaussian(SIGMA)));
    Model { spec, weights: StateDict::from_iter(weights.map(|(name, w)| (name.to_owned(), w))) }
}

fn data() -> Dataset {
    let x = images();
    let pixels = Array3::from_shape_fn((IMAGES, 2, 3), |(n, i, j)| x[[n, 3 * i + j]] as f32);
    Dataset::new(Pixels::F32(pixels), (0..IMAGES as u32).collect())
}

fn evaluate(model: &Model, samples: usize, k: usize) -> Vec<Evaluation> {
    Evaluator::new(model, data(), samples, 3, device()).unwrap().evaluate(k, |_| ()).unwrap()
}

#[test]
fn importance_sampling_finds_the_exact_likelihood_within_three_standard_errors() {
    let (inverted, log_det) = inverse(&(w().dot(&w().t()) / 16.0 + SIGMA * SIGMA * Array2::<f64>::eye(PIXELS)));
    let x = images();
    let exact = x.rows().into_iter().map(|x| {
        let d = &x - 0.5;
        0.5 * (PIXELS as f64 * std::f64::consts::TAU.ln() + log_det + d.dot(&inverted.dot(&d)))
    });
    let exact: Vec<f64> = exact.collect();
    let (_, covariance) = posterior();
    // Wider than the posterior, as importance sampling likes it, and of other correlations than it has.
    let variances: Vec<f64> = covariance.diag().iter().map(|v| 1.3 * v).collect();
    for k in [100, 5000] {
        let evaluations = evaluate(&model(&variances), 1, k);
        for (evaluation, exact) in evaluations.iter().zip(&exact) {
            let nll = evaluation.nll.unwrap();
            // What the sigmoid and f32 differ by is far below a standard error.
            assert!((nll.nll - exact).abs() < 3.5 * nll.se, "k {k}: expected {exact}, got {nll:?}");
            assert!(nll.se < 10.0 / (k as f64).sqrt(), "k {k}: {nll:?}");
        }
        // Together they tell a bias apart that each might hide.
        let nlls = evaluations.iter().map(|e| e.nll.unwrap());
        let (error, se) = (
            nlls.clone().zip(&exact).map(|(n, e)| n.nll - e).sum::<f64>(),
            nlls.map(|n| n.se * n.se).sum::<f64>().sqrt(),
        );
        assert!(error.abs() < 3.0 * se, "k {k}: off by {error}, standard error {se}");
    }
}

#[test]
fn the_elbo_is_the_one_known_in_closed_form_and_below_the_likelihood() {
    let variances = [0.2, 0.3];
    let model = model(&variances);
    let (a, _) = posterior();
    let samples = 4000;
    let evaluations = evaluate(&model, samples, 2000);
    for (evaluation, x) in evaluations.iter().zip(images().rows()) {
        let d = &x - 0.5;
        let mu = a.dot(&d);
        // E |d - W z / 4|² = |d - W mu / 4|² + sum of variance of each dimension times the length of its column
        let columns = w().columns().into_iter().map(|c| c.dot(&c) / 16.0).collect::<Vec<_>>();
        let rest = &d - &w().dot(&mu) / 4.0;
        let spread: f64 = columns.iter().zip(variances).map(|(c, v)| c * v).sum();
        let squares = rest.dot(&rest) + spread;
        let constant = 0.5 * PIXELS as f64 * (std::f64::consts::TAU * SIGMA * SIGMA).ln();
        let expected = constant + squares / (2.0 * SIGMA * SIGMA);
        let elbo = evaluation.elbo.as_ref().unwrap();
        // The spread of a draw is of the size of its mean.
        let bound = 5.0 * (spread / (SIGMA * SIGMA) + 1.0) / (samples as f64).sqrt();
        assert!((elbo.recon - expected).abs() < bound, "recon: expected {expected}, got {}", elbo.recon);
        for j in 0..LATENT {
            let kl = 0.5 * (variances[j] + mu[j] * mu[j] - 1.0 - variances[j].ln());
            assert!((elbo.kl[j] - kl).abs() < 1e-4 * kl.max(1.0), "kl of {j}: expected {kl}, got {}", elbo.kl[j]);
        }
        assert!(elbo.recon + elbo.total_kl() > evaluation.nll.unwrap().nll, "the ELBO is a bound");
        let mse = rest.dot(&rest) / PIXELS as f64;
        assert!((evaluation.mse - mse).abs() < 1e-3 * mse, "mse: expected {mse}, got {}", evaluation.mse);
    }
}

#[test]
fn a_learned_prior_is_in_the_kl_and_in_the_weights() {
    // Where the decoder ignores z and q is the prior of the class, every weight is the likelihood itself and the KL is 0.
    let mut model = model(&[1.0, 1.0]);
    let classes = 3;
    model.spec.network.classes = Some(classes);
    model.spec.network.prior = Prior::Learned { hidden: vec![] };
    let prior = weight(&[LATENT, classes], [0.5, -1.0, 2.0, 0.1, 0.7, -0.3]);
    let logvar = weight(&[LATENT, classes], [0.2, -0.4, 0.0, 0.3, -0.1, 0.5]);
    let from_labels = |prior: &Weight| {
        let row =
            |j: usize| [vec![0.0; PIXELS], prior.values[j * classes..][..classes].iter().map(|v| *v as f64).collect()];
        weight(&[LATENT, PIXELS + classes], (0..LATENT).flat_map(|j| row(j).concat()))
    };
    let zeros = |shape: &[usize]| weight(shape, vec![0.0; shape.iter().product()]);
    for (name, tensor) in [
        ("mu.weight", from_labels(&prior)),
        ("mu.bias", zeros(&[LATENT])),
        ("logvar.weight", from_labels(&logvar)),
        ("logvar.bias", zeros(&[LATENT])),
        ("prior_mu.weight", prior),
        ("prior_mu.bias", zeros(&[LATENT])),
        ("prior_logvar.weight", logvar),
        ("prior_logvar.bias", zeros(&[LATENT])),
        ("decoder.0.weight", zeros(&[PIXELS, LATENT + classes])),
    ] {
        model.weights.insert(name.into(), tensor);
    }
    let data = data().labelled((0..IMAGES).map(|n| (n % classes) as u8).collect());
    let evaluations = Evaluator::new(&model, data, 2, 3, device()).unwrap().evaluate(70, |_| ()).unwrap();
    for (evaluation, x) in evaluations.iter().zip(images().rows()) {
        let d = &x - 0.5;
        let constant = 0.5 * PIXELS as f64 * (std::f64::consts::TAU * SIGMA * SIGMA).ln();
        let expected = constant + d.dot(&d) / (2.0 * SIGMA * SIGMA);
        let (elbo, nll) = (evaluation.elbo.as_ref().unwrap(), evaluation.nll.unwrap());
        assert!(elbo.total_kl().abs() < 1e-6, "{elbo:?}");
        assert!(
            (nll.nll - expected).abs() < 1e-4 * expected.abs() && nll.se < 1e-5,
            "expected {expected}, got {nll:?}"
        );
    }
}
