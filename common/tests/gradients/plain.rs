//! Every model again, plainly and in f64, on the state dict with PyTorch's shapes and images as `[C, H, W]`.

use common::model::{Layers, Likelihood, Network, Objective, Sigma, StateDict};
use common::plan::Activation;

pub type Row = Vec<f64>;

fn values(net: &StateDict, name: &str) -> Row {
    net[name].values.iter().map(|v| *v as f64).collect()
}

/// weight `[out, in]`, bias `[out]`
fn linear(net: &StateDict, name: &str, x: &[f64]) -> Row {
    let (w, b) = (values(net, &format!("{name}.weight")), values(net, &format!("{name}.bias")));
    assert_eq!(net[&format!("{name}.weight")].shape, [b.len(), x.len()]);
    w.chunks(x.len()).zip(&b).map(|(row, b)| b + row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>()).collect()
}

fn act(x: Row, activation: Activation) -> Row {
    let f = |v: f64| match activation {
        Activation::None => v,
        Activation::Relu => v.max(0.0),
        Activation::LeakyRelu(slope) => {
            if v > 0.0 {
                v
            } else {
                slope as f64 * v
            }
        }
        Activation::Tanh => v.tanh(),
        Activation::Softplus => v.exp().ln_1p(),
    };
    x.into_iter().map(f).collect()
}

/// `[C, H, W]`
struct Image {
    values: Row,
    size: [usize; 3],
}

impl Image {
    fn zeros(size: [usize; 3]) -> Image {
        Image { values: vec![0.0; size.iter().product()], size }
    }
    fn at(&mut self, c: usize, y: isize, x: isize) -> Option<&mut f64> {
        let [_, h, w] = self.size;
        let inside = (0..h as isize).contains(&y) && (0..w as isize).contains(&x);
        inside.then(|| &mut self.values[(c * h + y as usize) * w + x as usize])
    }
}

/// Each (in channel, out channel, tap, in place, out place) of 5 x 5 windows at every other pixel of the larger image.
fn taps([small, large]: [[usize; 2]; 2], mut f: impl FnMut(usize, [isize; 2], [isize; 2])) {
    for (sy, sx) in (0..small[0]).flat_map(|y| (0..small[1]).map(move |x| (y, x))) {
        for tap in 0..25 {
            let at = [2 * sy as isize + (tap / 5) as isize - 2, 2 * sx as isize + (tap % 5) as isize - 2];
            if (0..large[0] as isize).contains(&at[0]) && (0..large[1] as isize).contains(&at[1]) {
                f(tap, [sy as isize, sx as isize], at);
            }
        }
    }
}

/// weight `[out, in, 5, 5]`
fn conv(net: &StateDict, name: &str, mut x: Image) -> Image {
    let (w, b) = (values(net, &format!("{name}.weight")), values(net, &format!("{name}.bias")));
    let [channels, h, width] = x.size;
    let mut y = Image::zeros([b.len(), h.div_ceil(2), width.div_ceil(2)]);
    assert_eq!(net[&format!("{name}.weight")].shape, [b.len(), channels, 5, 5]);
    for (o, b) in b.iter().enumerate() {
        let size = y.size[1] * y.size[2];
        y.values[o * size..(o + 1) * size].fill(*b);
        for c in 0..channels {
            taps([[y.size[1], y.size[2]], [h, width]], |tap, to, from| {
                let v = *x.at(c, from[0], from[1]).unwrap();
                *y.at(o, to[0], to[1]).unwrap() += w[(o * channels + c) * 25 + tap] * v;
            });
        }
    }
    y
}

/// weight `[in, out, 5, 5]`
fn transposed(net: &StateDict, name: &str, mut x: Image, [h, width]: [usize; 2]) -> Image {
    let (w, b) = (values(net, &format!("{name}.weight")), values(net, &format!("{name}.bias")));
    let (channels, out) = (x.size[0], b.len());
    let mut y = Image::zeros([out, h, width]);
    assert_eq!(net[&format!("{name}.weight")].shape, [channels, b.len(), 5, 5]);
    for (o, b) in b.iter().enumerate() {
        y.values[o * h * width..(o + 1) * h * width].fill(*b);
        for c in 0..channels {
            taps([[x.size[1], x.size[2]], [h, width]], |tap, from, to| {
                let v = *x.at(c, from[0], from[1]).unwrap();
                *y.at(o, to[0], to[1]).unwrap() += w[(c * out + o) * 25 + tap] * v;
            });
        }
    }
    y
}

fn join(a: &[f64], y: Option<&[f64]>) -> Row {
    [a, y.unwrap_or(&[])].concat()
}

fn stack(net: &StateDict, name: &str, mut h: Row, layers: usize, activation: Activation) -> Row {
    for i in 0..layers {
        h = act(linear(net, &format!("{name}.{}", 2 * i), &h), activation);
    }
    h
}

