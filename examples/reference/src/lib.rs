//! Variational autoencoders as plain arithmetic: f64, one image at a time, no dependencies, nothing fast. To read from top to
//! bottom, in the order of a forward pass: layers, encoder, draw, decoder, likelihood, KL, losses. The tests of the engine
//! compare its losses, and by finite differences its gradients, with these.
//!
//! ```text
//! x [D] ─► encoder ─► mu, logvar [Z] ─► z = mu + exp(logvar / 2) eps ─► decoder ─► logits [D]
//!                         │                                                           │
//!                         └─► KL(q(z|x) ‖ p(z))                       -log p(x|z) ◄───┘
//! ```
//!
//! Dimensions: D = H·W pixels, Z latent dimensions, L samples of z, K classes, C channels. Weights have the names and shapes
//! of a PyTorch state dict (docs/MODEL-FILE.md).

use std::collections::BTreeMap;

/// A vector.
pub type Vector = Vec<f64>;

/// A tensor in C order.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// As many values as the shape says.
    pub values: Vector,
}

/// Tensors by name, such as `encoder.0.weight`.
pub type StateDict = BTreeMap<String, Tensor>;

// ---- Layers

/// The function after a layer.
#[derive(Clone, Copy, Debug)]
pub enum Activation {
    /// v
    None,
    /// max(v, 0)
    Relu,
    /// v if positive, else slope · v
    LeakyRelu(f64),
    /// tanh(v)
    Tanh,
    /// ln(1 + exp(v))
    Softplus,
}

/// The activation of each element.
pub fn activate(x: Vector, activation: Activation) -> Vector {
    let f = |v: f64| match activation {
        Activation::None => v,
        Activation::Relu => v.max(0.0),
        Activation::LeakyRelu(slope) => v.max(0.0) + slope * v.min(0.0),
        Activation::Tanh => v.tanh(),
        Activation::Softplus => v.exp().ln_1p(),
    };
    x.into_iter().map(f).collect()
}

/// 1 / (1 + exp(-v))
pub fn sigmoid(v: f64) -> f64 {
    1.0 / (1.0 + (-v).exp())
}

/// `nn.Linear`: `y[out] = W[out, in] x[in] + b[out]`
pub fn linear(net: &StateDict, name: &str, x: &[f64]) -> Vector {
    let (w, b) = (&net[&format!("{name}.weight")], &net[&format!("{name}.bias")].values);
    assert_eq!(w.shape, [b.len(), x.len()], "{name}");
    let dot = |row: &[f64]| row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
    w.values.chunks(x.len()).zip(b).map(|(row, b)| b + dot(row)).collect()
}

/// An image, or channels of features: `[C, H, W]`.
#[derive(Clone, Debug)]
pub struct Image {
    /// By channel, row and column.
    pub values: Vector,
    /// `[C, H, W]`
    pub size: [usize; 3],
}

impl Image {
    /// Each channel filled with its bias.
    fn filled(bias: &[f64], [h, w]: [usize; 2]) -> Image {
        let values = bias.iter().flat_map(|b| vec![*b; h * w]).collect();
        Image { values, size: [bias.len(), h, w] }
    }
    fn index(&self, [c, y, x]: [usize; 3]) -> usize {
        (c * self.size[1] + y) * self.size[2] + x
    }
}

/// The side of a kernel, in pixels.
pub const KERNEL: usize = 5;
const STRIDE: usize = 2;
const PADDING: usize = 2;

/// A side behind a convolution: ⌈n / 2⌉.
pub fn halved(n: usize) -> usize {
    (n + 2 * PADDING - KERNEL) / STRIDE + 1
}

/// The geometry of a convolution between a small and a large image: calls f(kernel index, place in the small image, place
/// in the large one) for each pair of places that a kernel element connects. Outside the large image is zero padding.
fn each_tap(small: [usize; 2], large: [usize; 2], mut f: impl FnMut(usize, [usize; 2], [usize; 2])) {
    let places = |o: usize, k: usize, side: usize| (STRIDE * o + k).checked_sub(PADDING).filter(|i| *i < side);
    for (oy, ox) in (0..small[0]).flat_map(|y| (0..small[1]).map(move |x| (y, x))) {
        for (ky, kx) in (0..KERNEL).flat_map(|y| (0..KERNEL).map(move |x| (y, x))) {
            if let (Some(y), Some(x)) = (places(oy, ky, large[0]), places(ox, kx, large[1])) {
                f(ky * KERNEL + kx, [oy, ox], [y, x]);
            }
        }
    }
}

