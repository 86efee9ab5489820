//! Each network, written once, forwards. What trains, evaluates, encodes and decodes follows from it.

use crate::model::{Activation, Binarize, DataSpec, Layers, Likelihood, Network, Objective, Sigma};
use crate::plan::{Act, Axis, Cell, Ink, Op, Plan, Program, Reading, Rows, Table, reverse};

/// The images of the batch as the likelihood judges them, x `[N, D]` in [0, 1]: bytes are divided by 255.
pub fn images(p: &mut Plan, data: &DataSpec, from: Table) -> Rows {
    p.gather(from, reading(data, from, [0.0, 1.0]))
}

/// The same as the encoder sees them, from black to white in the range of the data.
pub fn seen(p: &mut Plan, data: &DataSpec, from: Table, x: Rows) -> Rows {
    match data.range {
        [0.0, 1.0] => x,
        range => p.gather(from, reading(data, from, range.map(|v| v as f32))),
    }
}

fn reading(data: &DataSpec, from: Table, range: [f32; 2]) -> Reading {
    let unit = if from.cell == Cell::Byte { 255.0 } else { 1.0 };
    let ink = match data.binarize {
        Binarize::None => Ink::Grey,
        Binarize::Threshold => Ink::Threshold,
        Binarize::Static => Ink::Drawn { anew: false },
        Binarize::Dynamic => Ink::Drawn { anew: true },
    };
    Reading { unit, ink, range }
}

/// x `[N, D]` and, in a conditional model, y `[N, K]` to the code: q `[N, 2Z]`, mu and then logvar, of a VAE, or z `[N, Z]`.
pub fn encoder(p: &mut Plan, network: &Network, x: Rows, y: Option<Rows>) -> Rows {
    let act = of(network.activation[0]);
    let (h, axis) = match network.kind {
        Layers::Pca => return p.project(x, network.latent),
        Layers::Mlp => {
            let xy = beside(p, x, y);
            (stack(p, "encoder", xy, network.hidden.iter(), act), Axis::PLAIN)
        }
        Layers::Conv => {
            let mut h = x.cut(network.pixels(), 1);
            let layers = network.windows().into_iter().zip(&network.hidden).enumerate();
            for (i, (window, channels)) in layers {
                h = p.conv(&format!("encoder.{}", 2 * i), h, window, *channels, act);
            }
            let axis = Axis { positions: h.per, channels: h.width };
            (beside(p, h.cut(1, h.per * h.width), y), axis)
        }
    };
    match network.autoencoder {
        None => p.heads(&["mu", "logvar"], h, network.latent, Act::Id, [axis, Axis::PLAIN]),
        Some(act) => p.heads(&[&code(network)], h, network.latent, of(act), [axis, Axis::PLAIN]),
    }
}

/// y `[N, K]` to the prior p(z given y) `[N, 2Z]`, mu and then logvar; none where the prior is N(0, I).
pub fn prior(p: &mut Plan, network: &Network, y: Option<Rows>) -> Option<Rows> {
    let hidden = network.learned_prior()?;
    let h = stack(p, "prior", y?, hidden.iter(), of(network.activation[0]));
    Some(p.heads(&["prior_mu", "prior_logvar"], h, network.latent, Act::Id, [Axis::PLAIN; 2]))
}

/// z `[N, L, Z]` and, in a conditional model, y `[N, K]` to what the likelihood needs: one or two values for each pixel,
/// `[N, L, D]`, or `[N, L, D · 2]` with the two of a pixel side by side.
pub fn decoder(p: &mut Plan, network: &Network, objective: &Objective, z: Rows, y: Option<Rows>) -> Rows {
    let (act, values) = (of(network.activation[1]), objective.likelihood.values_per_pixel());
    let (samples, width) = (z.per, network.pixels() * values);
    match network.kind {
        Layers::Pca => p.restore(z, width),
        Layers::Mlp => {
            let zy = beside(p, z, y);
            let h = stack(p, "decoder", zy, network.hidden.iter().rev(), act);
            let axis = Axis { positions: network.pixels(), channels: values };
            p.heads(&[&output(network)], h, width, Act::Id, [Axis::PLAIN, axis])
        }
        Layers::Conv => {
            let zy = beside(p, z, y);
            let (mut windows, flat) = (network.windows(), network.flat());
            windows[0].channels = values;
            let axis = windows.last().map(|w| Axis { positions: w.positions(), channels: flat / w.positions() });
            let axes = [Axis::PLAIN, axis.unwrap_or(Axis::PLAIN)];
            let mut h = p.heads(&["decoder.0"], zy, flat, act, axes);
            for (i, window) in windows.into_iter().enumerate().rev() {
                let act = if i == 0 { Act::Id } else { act };
                let (per, width) = (samples * window.positions(), h.per * h.width / (samples * window.positions()));
                h = p.conv_transposed(&transposed(network, i), h.cut(per, width), window, act);
            }
            h.cut(samples, width)
        }
    }
}

