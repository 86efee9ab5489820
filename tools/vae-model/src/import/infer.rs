//! The network that weights of these shapes are for. N images, D pixels, Z latent dimensions, K classes.
//!
//! Shapes are believed here as far as they go together; whether each tensor has its shape is checked against the network.

use super::names::{Named, fused};
use common::model::{Bottleneck, Hidden, Network, Prior};
use common::network::output;
use common::plan::Activation;
use vae_cli::{Error, Result};
use vae_stream::images::ImageShape;

/// What shapes cannot tell.
pub struct Told {
    pub image: Option<ImageShape>,
    pub activation: [Activation; 2],
    /// What follows the code of an autoencoder.
    pub code: Option<Activation>,
}

/// The layers, and how many values the decoder puts out for each pixel.
pub fn network(named: &Named, told: &Told) -> Result<(Network, usize)> {
    let shapes = Shapes(named);
    let variational = ["mu.weight", "logvar.weight"].iter().any(|name| named.weights.contains_key(*name));
    let components = named.weights.contains_key("components");
    if told.code.is_some() && (variational || components) {
        let found = named.called(if components { "components" } else { "mu.weight" });
        return Err(Error::Usage(format!("--autoencoder: expected no {found} in the state dict of one; leave it out")));
    }
    let bottleneck = match variational {
        true => Bottleneck::Gaussian,
        false => Bottleneck::Point(told.code.unwrap_or(Activation::None)),
    };
    let blank = Network { activation: told.activation, bottleneck, ..Network::mlp([0, 0], &[], 0) };
    if components {
        return shapes.pca(blank, told);
    }
    let (network, values) = match shapes.dimensions("encoder.0.weight") {
        Some(4) => shapes.conv(blank, told),
        _ => shapes.mlp(blank, told),
    }?;
    let prior = match network.classes {
        Some(_) => shapes.prior()?,
        None => Prior::Standard,
    };
    Ok((Network { prior, ..network }, values))
}

struct Shapes<'a>(&'a Named);