/// `nn.Conv2d(in, out, 5, stride=2, padding=2)`: `y[out, ⌈H/2⌉, ⌈W/2⌉]`, `x[in, H, W]`, `W[out, in, 5, 5]`, `b[out]`
pub fn conv(net: &StateDict, name: &str, x: &Image) -> Image {
    let (w, b) = (&net[&format!("{name}.weight")], &net[&format!("{name}.bias")].values);
    let ([channels, height, width], taps) = (x.size, KERNEL * KERNEL);
    assert_eq!(w.shape, [b.len(), channels, KERNEL, KERNEL], "{name}");
    let small = [halved(height), halved(width)];
    let mut y = Image::filled(b, small);
    for (o, i) in (0..b.len()).flat_map(|o| (0..channels).map(move |i| (o, i))) {
        each_tap(small, [height, width], |k, to, from| {
            let at = y.index([o, to[0], to[1]]);
            y.values[at] += w.values[(o * channels + i) * taps + k] * x.values[x.index([i, from[0], from[1]])];
        });
    }
    y
}

/// `nn.ConvTranspose2d(in, out, 5, stride=2, padding=2)` to a given size: the transpose of the map that `conv` is.
/// `y[out, H, W]`, `x[in, ⌈H/2⌉, ⌈W/2⌉]`, `W[in, out, 5, 5]`, `b[out]`
pub fn conv_transposed(net: &StateDict, name: &str, x: &Image, large: [usize; 2]) -> Image {
    let (w, b) = (&net[&format!("{name}.weight")], &net[&format!("{name}.bias")].values);
    let ([channels, height, width], taps) = (x.size, KERNEL * KERNEL);
    assert_eq!(w.shape, [channels, b.len(), KERNEL, KERNEL], "{name}");
    let mut y = Image::filled(b, large);
    for (i, o) in (0..channels).flat_map(|i| (0..b.len()).map(move |o| (i, o))) {
        each_tap([height, width], large, |k, from, to| {
            let at = y.index([o, to[0], to[1]]);
            y.values[at] += w.values[(i * b.len() + o) * taps + k] * x.values[x.index([i, from[0], from[1]])];
        });
    }
    y
}

// ---- The model

/// A model: its weights, and what they do not say.
#[derive(Clone, Debug)]
pub struct Model {
    /// The weights.
    pub net: StateDict,
    /// `[H, W]`
    pub image: [usize; 2],
    /// Whether the hidden layers are convolutions, or else linear.
    pub convolutional: bool,
    /// Number of hidden layers of the encoder, and of the decoder.
    pub hidden: usize,
    /// After each hidden layer, of the encoder and of the decoder.
    pub activation: [Activation; 2],
    /// In a plain autoencoder, the activation after its code.
    pub autoencoder: Option<Activation>,
    /// K, in a conditional model.
    pub classes: Option<usize>,
    /// Number of hidden layers of p(z given y), where the prior is learned.
    pub prior: Option<usize>,
    /// p(x given z)
    pub likelihood: Likelihood,
}

/// A normal distribution with diagonal covariance: mean and log variance of each dimension.
#[derive(Clone, Debug)]
pub struct Normal {
    /// `[Z]`
    pub mu: Vector,
    /// `[Z]`
    pub logvar: Vector,
}

impl Normal {
    /// N(0, I)
    pub fn standard(dimensions: usize) -> Normal {
        Normal { mu: vec![0.0; dimensions], logvar: vec![0.0; dimensions] }
    }
    /// The reparameterised draw (Kingma and Welling 2014, eq. 10): z = mu + exp(logvar / 2) eps, with eps from N(0, I)
    pub fn draw(&self, eps: &[f64]) -> Vector {
        (0..eps.len()).map(|j| self.mu[j] + (self.logvar[j] / 2.0).exp() * eps[j]).collect()
    }
}

impl Model {
    /// A label in one-hot form, `[K]`; empty in an unconditional model.
    pub fn one_hot(&self, label: usize) -> Vector {
        (0..self.classes.unwrap_or(0)).map(|k| f64::from(label == k)).collect()
    }

