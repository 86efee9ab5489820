//! The architecture of a network. N images, D = H·W·C values, Z latent dimensions, K classes.

use crate::plan::{Activation, ConvGeometry};
use serde::{Deserialize, Serialize};
use vae_stream::images::ImageShape;

/// The layers of encoder and decoder; the decoder mirrors the encoder. Model files and records have it as `NetworkJson`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(try_from = "NetworkJson", into = "NetworkJson")]
pub struct Network {
    /// The images.
    pub image: ImageShape,
    /// The hidden layers of the encoder, from the image inwards.
    pub hidden: Hidden,
    /// Z.
    pub latent: usize,
    /// The activation of the hidden layers, of the encoder and of the decoder.
    pub activation: [Activation; 2],
    /// The code between encoder and decoder.
    pub bottleneck: Bottleneck,
    /// K, of a conditional VAE (Sohn et al. 2015): a label from 0 to K - 1, one-hot, is concatenated to the inputs of encoder
    /// and decoder.
    pub classes: Option<usize>,
    /// The distribution of the code.
    pub prior: Prior,
}

/// Hidden layers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hidden {
    /// Linear layers, with the units of each.
    Linear(Vec<usize>),
    /// Convolutions, and transposed convolutions in the decoder.
    Conv(Vec<Conv>),
}

/// A convolution with a square kernel, in PyTorch's terms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conv {
    /// Output channels.
    pub out: usize,
    /// Kernel size.
    pub kernel: usize,
    /// Stride.
    pub stride: usize,
    /// Zero padding on each side.
    pub padding: usize,
}

/// The code between encoder and decoder.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Bottleneck {
    /// A Gaussian q(z given x) with heads for mu and logvar: a VAE.
    Gaussian,
    /// A point, after this activation: a plain autoencoder.
    Point(Activation),
    /// Principal components (Pearson 1901), a point without hidden layers, which is fitted and not trained.
    Components,
}

impl Bottleneck {
    /// Whether z is drawn, so that there is a prior and a KL.
    pub fn is_distribution(self) -> bool {
        self == Bottleneck::Gaussian
    }
}

/// p(z), or p(z given y).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Prior {
    /// N(0, I).
    Standard,
    /// p(z given y) by a network with these hidden units: of a conditional model.
    Learned {
        /// Units of each hidden layer.
        hidden: Vec<usize>,
    },
}

impl Hidden {
    /// Convolutions with these output channels, kernel 5, stride 2 and padding 2: each halves the sides and rounds up.
    pub fn halving(channels: &[usize]) -> Hidden {
        Hidden::Conv(channels.iter().map(|out| Conv { out: *out, kernel: 5, stride: 2, padding: 2 }).collect())
    }
    /// The outputs of each layer: units, or channels.
    pub fn widths(&self) -> Vec<usize> {
        match self {
            Hidden::Linear(units) => units.clone(),
            Hidden::Conv(convs) => convs.iter().map(|conv| conv.out).collect(),
        }
    }
    /// The number of layers.
    pub fn len(&self) -> usize {
        match self {
            Hidden::Linear(units) => units.len(),
            Hidden::Conv(convs) => convs.len(),
        }
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Whether the layers are convolutions.
    pub fn is_conv(&self) -> bool {
        matches!(self, Hidden::Conv(_))
    }
}

impl Network {
    /// A VAE of linear layers with relu between them.
    pub fn mlp(image: impl Into<ImageShape>, hidden: &[usize], latent: usize) -> Network {
        Network {
            image: image.into(),
            hidden: Hidden::Linear(hidden.to_vec()),
            latent,
            activation: [Activation::Relu; 2],
            bottleneck: Bottleneck::Gaussian,
            classes: None,
            prior: Prior::Standard,
        }
    }
    /// D.
    pub fn values(&self) -> usize {
        self.image.values()
    }
    /// The geometry of the encoder's convolutions, from the image inwards; in reverse, of the decoder's transposed ones.
    pub fn convs(&self) -> Vec<ConvGeometry> {
        let Hidden::Conv(convs) = &self.hidden else { return vec![] };
        let (mut input, mut channels) = ([self.image.height, self.image.width], self.image.channels);
        let mut geometry = |conv: &Conv| {
            let geometry = ConvGeometry::new(input, channels, conv.kernel, conv.stride, conv.padding);
            (input, channels) = (geometry.output, conv.out);
            geometry
        };
        convs.iter().map(&mut geometry).collect()
    }
    /// Activations of an image after the last convolution, flattened.
    pub fn flat(&self) -> usize {
        self.convs().last().map_or(0, ConvGeometry::output_area) * self.hidden.widths().last().copied().unwrap_or(0)
    }
    /// The activations, for people.
    pub fn activations(&self) -> String {
        match self.activation {
            [one, other] if one == other => one.to_string(),
            [encoder, decoder] => format!("{encoder} in the encoder, {decoder} in the decoder"),
        }
    }
}

/// A network as model files and records have it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkJson {
    kind: Kind,
    image: ImageShape,
    /// Units, or channels of convolutions of kernel 5, stride 2 and padding 2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hidden: Vec<usize>,
    latent: usize,
    /// Of the encoder and of the decoder; absent: relu.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activation: Option<[Activation; 2]>,
    /// The activation of the code of a plain autoencoder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    autoencoder: Option<Activation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    labels: Option<LabelsJson>,
}

