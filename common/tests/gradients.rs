//! The gradient of a model against finite differences of its loss, written again, plainly, in f64.

use common::backend::{Backend, Cpu, Level, Precision, Visit};
use common::model::{Likelihood, Network, Objective, StateDict};
use common::network::judged;
use common::parameters;
use common::plan::{Cell, Plan};

const ITEMS: usize = 6;
const BATCH: usize = 4;
const PIXELS: usize = 12;

type Row = Vec<f64>;

/// A layer of the state dict: weight `[out, in]`, bias `[out]`.
fn linear(net: &StateDict, name: &str, x: &[f64]) -> Row {
    let (w, b) = (&net[&format!("{name}.weight")], &net[&format!("{name}.bias")]);
    assert_eq!(w.shape, [b.values.len(), x.len()]);
    let unit = |(row, b): (&[f32], &f32)| *b as f64 + row.iter().zip(x).map(|(w, x)| *w as f64 * x).sum::<f64>();
    w.values.chunks(x.len()).zip(&b.values).map(unit).collect()
}
fn relu(x: Row) -> Row {
    x.into_iter().map(|v| v.max(0.0)).collect()
}

/// The loss of one image: -log Bernoulli averaged over draws, plus beta times KL.
fn loss(net: &StateDict, x: &[f64], eps: &[f64], beta: f64) -> f64 {
    let h = relu(linear(net, "encoder.2", &relu(linear(net, "encoder.0", x))));
    let (mu, logvar) = (linear(net, "mu", &h), linear(net, "logvar", &h));
    let latent = mu.len();
    let draws = eps.chunks(latent);
    let recon = draws.len() as f64;
    let recon = draws
        .map(|eps| {
            let z: Row = (0..latent).map(|j| mu[j] + (0.5 * logvar[j]).exp() * eps[j]).collect();
            let h = relu(linear(net, "decoder.2", &relu(linear(net, "decoder.0", &z))));
            let p: Row = linear(net, "decoder.4", &h).iter().map(|l| 1.0 / (1.0 + (-l).exp())).collect();
            p.iter().zip(x).map(|(p, t)| -(t * p.ln() + (1.0 - t) * (1.0 - p).ln())).sum::<f64>()
        })
        .sum::<f64>()
        / recon;
    let kl = (0..latent).map(|j| 0.5 * (logvar[j].exp() + mu[j] * mu[j] - 1.0 - logvar[j])).sum::<f64>();
    recon + beta * kl
}

/// On every level that this CPU has.
fn check(at: usize, samples: usize, beta: f64, cell: Cell) {
    Level::available().into_iter().for_each(|level| check_on(level, at, samples, beta, cell));
}

/// Takes one step at position `at` with lr 0, so that the first moment is a tenth of the gradient.
fn check_on(level: Level, at: usize, samples: usize, beta: f64, cell: Cell) {
    let network = Network::Mlp { image: [3, 4], hidden: vec![7, 5], latent: 3 };
    let objective = Objective { likelihood: Likelihood::Bernoulli, beta, samples };
    let mut plan = Plan::new(BATCH);
    let model = judged(&mut plan, &network, &objective, ITEMS, cell);
    let step = model.training(&mut plan);
    let mut cpu = Cpu::new(&plan, 2, Precision::Fp32, level).unwrap();
    let mut net = parameters::initial(&plan, 5);
    parameters::upload(&mut cpu, &plan, &net, false).unwrap();
    let pixels: Vec<u8> = (0..ITEMS * PIXELS).map(|i| (i * 7919 % 256) as u8).collect();
    let images: Vec<f32> = pixels.iter().map(|b| *b as f32 / 255.0).collect();
    match cell {
        Cell::Byte => cpu.upload_bytes(model.images.buf, pixels).unwrap(),
        Cell::Float => cpu.upload(model.images.buf, &images).unwrap(),
    }
    let order = [3, 0, 5, 1, 4, 2].map(|row| Visit { row, id: row + 100 });
    cpu.upload_order(&order).unwrap();
    let state = cpu.state();
    (state.at, state.items, state.beta, state.epoch) = (at, ITEMS, beta as f32, 1);
    let live = state.live();
    cpu.run(&step, 1).unwrap();

    let mut eps = vec![0.0; BATCH * samples * 3];
    cpu.download(model.eps.buf, &mut eps).unwrap();
    let eps: Row = eps.into_iter().map(f64::from).collect();
    let mean = |net: &StateDict| {
        let one = |n: usize| {
            let row = order[at + n].row as usize;
            let x: Row = images[row * PIXELS..][..PIXELS].iter().map(|v| *v as f64).collect();
            loss(net, &x, &eps[n * samples * 3..(n + 1) * samples * 3], beta)
        };
        (0..live).map(one).sum::<f64>() / live as f64
    };
    let mut terms = vec![0.0; 2 * (at + live)];
    cpu.download(model.terms.buf, &mut terms).unwrap();
    let ours = terms[2 * at..].chunks(2).map(|t| t[0] as f64 + beta * t[1] as f64).sum::<f64>() / live as f64;
    let theirs = mean(&net);
    assert!((ours - theirs).abs() < 1e-5 * theirs, "loss: expected {theirs}, got {ours}");

    let moments = parameters::download(&cpu, &plan, true).unwrap();
    for name in net.keys().cloned().collect::<Vec<_>>() {
        let gradient: Row = moments[&format!("adam.m.{name}")].values.iter().map(|m| *m as f64 / 0.1).collect();
        let size = gradient.iter().fold(1e-3, |a: f64, b| a.max(b.abs()));
        for (i, g) in gradient.iter().enumerate() {
            // The step is exact in f32, so that the weights hold it.
            let value = net[&name].values[i];
            let mut shifted = |h: f32| {
                net.get_mut(&name).unwrap().values[i] = value + h;
                let (l, there) = (mean(&net), net[&name].values[i] as f64);
                net.get_mut(&name).unwrap().values[i] = value;
                (l, there)
            };
            let ((up, above), (down, below)) = (shifted(1e-3), shifted(-1e-3));
            let numeric = (up - down) / (above - below);
            // Central differences with h = 1e-3 are off by h²/6 of the third derivative.
            assert!(
                (g - numeric).abs() < 2e-4 * size,
                "{level:?}, at {at}: d/d{name}[{i}]: expected {numeric}, got {g}"
            );
        }
    }
}

#[test]
fn the_gradient_of_a_vae_is_that_of_its_loss() {
    check(0, 1, 1.0, Cell::Byte);
}

#[test]
fn the_gradient_is_right_in_a_smaller_last_batch() {
    check(4, 1, 1.0, Cell::Byte);
}

#[test]
fn the_gradient_is_right_with_several_samples_and_another_beta() {
    check(0, 5, 0.25, Cell::Byte);
    check(4, 3, 4.0, Cell::Float);
}
