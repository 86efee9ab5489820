//! Infers the architecture of a network from the shapes of its weights: D pixels, Z latent dimensions, K classes.
//!
//! Only shapes that decide something are read here; every tensor is checked against the plan of the network afterwards.

use super::rename::{RenamedDict, fused_head};
use common::model::{Bottleneck, Hidden, Network, Prior};
use common::network::output_name;
use common::plan::Activation;
use vae_cli::{Error, Result};
use vae_stream::images::ImageShape;

/// Options for what shapes do not determine.
pub struct Hints {
    pub image: Option<ImageShape>,
    pub activation: [Activation; 2],
    /// Activation of the latent layer of a plain autoencoder.
    pub latent_activation: Option<Activation>,
}

/// The network, and the number of decoder outputs per pixel.
pub fn infer(dict: &RenamedDict, hints: &Hints) -> Result<(Network, usize)> {
    let shapes = Shapes(dict);
    let variational = ["mu.weight", "logvar.weight"].iter().any(|name| dict.weights.contains_key(*name));
    let components = dict.weights.contains_key("components");
    if hints.latent_activation.is_some() && (variational || components) {
        let found = dict.original_name(if components { "components" } else { "mu.weight" });
        return Err(Error::Usage(format!("--autoencoder: expected no {found} in the state dict of one; leave it out")));
    }
    let bottleneck = match variational {
        true => Bottleneck::Gaussian,
        false => Bottleneck::Point(hints.latent_activation.unwrap_or(Activation::None)),
    };
    let base = Network { activation: hints.activation, bottleneck, ..Network::mlp([0, 0], &[], 0) };
    if components {
        return shapes.pca(base, hints);
    }
    let (network, values) = match shapes.rank("encoder.0.weight") {
        Some(4) => shapes.conv(base, hints),
        _ => shapes.mlp(base, hints),
    }?;
    let prior = match network.classes {
        Some(_) => shapes.prior()?,
        None => Prior::Standard,
    };
    Ok((Network { prior, ..network }, values))
}

struct Shapes<'a>(&'a RenamedDict);