impl Shapes<'_> {
    fn dimensions(&self, name: &str) -> Option<usize> {
        self.0.weights.get(name).map(|weight| weight.shape.len())
    }

    /// The shape of a weight, which must be there with so many dimensions.
    fn of<const D: usize>(&self, name: &str) -> Result<[usize; D]> {
        let Some(weight) = self.0.weights.get(name) else {
            return Err(self.0.missing(name, &format_args!("one of {D} dimensions")));
        };
        weight.shape[..].try_into().map_err(|_| {
            let (name, got) = (self.0.called(name), &weight.shape);
            Error::Data(format!("tensor {name}: expected {D} dimensions, got shape {got:?}"))
        })
    }

    /// The shapes of linear layers 0, 2, 4 .., and no others.
    fn stack(&self, name: &str) -> Result<Vec<[usize; 2]>> {
        let names = (0..).map(|i| format!("{name}.{}.weight", 2 * i));
        let shapes: Result<Vec<_>> =
            names.take_while(|name| self.0.weights.contains_key(name)).map(|name| self.of(&name)).collect();
        let shapes = shapes?;
        let known = |tensor: &str| (0..shapes.len()).any(|i| tensor.starts_with(&format!("{name}.{}.", 2 * i)));
        match self.0.weights.keys().find(|tensor| tensor.starts_with(&format!("{name}.")) && !known(tensor)) {
            None => Ok(shapes),
            Some(odd) => {
                let (next, odd) = (format!("{name}.{}.weight", 2 * shapes.len()), self.0.called(odd));
                let expected = format!("linear layers 0, 2, 4 .. with activations between them, got {odd}");
                Err(self.0.missing(&next, &expected))
            }
        }
    }

    fn prior(&self) -> Result<Prior> {
        if !self.0.weights.contains_key("prior_mu.weight") {
            return Ok(Prior::Standard);
        }
        Ok(Prior::Learned { hidden: self.stack("prior")?.into_iter().map(|[units, _]| units).collect() })
    }

    fn mlp(&self, blank: Network, told: &Told) -> Result<(Network, usize)> {
        let mut down = self.stack("encoder")?;
        if blank.bottleneck.is_distribution() {
            down.push(self.of("mu.weight")?);
        }
        // Of an autoencoder, the last is the code.
        let (Some(&[_, inp]), Some(&[latent, _])) = (down.first(), down.last()) else {
            return Err(self.0.missing("encoder.0.weight", &"one of shape [units, pixels]"));
        };
        let hidden: Vec<usize> = down[..down.len() - 1].iter().map(|[units, _]| *units).collect();
        let up = self.stack("decoder")?;
        let (Some(&[_, z]), Some(&[out, _])) = (up.first(), up.last()) else {
            return Err(self.0.missing("decoder.0.weight", &"one of shape [units, latent dimensions]"));
        };
        self.refuse_fused(&blank, down.len() - 1, latent, z)?;

        // K stands beside the pixels and beside z; the decoder puts out one or two values for each pixel.
        let fits = |values: usize| {
            let (classes, pixels) = (z.checked_sub(latent)?, out / values);
            (pixels * values == out && pixels.checked_add(classes)? == inp).then_some((classes, pixels, values))
        };
        let Some((classes, pixels, values)) = fits(1).or_else(|| fits(2)) else {
            let first = if hidden.is_empty() && blank.bottleneck.is_distribution() { "mu" } else { "encoder.0" };
            let called = |layer: &str| self.0.called(&format!("{layer}.weight"));
            let last = format!("decoder.{}", 2 * (up.len() - 1));
            return Err(Error::Data(format!(
                "{} takes {inp} values, {} makes {latent} latent dimensions, {} takes {z} and {} puts out {out}: expected D \
                 (and K), Z, Z (and K), and D or 2 D, of D pixels and K classes",
                called(first),
                called(&self.head(&blank, down.len() - 1)),
                called("decoder.0"),
                called(&last)
            )));
        };
        let image = match told.image {
            Some(image) if image.height.checked_mul(image.width) != Some(pixels) => {
                let ImageShape { height, width, .. } = image;
                return Err(Error::Data(format!(
                    "--image {height}x{width}: expected {pixels} pixels, as the weights have"
                )));
            }
            Some(image) => image,
            None => square(pixels)?,
        };
        Ok((Network { image, hidden: Hidden::Linear(hidden), latent, classes: conditional(classes), ..blank }, values))
    }

    fn conv(&self, blank: Network, told: &Told) -> Result<(Network, usize)> {
        let names = (0..).map(|i| format!("encoder.{}.weight", 2 * i));
        let names = names.take_while(|name| self.dimensions(name) == Some(4));
        let hidden = names.map(|name| self.of(&name).map(|[channels, ..]: [usize; 4]| channels));
        let hidden: Vec<usize> = hidden.collect::<Result<_>>()?;
        let channels = hidden.last().copied().unwrap_or_default();
        let network = Network { hidden: Hidden::halving(&hidden), ..blank };

        let head = format!("{}.weight", self.head(&network, network.hidden.len()));
        let ([latent, _], [flat, z]) = (self.of(&head)?, self.of("decoder.0.weight")?);
        self.refuse_fused(&network, network.hidden.len(), latent, z)?;
        let [_, values, _, _] = self.of(&format!("{}.weight", output(&network)))?;

        let image = match told.image {
            Some(image) => image,
            // Of the sides that become this one, halved and rounded up, the largest.
            None => {
                let side = square(flat / channels)?.height;
                let doubled =
                    u32::try_from(network.hidden.len()).ok().and_then(|n| side.checked_mul(1usize.checked_shl(n)?));
                let side = doubled.ok_or_else(|| Error::Data("too many convolutions: expected fewer".into()))?;
                ImageShape::grey(side, side)
            }
        };
        let classes = z.checked_sub(latent).ok_or_else(|| {
            let name = self.0.called("decoder.0.weight");
            Error::Data(format!("tensor {name} takes {z} values: expected at least the {latent} latent dimensions"))
        })?;
        Ok((Network { image, latent, classes: conditional(classes), ..network }, values.min(2)))
    }

    fn pca(&self, blank: Network, told: &Told) -> Result<(Network, usize)> {
        let [latent, pixels] = self.of("components")?;
        let image = told.image.map_or_else(|| square(pixels), Ok)?;
        let (bottleneck, activation) = (Bottleneck::Components, [Activation::Relu; 2]);
        Ok((Network { image, latent, bottleneck, activation, ..blank }, 1))
    }

    /// The layer that makes the code of this many hidden ones.
    fn head(&self, network: &Network, hidden: usize) -> String {
        match network.bottleneck {
            Bottleneck::Point(_) => format!("encoder.{}", 2 * hidden + network.hidden.is_conv() as usize),
            Bottleneck::Gaussian | Bottleneck::Components => "mu".into(),
        }
    }

    fn refuse_fused(&self, network: &Network, hidden: usize, latent: usize, z: usize) -> Result<()> {
        match network.bottleneck {
            Bottleneck::Point(_) if z.checked_mul(2) == Some(latent) => {
                let called = |layer: &str| self.0.called(layer);
                Err(fused(&called(&self.head(network, hidden)), latent, &called("decoder.0")))
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