// Names of layers, numbered as in `nn.Sequential`, where activations and reshaping count.

/// The layer that makes the code of an autoencoder.
pub fn code(network: &Network) -> String {
    format!("encoder.{}", 2 * network.hidden.len() + (network.kind == Layers::Conv) as usize)
}

/// The transposed convolution that undoes the encoder's i-th.
pub fn transposed(network: &Network, i: usize) -> String {
    format!("decoder.{}", 1 + 2 * (network.hidden.len() - i))
}

/// The decoder's last layer.
pub fn output(network: &Network) -> String {
    match network.kind {
        Layers::Conv => transposed(network, 0),
        _ => format!("decoder.{}", 2 * network.hidden.len()),
    }
}

/// What the decoder puts out to the means of pixels, `[N, L, D]`.
pub fn means(p: &mut Plan, network: &Network, v: Rows) -> Rows {
    match network.kind {
        Layers::Pca => v,
        _ => p.sigmoid(v, network.pixels()),
    }
}

/// -log p(x given z), `[N, L, 1]`, from what the decoder puts out.
pub fn reconstruction(p: &mut Plan, objective: &Objective, v: Rows, x: Rows) -> Rows {
    match objective.likelihood {
        Likelihood::Bernoulli => p.bernoulli(v, x),
        Likelihood::Gaussian { sigma: Sigma::Fixed(sigma) } => p.gaussian(v, x, sigma as f32),
        Likelihood::Gaussian { .. } => p.gaussian_learned(v, x, Likelihood::LEAST_SIGMA),
    }
}

/// a with the labels beside it, if there are some.
fn beside(p: &mut Plan, a: Rows, y: Option<Rows>) -> Rows {
    y.map_or(a, |y| p.concat(a, y))
}

/// Layers numbered as in `nn.Sequential`, where an activation counts.
fn stack<'a>(p: &mut Plan, name: &str, x: Rows, widths: impl Iterator<Item = &'a usize>, act: Act) -> Rows {
    widths.enumerate().fold(x, |x, (i, width)| p.linear(&format!("{name}.{}", 2 * i), x, *width, act))
}

fn of(activation: Activation) -> Act {
    match activation {
        Activation::None => Act::Id,
        Activation::Relu => Act::Relu,
        Activation::LeakyRelu(slope) => Act::LeakyRelu(slope),
        Activation::Tanh => Act::Tanh,
        Activation::Softplus => Act::Softplus,
    }
}

/// A set of images and the objective over them.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The data, `[items, D]`.
    pub images: Table,
    /// Their labels, `[items, 1]`, in a conditional model.
    pub labels: Option<Table>,
    /// By position in the epoch, `[items, 2]`: reconstruction and KL, nats.
    pub terms: Table,
    /// The noise that was drawn, `[N, L, Z]`, in a VAE.
    pub eps: Option<Rows>,
    ops: Vec<Op>,
}

impl Judged {
    /// A step of training: loss, gradients, optimizer.
    pub fn training(&self, plan: &mut Plan) -> Program {
        reverse::training(plan, &self.ops)
    }
    /// The loss alone, by sampling.
    pub fn evaluation(&self) -> Program {
        Program::new(self.ops.clone(), vec![])
    }
}

/// Writes a model and its objective over so many images, held as bytes or floats, into a plan. Written twice, for
/// training and for test images, it has one set of parameters.
pub fn judged(
    p: &mut Plan,
    network: &Network,
    objective: &Objective,
    data: &DataSpec,
    items: usize,
    cell: Cell,
) -> Judged {
    let images = p.table(items, network.pixels(), cell);
    let labels = network.classes().map(|_| p.table(items, 1, Cell::Byte));
    let x = self::images(p, data, images);
    let y = labels.zip(network.classes()).map(|(labels, classes)| p.one_hot(labels, classes));
    let seen = self::seen(p, data, images, x);
    let code = encoder(p, network, seen, y);
    let (z, eps) = match network.is_variational() {
        true => {
            let (z, eps) = p.sample(code, objective.samples);
            (z, Some(eps))
        }
        false => (code, None),
    };
    let v = decoder(p, network, objective, z, y);
    let recon = reconstruction(p, objective, v, x);
    let kl = network.is_variational().then(|| {
        let prior = prior(p, network, y);
        p.kl(code, prior)
    });
    let terms = p.elbo(items, recon, kl);
    Judged { images, labels, terms, eps, ops: p.take() }
}