    /// Hidden linear layers `name.0`, `name.2`, …, each with its activation.
    fn stack(&self, name: &str, x: Vector, layers: usize, activation: Activation) -> Vector {
        let layer = |h: Vector, i: usize| activate(linear(&self.net, &format!("{name}.{}", 2 * i), &h), activation);
        (0..layers).fold(x, layer)
    }

    /// The encoder up to its last hidden layer. In a conditional model the label follows the pixels, or the features of the
    /// last convolution.
    fn features(&self, x: &[f64], y: &[f64]) -> Vector {
        let activation = self.activation[0];
        if !self.convolutional {
            return self.stack("encoder", [x, y].concat(), self.hidden, activation);
        }
        let mut h = Image { values: x.to_vec(), size: [1, self.image[0], self.image[1]] };
        for i in 0..self.hidden {
            h = conv(&self.net, &format!("encoder.{}", 2 * i), &h);
            h.values = activate(h.values, activation);
        }
        [&h.values, y].concat()
    }

    /// q(z given x), or q(z given x, y): x `[D]` as the encoder sees it, y `[K]` or empty
    pub fn encode(&self, x: &[f64], y: &[f64]) -> Normal {
        let h = self.features(x, y);
        Normal { mu: linear(&self.net, "mu", &h), logvar: linear(&self.net, "logvar", &h) }
    }

    /// The code `[Z]` of a plain autoencoder.
    pub fn code(&self, x: &[f64], y: &[f64], activation: Activation) -> Vector {
        let layer = 2 * self.hidden + usize::from(self.convolutional); // nn.Flatten counts
        activate(linear(&self.net, &format!("encoder.{layer}"), &self.features(x, y)), activation)
    }

    /// p(z), N(0, I); or p(z given y) where it is learned (Sohn et al. 2015)
    pub fn prior(&self, y: &[f64], dimensions: usize) -> Normal {
        let Some(hidden) = self.prior else { return Normal::standard(dimensions) };
        let h = self.stack("prior", y.to_vec(), hidden, self.activation[0]);
        Normal { mu: linear(&self.net, "prior_mu", &h), logvar: linear(&self.net, "prior_logvar", &h) }
    }

    /// z `[Z]` to the logits of the pixel means, `[D]`; with a learned variance `[2, D]`, all logits first.
    pub fn decode(&self, z: &[f64], y: &[f64]) -> Vector {
        let (activation, zy) = (self.activation[1], [z, y].concat());
        if !self.convolutional {
            let h = self.stack("decoder", zy, self.hidden, activation);
            return linear(&self.net, &format!("decoder.{}", 2 * self.hidden), &h);
        }
        // The sizes of the encoder's images, which the decoder goes through in reverse.
        let sizes: Vec<[usize; 2]> =
            std::iter::successors(Some(self.image), |s| Some(s.map(halved))).take(self.hidden + 1).collect();
        let [height, width] = sizes[self.hidden];
        let values = activate(linear(&self.net, "decoder.0", &zy), activation);
        let mut h = Image { size: [values.len() / (height * width), height, width], values };
        for i in 0..self.hidden {
            let name = format!("decoder.{}", 3 + 2 * i); // nn.Unflatten counts
            h = conv_transposed(&self.net, &name, &h, sizes[self.hidden - 1 - i]);
            if i + 1 < self.hidden {
                h.values = activate(h.values, activation);
            }
        }
        h.values
    }
}

// ---- The loss

/// p(x given z) of a pixel.
#[derive(Clone, Copy, Debug)]
pub enum Likelihood {
    /// x is 1 with probability m = sigmoid(logit)
    Bernoulli,
    /// N(x; m, sigma²)
    Gaussian {
        /// The standard deviation of every pixel.
        sigma: f64,
    },
    /// N(x; m, exp(s) + min_sigma²), where the decoder gives s for each pixel
    GaussianLearned {
        /// The least standard deviation.
        min_sigma: f64,
    },
}

/// -log N(x; mean, variance) = 1/2 (log(2 pi variance) + (x - mean)² / variance)
fn normal_nll(x: f64, mean: f64, variance: f64) -> f64 {
    0.5 * ((std::f64::consts::TAU * variance).ln() + (x - mean) * (x - mean) / variance)
}

