//! The graph of each network, forward only; training, evaluation, encoding and decoding are derived from it.

use crate::model::{Bottleneck, DataSpec, Hidden, Likelihood, Network, Objective, Prior, Sigma};
use crate::plan::{Activation, Activations, Axis, Op, PixelTransform, PixelType, Plan, Program, Table, reverse};

/// The target of the likelihood, x `[N, D]` in [0, 1]: bytes are divided by 255, and binarized if the data is.
pub fn target(p: &mut Plan, data: &DataSpec, from: Table) -> Activations {
    p.gather(from, transform(data, from, [0.0, 1.0]))
}

/// The input of the encoder, `[N, D]`: x, or the same gathered again where the input range is not [0, 1].
pub fn encoder_input(p: &mut Plan, data: &DataSpec, from: Table, x: Activations) -> Activations {
    match data.range {
        [0.0, 1.0] => x,
        range => p.gather(from, transform(data, from, range.map(|v| v as f32))),
    }
}

fn transform(data: &DataSpec, from: Table, range: [f32; 2]) -> PixelTransform {
    let white = if from.dtype == PixelType::U8 { 255.0 } else { 1.0 };
    PixelTransform { white, binarize: data.binarize, range }
}

/// The encoder: x `[N, D]` and, in a conditional model, y `[N, K]` to q `[N, 2Z]`, mu and then logvar, of a VAE, or z
/// `[N, Z]`.
pub fn encoder(p: &mut Plan, network: &Network, x: Activations, y: Option<Activations>) -> Activations {
    let act = network.activation[0];
    if network.bottleneck == Bottleneck::Components {
        return p.project(x, network.latent);
    }
    let (h, axis) = match &network.hidden {
        Hidden::Linear(units) => {
            let xy = concat_labels(p, x, y);
            (stack(p, "encoder", xy, units.iter(), act), Axis::PLAIN)
        }
        Hidden::Conv(layers) => {
            let image = network.image;
            let mut h = x.reshape(image.height * image.width, image.channels);
            for (i, (conv, layer)) in network.convs().into_iter().zip(layers).enumerate() {
                h = p.conv(&format!("encoder.{}", 2 * i), h, conv, layer.out, act);
            }
            let axis = Axis { positions: h.per_image, channels: h.width };
            (concat_labels(p, h.reshape(1, h.per_image * h.width), y), axis)
        }
    };
    match network.bottleneck {
        Bottleneck::Point(act) => p.heads(&[&bottleneck_name(network)], h, network.latent, act, [axis, Axis::PLAIN]),
        _ => p.heads(&["mu", "logvar"], h, network.latent, Activation::None, [axis, Axis::PLAIN]),
    }
}

/// The prior: y `[N, K]` to p(z given y) `[N, 2Z]`, mu and then logvar; none where it is N(0, I).
pub fn prior(p: &mut Plan, network: &Network, y: Option<Activations>) -> Option<Activations> {
    let Prior::Learned { hidden } = &network.prior else { return None };
    let h = stack(p, "prior", y?, hidden.iter(), network.activation[0]);
    Some(p.heads(&["prior_mu", "prior_logvar"], h, network.latent, Activation::None, [Axis::PLAIN; 2]))
}

/// The decoder: z `[N, L, Z]` and, in a conditional model, y `[N, K]` to the logits of the likelihood: one or two values for
/// each pixel, `[N, L, D]`, or `[N, L, D · 2]` with the two of a pixel side by side.
pub fn decoder(
    p: &mut Plan,
    network: &Network,
    objective: &Objective,
    z: Activations,
    y: Option<Activations>,
) -> Activations {
    let (act, values) = (network.activation[1], objective.likelihood.values_per_pixel());
    let (samples, width) = (z.per_image, network.values() * values);
    if network.bottleneck == Bottleneck::Components {
        return p.restore(z, width);
    }
    let zy = concat_labels(p, z, y);
    match &network.hidden {
        Hidden::Linear(units) => {
            let h = stack(p, "decoder", zy, units.iter().rev(), act);
            let axis = Axis { positions: network.values(), channels: values };
            p.heads(&[&output_name(network)], h, width, Activation::None, [Axis::PLAIN, axis])
        }
        Hidden::Conv(_) => {
            let (mut convs, flat) = (network.convs(), network.flat());
            convs[0].channels *= values; // the last transposed convolution outputs all values of a pixel
            let axis = convs.last().map(|c| Axis { positions: c.output_area(), channels: flat / c.output_area() });
            let axes = [Axis::PLAIN, axis.unwrap_or(Axis::PLAIN)];
            let mut h = p.heads(&["decoder.0"], zy, flat, act, axes);
            for (i, conv) in convs.into_iter().enumerate().rev() {
                let act = if i == 0 { Activation::None } else { act };
                let rows = samples * conv.output_area();
                let h_rows = h.reshape(rows, h.per_image * h.width / rows);
                h = p.conv_transposed(&conv_transposed_name(network, i), h_rows, conv, act);
            }
            h.reshape(samples, width)
        }
    }
}

// Names of layers, numbered as in `nn.Sequential`, where activations and reshaping count.

/// The layer that outputs the code of an autoencoder.
pub fn bottleneck_name(network: &Network) -> String {
    format!("encoder.{}", 2 * network.hidden.len() + network.hidden.is_conv() as usize)
}