/// What the heads, or the code, see.
fn encoded(net: &StateDict, network: &Network, x: &[f64], y: Option<&[f64]>) -> Row {
    let (activation, layers) = (network.activation[0], network.hidden.len());
    if network.kind == Layers::Mlp {
        return stack(net, "encoder", join(x, y), layers, activation);
    }
    let mut h = Image { values: x.to_vec(), size: [1, network.image[0], network.image[1]] };
    for i in 0..layers {
        h = conv(net, &format!("encoder.{}", 2 * i), h);
        h.values = act(h.values, activation);
    }
    join(&h.values, y)
}

/// What the likelihood needs: all first values of pixels, then all second.
fn decoded(net: &StateDict, network: &Network, z: &[f64], y: Option<&[f64]>) -> Row {
    let (activation, layers) = (network.activation[1], network.hidden.len());
    if network.kind == Layers::Mlp {
        let h = stack(net, "decoder", join(z, y), layers, activation);
        return linear(net, &format!("decoder.{}", 2 * layers), &h);
    }
    let mut sizes = vec![network.image];
    (0..layers).for_each(|i| sizes.push(sizes[i].map(|n: usize| n.div_ceil(2))));
    let small = sizes[layers];
    let values = act(linear(net, "decoder.0", &join(z, y)), activation);
    let mut h = Image { values, size: [network.hidden[layers - 1], small[0], small[1]] };
    for i in 0..layers {
        h = transposed(net, &format!("decoder.{}", 3 + 2 * i), h, sizes[layers - 1 - i]);
        if i + 1 < layers {
            h.values = act(h.values, activation);
        }
    }
    h.values
}

fn reconstruction(objective: &Objective, v: &[f64], x: &[f64]) -> f64 {
    let mean = |i: usize| 1.0 / (1.0 + (-v[i]).exp());
    let normal = |d: f64, variance: f64| 0.5 * ((std::f64::consts::TAU * variance).ln() + d * d / variance);
    let pixel = |i: usize| match objective.likelihood {
        Likelihood::Bernoulli => -(x[i] * mean(i).ln() + (1.0 - x[i]) * (1.0 - mean(i)).ln()),
        Likelihood::Gaussian { sigma: Sigma::Fixed(sigma) } => normal(x[i] - mean(i), sigma * sigma),
        Likelihood::Gaussian { .. } => {
            let least = Likelihood::MIN_SIGMA as f64;
            normal(x[i] - mean(i), v[x.len() + i].exp() + least * least)
        }
    };
    (0..x.len()).map(pixel).sum()
}

/// KL between full Gaussians: 1/2 (tr(Sp^-1 Sq) + (mp - mq)^T Sp^-1 (mp - mq) - Z + ln det Sp - ln det Sq), the covariances
/// here diagonal.
pub fn kl(q: [&[f64]; 2], p: [&[f64]; 2]) -> f64 {
    let (sq, sp): (Row, Row) = (q[1].iter().map(|l| l.exp()).collect(), p[1].iter().map(|l| l.exp()).collect());
    let trace: f64 = sq.iter().zip(&sp).map(|(q, p)| q / p).sum();
    let distance: f64 = q[0].iter().zip(p[0]).zip(&sp).map(|((q, p), s)| (p - q) * (p - q) / s).sum();
    let log_det = |s: &[f64]| s.iter().product::<f64>().ln();
    0.5 * (trace + distance - sq.len() as f64 + log_det(&sp) - log_det(&sq))
}

/// (reconstruction averaged over draws, KL) of one image, as the encoder and as the likelihood sees it; `eps`: the noise of
/// each draw.
pub fn terms(
    net: &StateDict,
    network: &Network,
    objective: &Objective,
    [seen, x]: &[&[f64]; 2],
    label: Option<usize>,
    eps: &[f64],
) -> (f64, f64) {
    let y = network.classes().map(|classes| (0..classes).map(|k| f64::from(label == Some(k))).collect::<Row>());
    let y = y.as_deref();
    let h = encoded(net, network, seen, y);
    if let Some(activation) = network.autoencoder {
        let number = 2 * network.hidden.len() + usize::from(network.kind == Layers::Conv);
        let z = act(linear(net, &format!("encoder.{number}"), &h), activation);
        return (reconstruction(objective, &decoded(net, network, &z, y), x), 0.0);
    }
    let (mu, logvar) = (linear(net, "mu", &h), linear(net, "logvar", &h));
    let draw = |eps: &[f64]| {
        let z: Row = (0..mu.len()).map(|j| mu[j] + (0.5 * logvar[j]).exp() * eps[j]).collect();
        reconstruction(objective, &decoded(net, network, &z, y), x)
    };
    let draws = eps.len() / mu.len();
    let recon = eps.chunks(mu.len()).map(draw).sum::<f64>() / draws as f64;
    let prior = network.labels.as_ref().and_then(|labels| labels.prior.as_ref());
    let (mu_p, logvar_p) = match prior {
        Some(hidden) => {
            let h = stack(net, "prior", join(&[], y), hidden.len(), network.activation[0]);
            (linear(net, "prior_mu", &h), linear(net, "prior_logvar", &h))
        }
        None => (vec![0.0; mu.len()], vec![0.0; mu.len()]),
    };
    (recon, kl([&mu, &logvar], [&mu_p, &logvar_p]))
}