/// The hidden layers, in a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Mlp,
    Conv,
    Pca,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelsJson {
    classes: usize,
    /// Hidden units of a learned prior; absent: N(0, I).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prior: Option<Vec<usize>>,
}

impl TryFrom<NetworkJson> for Network {
    type Error = String;

    fn try_from(json: NetworkJson) -> Result<Network, String> {
        let bottleneck = match (json.kind, json.autoencoder) {
            (Kind::Pca, None) => Bottleneck::Components,
            (Kind::Pca, Some(_)) => {
                return Err("principal components have no activation: expected no autoencoder".into());
            }
            (_, None) => Bottleneck::Gaussian,
            (_, Some(activation)) => Bottleneck::Point(activation),
        };
        let hidden = match json.kind {
            Kind::Mlp | Kind::Pca => Hidden::Linear(json.hidden),
            Kind::Conv => Hidden::halving(&json.hidden),
        };
        let (classes, prior) = json.labels.map(|labels| (labels.classes, labels.prior)).unzip();
        Ok(Network {
            image: json.image,
            hidden,
            latent: json.latent,
            activation: json.activation.unwrap_or([Activation::Relu; 2]),
            bottleneck,
            classes,
            prior: prior.flatten().map_or(Prior::Standard, |hidden| Prior::Learned { hidden }),
        })
    }
}

impl From<Network> for NetworkJson {
    fn from(network: Network) -> NetworkJson {
        let kind = match (&network.hidden, network.bottleneck) {
            (_, Bottleneck::Components) => Kind::Pca,
            (Hidden::Conv(_), _) => Kind::Conv,
            (Hidden::Linear(_), _) => Kind::Mlp,
        };
        let prior = match network.prior {
            Prior::Standard => None,
            Prior::Learned { hidden } => Some(hidden),
        };
        NetworkJson {
            kind,
            image: network.image,
            hidden: network.hidden.widths(),
            latent: network.latent,
            activation: Some(network.activation).filter(|both| *both != [Activation::Relu; 2]),
            autoencoder: match network.bottleneck {
                Bottleneck::Point(activation) => Some(activation),
                Bottleneck::Gaussian | Bottleneck::Components => None,
            },
            labels: network.classes.map(|classes| LabelsJson { classes, prior }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_written_as_it_is_read() {
        let mlp = Network::mlp(ImageShape::grey(28, 28), &[400], 20);
        let conv = Hidden::halving(&[16, 32]);
        for (network, json) in [
            (mlp.clone(), r#"{"kind":"mlp","image":[28,28],"hidden":[400],"latent":20}"#),
            (
                Network { hidden: conv, ..mlp.clone() },
                r#"{"kind":"conv","image":[28,28],"hidden":[16,32],"latent":20}"#,
            ),
            (
                Network { bottleneck: Bottleneck::Point(Activation::None), ..mlp.clone() },
                r#"{"kind":"mlp","image":[28,28],"hidden":[400],"latent":20,"autoencoder":"none"}"#,
            ),
            (
                Network { hidden: Hidden::Linear(vec![]), bottleneck: Bottleneck::Components, ..mlp.clone() },
                r#"{"kind":"pca","image":[28,28],"latent":20}"#,
            ),
            (
                Network { classes: Some(10), prior: Prior::Learned { hidden: vec![100] }, ..mlp },
                r#"{"kind":"mlp","image":[28,28],"hidden":[400],"latent":20,"labels":{"classes":10,"prior":[100]}}"#,
            ),
        ] {
            assert_eq!(serde_json::from_str::<Network>(json).unwrap(), network);
            assert_eq!(serde_json::to_string(&network).unwrap(), json);
        }
    }

    #[test]
    fn convolutions_follow_each_other() {
        let hidden = Hidden::Conv(vec![
            Conv { out: 16, kernel: 5, stride: 2, padding: 2 },
            Conv { out: 8, kernel: 3, stride: 1, padding: 0 },
        ]);
        let network = Network { hidden, ..Network::mlp(ImageShape::grey(28, 27), &[], 2) };
        assert_eq!(network.convs().iter().map(|conv| conv.output).collect::<Vec<_>>(), [[14, 14], [12, 12]]);
        assert_eq!(network.flat(), 12 * 12 * 8);
    }
}