/// The transposed convolution that mirrors the encoder's i-th.
pub fn conv_transposed_name(network: &Network, i: usize) -> String {
    format!("decoder.{}", 1 + 2 * (network.hidden.len() - i))
}

/// The decoder's last layer.
pub fn output_name(network: &Network) -> String {
    match network.hidden {
        Hidden::Conv(_) => conv_transposed_name(network, 0),
        Hidden::Linear(_) => format!("decoder.{}", 2 * network.hidden.len()),
    }
}

/// The means of pixels, `[N, L, D]`: sigmoid(logits), or the output itself of principal components.
pub fn means(p: &mut Plan, network: &Network, logits: Activations) -> Activations {
    match network.bottleneck {
        Bottleneck::Components => logits,
        _ => p.sigmoid(logits, network.values()),
    }
}

/// -log p(x given z), `[N, L, 1]`, from the logits.
pub fn reconstruction(p: &mut Plan, objective: &Objective, logits: Activations, x: Activations) -> Activations {
    let (target, min_sigma) = (x, Likelihood::MIN_SIGMA);
    p.likelihood(logits, |loss| match objective.likelihood {
        Likelihood::Bernoulli => Op::Bernoulli { loss, logits, target },
        Likelihood::Gaussian { sigma: Sigma::Fixed(sigma) } => {
            Op::Gaussian { loss, logits, target, sigma: sigma as f32 }
        }
        Likelihood::Gaussian { .. } => Op::GaussianLearned { loss, logits, target, min_sigma },
    })
}

/// a with the one-hot labels concatenated, in a conditional model.
fn concat_labels(p: &mut Plan, a: Activations, y: Option<Activations>) -> Activations {
    y.map_or(a, |y| p.concat(a, y))
}

/// Layers numbered as in `nn.Sequential`, where an activation counts.
fn stack<'a>(
    p: &mut Plan,
    name: &str,
    x: Activations,
    widths: impl Iterator<Item = &'a usize>,
    act: Activation,
) -> Activations {
    widths.enumerate().fold(x, |x, (i, width)| p.linear(&format!("{name}.{}", 2 * i), x, *width, act))
}

/// The start of every graph over images: the target x `[N, D]`, the one-hot labels y `[N, K]` of a conditional model, and the
/// encoder's output q, `[N, 2Z]` of a VAE or z `[N, Z]`.
#[derive(Clone, Copy, Debug)]
pub struct Encoded {
    /// `[N, D]`.
    pub x: Activations,
    /// `[N, K]`.
    pub y: Option<Activations>,
    /// `[N, 2Z]` or `[N, Z]`.
    pub q: Activations,
}

/// Encodes the images of a table `[items, D]`, with labels `[items, 1]` in a conditional model.
pub fn encoded(p: &mut Plan, network: &Network, data: &DataSpec, images: Table, labels: Option<Table>) -> Encoded {
    let x = target(p, data, images);
    let y = one_hot(p, network, labels);
    let input = encoder_input(p, data, images, x);
    Encoded { x, y, q: encoder(p, network, input, y) }
}

/// The one-hot labels `[N, K]` of a conditional model.
pub fn one_hot(p: &mut Plan, network: &Network, labels: Option<Table>) -> Option<Activations> {
    labels.zip(network.classes).map(|(labels, classes)| p.one_hot(labels, classes))
}

/// The objective over a set of images.
#[derive(Clone, Debug)]
pub struct LossGraph {
    /// The images, `[items, D]`.
    pub images: Table,
    /// Their labels, `[items, 1]`, in a conditional model.
    pub labels: Option<Table>,
    /// The per-image terms of the objective by position in the epoch, `[items, terms]`, nats, in the order of
    /// [`Objective::terms`].
    pub losses: Table,
    /// The noise of the reparameterised draws, `[N, L, Z]`, in a VAE.
    pub eps: Option<Activations>,
    ops: Vec<Op>,
}

impl LossGraph {
    /// A step of training: losses, gradients, updates.
    pub fn training(&self, plan: &mut Plan) -> Program {
        reverse::training(plan, &self.ops)
    }
    /// The forward operations alone.
    pub fn evaluation(&self) -> Program {
        Program::forward(self.ops.clone())
    }
}

/// Writes a model and its objective over `items` images of this type into a plan. A second call, for test images, reuses the
/// parameters by name.
pub fn loss_graph(
    p: &mut Plan,
    network: &Network,
    objective: &Objective,
    data: &DataSpec,
    items: usize,
    dtype: PixelType,
) -> LossGraph {
    let images = p.table(items, network.values(), dtype);
    let labels = network.classes.map(|_| p.table(items, 1, PixelType::U8));
    let Encoded { x, y, q } = encoded(p, network, data, images, labels);
    let (z, eps) = match network.bottleneck {
        Bottleneck::Gaussian => {
            let (z, eps) = p.sample(q, objective.samples);
            (z, Some(eps))
        }
        Bottleneck::Point(_) | Bottleneck::Components => (q, None),
    };
    let logits = decoder(p, network, objective, z, y);
    let recon = reconstruction(p, objective, logits, x);
    let kl = network.bottleneck.is_distribution().then(|| {
        let prior = prior(p, network, y);
        p.kl(q, prior)
    });
    let losses = p.weighted_sum(items, objective.terms(), &[Some(recon), kl]);
    LossGraph { images, labels, losses, eps, ops: p.take() }
}