/// -log p(x given z), summed over pixels: x `[D]` in [0, 1], logits as `decode` gives them
pub fn reconstruction(likelihood: Likelihood, logits: &[f64], x: &[f64]) -> f64 {
    let pixel = |d: usize| {
        let m = sigmoid(logits[d]);
        match likelihood {
            Likelihood::Bernoulli => -(x[d] * m.ln() + (1.0 - x[d]) * (1.0 - m).ln()),
            Likelihood::Gaussian { sigma } => normal_nll(x[d], m, sigma * sigma),
            Likelihood::GaussianLearned { min_sigma } => {
                normal_nll(x[d], m, logits[x.len() + d].exp() + min_sigma * min_sigma)
            }
        }
    };
    (0..x.len()).map(pixel).sum()
}

/// KL(q ‖ p) = 1/2 sum over dimensions of (var_q + (mu_q - mu_p)²) / var_p - 1 - log(var_q / var_p); with p = N(0, I) that is
/// 1/2 sum of mu² + var - 1 - logvar (Kingma and Welling 2014, appendix B)
pub fn kl(q: &Normal, p: &Normal) -> f64 {
    let dimension = |j: usize| {
        let (var_q, var_p, distance) = (q.logvar[j].exp(), p.logvar[j].exp(), q.mu[j] - p.mu[j]);
        (var_q + distance * distance) / var_p - 1.0 - (var_q / var_p).ln()
    };
    0.5 * (0..q.mu.len()).map(dimension).sum::<f64>()
}

/// The parts of the loss of one image, nats; the loss is recon + beta · kl, and at beta 1 the negative ELBO.
#[derive(Clone, Copy, Debug)]
pub struct Losses {
    /// -log p(x given z), averaged over draws of z
    pub recon: f64,
    /// KL(q(z given x) ‖ p(z)); 0 of a plain autoencoder
    pub kl: f64,
}

impl Model {
    /// The losses of an image x `[D]` in [0, 1], which the encoder sees as `encoder_input` `[D]`, say in [-1, 1]; `eps`: the
    /// noise of L draws, each `[Z]`.
    ///
    /// ```
    /// use vae_reference::{Activation, Likelihood, Model, Tensor};
    ///
    /// // Two pixels, one latent dimension, no hidden layer: mu = x0 + x1, logvar = 0, logits = [z, -z].
    /// let tensor = |shape: &[usize], values: &[f64]| Tensor { shape: shape.to_vec(), values: values.to_vec() };
    /// let net = [
    ///     ("mu.weight", tensor(&[1, 2], &[1.0, 1.0])),
    ///     ("mu.bias", tensor(&[1], &[0.0])),
    ///     ("logvar.weight", tensor(&[1, 2], &[0.0, 0.0])),
    ///     ("logvar.bias", tensor(&[1], &[0.0])),
    ///     ("decoder.0.weight", tensor(&[2, 1], &[1.0, -1.0])),
    ///     ("decoder.0.bias", tensor(&[2], &[0.0, 0.0])),
    /// ];
    /// let model = Model {
    ///     net: net.map(|(name, tensor)| (name.to_owned(), tensor)).into(),
    ///     image: [1, 2],
    ///     convolutional: false,
    ///     hidden: 0,
    ///     activation: [Activation::Relu; 2],
    ///     autoencoder: None,
    ///     classes: None,
    ///     prior: None,
    ///     likelihood: Likelihood::Bernoulli,
    /// };
    /// let x = [1.0, 0.0];
    /// let losses = model.losses(&x, &x, 0, &[vec![-1.0]]);
    /// // z = 1 - 1 = 0, so that both pixels are fair coins; and KL(N(1, 1) ‖ N(0, 1)) = 1/2.
    /// assert!((losses.recon - 2.0 * 2.0_f64.ln()).abs() < 1e-12);
    /// assert_eq!(losses.kl, 0.5);
    /// ```
    pub fn losses(&self, encoder_input: &[f64], x: &[f64], label: usize, eps: &[Vector]) -> Losses {
        let y = self.one_hot(label);
        let recon = |z: &[f64]| reconstruction(self.likelihood, &self.decode(z, &y), x);
        if let Some(activation) = self.autoencoder {
            return Losses { recon: recon(&self.code(encoder_input, &y, activation)), kl: 0.0 };
        }
        let q = self.encode(encoder_input, &y);
        let sum: f64 = eps.iter().map(|eps| recon(&q.draw(eps))).sum();
        Losses { recon: sum / eps.len() as f64, kl: kl(&q, &self.prior(&y, q.mu.len())) }
    }
}