impl Shapes<'_> {
    fn rank(&self, name: &str) -> Option<usize> {
        self.0.weights.get(name).map(|weight| weight.shape.len())
    }

    /// The shape of a tensor, which must exist with D dimensions.
    fn shape<const D: usize>(&self, name: &str) -> Result<[usize; D]> {
        let Some(weight) = self.0.weights.get(name) else {
            return Err(self.0.missing(name, &format_args!("one of {D} dimensions")));
        };
        weight.shape[..].try_into().map_err(|_| {
            let (name, got) = (self.0.original_name(name), &weight.shape);
            Error::Data(format!("tensor {name}: expected {D} dimensions, got shape {got:?}"))
        })
    }

    /// The shapes `[out, in]` of a stack of linear layers, numbered 0, 2, 4 .. with activations between them.
    fn linear_stack(&self, name: &str) -> Result<Vec<[usize; 2]>> {
        let names = (0..).map(|i| format!("{name}.{}.weight", 2 * i));
        let shapes: Result<Vec<_>> =
            names.take_while(|name| self.0.weights.contains_key(name)).map(|name| self.shape(&name)).collect();
        let shapes = shapes?;
        let known = |tensor: &str| (0..shapes.len()).any(|i| tensor.starts_with(&format!("{name}.{}.", 2 * i)));
        match self.0.weights.keys().find(|tensor| tensor.starts_with(&format!("{name}.")) && !known(tensor)) {
            None => Ok(shapes),
            Some(odd) => {
                let (next, odd) = (format!("{name}.{}.weight", 2 * shapes.len()), self.0.original_name(odd));
                let expected = format!("linear layers 0, 2, 4 .. with activations between them, got {odd}");
                Err(self.0.missing(&next, &expected))
            }
        }
    }

    fn prior(&self) -> Result<Prior> {
        if !self.0.weights.contains_key("prior_mu.weight") {
            return Ok(Prior::Standard);
        }
        Ok(Prior::Learned { hidden: self.linear_stack("prior")?.into_iter().map(|[units, _]| units).collect() })
    }

    fn mlp(&self, base: Network, hints: &Hints) -> Result<(Network, usize)> {
        let mut encoder = self.linear_stack("encoder")?;
        if base.bottleneck.is_distribution() {
            encoder.push(self.shape("mu.weight")?);
        }
        // The last is the latent layer: mu, or the last layer of an autoencoder's encoder.
        let (Some(&[_, inputs]), Some(&[latent, _])) = (encoder.first(), encoder.last()) else {
            return Err(self.0.missing("encoder.0.weight", &"one of shape [units, pixels]"));
        };
        let hidden: Vec<usize> = encoder[..encoder.len() - 1].iter().map(|[units, _]| *units).collect();
        let decoder = self.linear_stack("decoder")?;
        let (Some(&[_, z]), Some(&[outputs, _])) = (decoder.first(), decoder.last()) else {
            return Err(self.0.missing("decoder.0.weight", &"one of shape [units, latent dimensions]"));
        };
        self.refuse_fused(&base, encoder.len() - 1, latent, z)?;

        // inputs = D + K, z = Z + K, outputs = D or 2 D.
        let fits = |values: usize| {
            let (classes, pixels) = (z.checked_sub(latent)?, outputs / values);
            (pixels * values == outputs && pixels.checked_add(classes)? == inputs).then_some((classes, pixels, values))
        };
        let Some((classes, pixels, values)) = fits(1).or_else(|| fits(2)) else {
            let first = if hidden.is_empty() && base.bottleneck.is_distribution() { "mu" } else { "encoder.0" };
            let name = |layer: &str| self.0.original_name(&format!("{layer}.weight"));
            let last = format!("decoder.{}", 2 * (decoder.len() - 1));
            return Err(Error::Data(format!(
                "{} has {inputs} inputs, {} has {latent} outputs, {} has {z} inputs and {} has {outputs} outputs: expected \
                 D + K, Z, Z + K and D or 2 D, of D pixels, Z latent dimensions and K classes (0 if not conditional)",
                name(first),
                name(&self.latent_layer(&base, encoder.len() - 1)),
                name("decoder.0"),
                name(&last)
            )));
        };
        let image = match hints.image {
            Some(image) if image.height.checked_mul(image.width) != Some(pixels) => {
                let ImageShape { height, width, .. } = image;
                return Err(Error::Data(format!(
                    "--image {height}x{width}: expected {pixels} pixels, as the weights have"
                )));
            }
            Some(image) => image,
            None => square(pixels)?,
        };
        Ok((Network { image, hidden: Hidden::Linear(hidden), latent, classes: conditional(classes), ..base }, values))
    }

    fn conv(&self, base: Network, hints: &Hints) -> Result<(Network, usize)> {
        let names = (0..).map(|i| format!("encoder.{}.weight", 2 * i));
        let names = names.take_while(|name| self.rank(name) == Some(4));
        let hidden = names.map(|name| self.shape(&name).map(|[channels, ..]: [usize; 4]| channels));
        let hidden: Vec<usize> = hidden.collect::<Result<_>>()?;
        let channels = hidden.last().copied().unwrap_or_default();
        let network = Network { hidden: Hidden::halving(&hidden), ..base };

        let latent_layer = format!("{}.weight", self.latent_layer(&network, network.hidden.len()));
        let ([latent, _], [flat, z]) = (self.shape(&latent_layer)?, self.shape("decoder.0.weight")?);
        self.refuse_fused(&network, network.hidden.len(), latent, z)?;
        let [_, values, _, _] = self.shape(&format!("{}.weight", output_name(&network)))?;

        let image = match hints.image {
            Some(image) => image,
            // The largest image whose sides, halved and rounded up by each convolution, become this one's.
            None => {
                let side = square(flat / channels)?.height;
                let doubled =
                    u32::try_from(network.hidden.len()).ok().and_then(|n| side.checked_mul(1usize.checked_shl(n)?));
                let side = doubled.ok_or_else(|| Error::Data("too many convolutions: expected fewer".into()))?;
                ImageShape::grey(side, side)
            }
        };
        let classes = z.checked_sub(latent).ok_or_else(|| {
            let name = self.0.original_name("decoder.0.weight");
            Error::Data(format!("tensor {name} has {z} inputs: expected at least the {latent} latent dimensions"))
        })?;
        Ok((Network { image, latent, classes: conditional(classes), ..network }, values.min(2)))
    }

    fn pca(&self, base: Network, hints: &Hints) -> Result<(Network, usize)> {
        let [latent, pixels] = self.shape("components")?;
        let image = hints.image.map_or_else(|| square(pixels), Ok)?;
        let (bottleneck, activation) = (Bottleneck::Components, [Activation::Relu; 2]);
        Ok((Network { image, latent, bottleneck, activation, ..base }, 1))
    }

    /// The name of the latent layer after so many hidden ones.
    fn latent_layer(&self, network: &Network, hidden: usize) -> String {
        match network.bottleneck {
            Bottleneck::Point(_) => format!("encoder.{}", 2 * hidden + network.hidden.is_conv() as usize),
            Bottleneck::Gaussian | Bottleneck::Components => "mu".into(),
        }
    }

    /// Refuses an autoencoder whose latent layer is a VAE's fused head for mu and sigma.
    fn refuse_fused(&self, network: &Network, hidden: usize, latent: usize, z: usize) -> Result<()> {
        match network.bottleneck {
            Bottleneck::Point(_) if z.checked_mul(2) == Some(latent) => {
                let name = |layer: &str| self.0.original_layer(layer);
                Err(fused_head(&name(&self.latent_layer(network, hidden)), latent, &name("decoder.0")))
            }
            _ => Ok(()),
        }
    }
}

fn conditional(classes: usize) -> Option<usize> {
    (classes > 0).then_some(classes)
}

fn square(pixels: usize) -> Result<ImageShape> {
    let side = pixels.isqrt();
    match side * side == pixels {
        true => Ok(ImageShape::grey(side, side)),
        false => Err(Error::Data(format!("{pixels} pixels are no square: expected --image HxW"))),
    }
}
