//! What a network is made of. N images, D = H·W pixels, Z latent dimensions, K classes.

use crate::plan::Window;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use vae_cli::meant;

/// The layers of encoder and decoder, from the pixels inwards; the decoder mirrors the encoder.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// What the hidden layers are.
    pub kind: Layers,
    /// `[H, W]`.
    pub image: [usize; 2],
    /// Units of each hidden layer, or channels of each convolution, from the image inwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<usize>,
    /// Z.
    pub latent: usize,
    /// What follows each hidden layer, of the encoder and of the decoder.
    #[serde(default = "relu_both", skip_serializing_if = "is_relu_both")]
    pub activation: [Activation; 2],
    /// In a plain autoencoder, what follows the code, which is a point and not a distribution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoencoder: Option<Activation>,
    /// In a conditional model, the labels that condition it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
}

/// What the hidden layers of a network are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layers {
    /// Linear layers.
    Mlp,
    /// Convolutions of 5 x 5 pixels that halve each side, and transposed ones that double it.
    Conv,
    /// None: principal components (Pearson 1901), which need no training.
    Pca,
}

/// The condition of a conditional VAE (Sohn et al. 2015): a label in one-hot form beside the inputs of encoder and decoder.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// K: labels are 0 to K - 1.
    pub classes: usize,
    /// Units of each hidden layer of the network of p(z given y); without it the prior is N(0, I).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<Vec<usize>>,
}

/// What a layer does to the values that it puts out; in text as on the command line, `leaky-relu:0.2`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Activation {
    /// Nothing.
    None,
    /// max(v, 0).
    Relu,
    /// v where it is positive, else this slope times v.
    LeakyRelu(f32),
    /// The hyperbolic tangent.
    Tanh,
    /// ln(1 + exp(v)).
    Softplus,
}

impl Activation {
    /// The names, as PyTorch has them.
    pub const NAMES: [&str; 5] = ["none", "relu", "leaky-relu", "tanh", "softplus"];
    /// PyTorch's default.
    const SLOPE: f32 = 0.01;
}

impl FromStr for Activation {
    type Err = String;

    fn from_str(text: &str) -> Result<Activation, String> {
        let (name, slope) = text.split_once(':').map_or((text, None), |(name, slope)| (name, Some(slope)));
        let activation = match name {
            "none" => Activation::None,
            "relu" => Activation::Relu,
            "leaky-relu" => Activation::LeakyRelu(Activation::SLOPE),
            "tanh" => Activation::Tanh,
            "softplus" => Activation::Softplus,
            _ => {
                let names = Activation::NAMES;
                return Err(format!("expected one of {}{}", names.join(", "), meant(name, &names)));
            }
        };
        match (activation, slope.map(str::parse::<f32>)) {
            (activation, None) => Ok(activation),
            (Activation::LeakyRelu(_), Some(Ok(slope))) if (0.0..1.0).contains(&slope) => {
                Ok(Activation::LeakyRelu(slope))
            }
            (Activation::LeakyRelu(_), _) => Err("expected a slope from 0 to below 1, as in leaky-relu:0.2".into()),
            _ => Err(format!("expected {name} without a number")),
        }
    }
}

impl TryFrom<String> for Activation {
    type Error = String;

    fn try_from(text: String) -> Result<Activation, String> {
        text.parse()
    }
}

impl From<Activation> for String {
    fn from(activation: Activation) -> String {
        activation.to_string()
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Activation::None => f.write_str("none"),
            Activation::Relu => f.write_str("relu"),
            Activation::LeakyRelu(slope) => write!(f, "leaky-relu:{slope}"),
            Activation::Tanh => f.write_str("tanh"),
            Activation::Softplus => f.write_str("softplus"),
        }
    }
}

fn relu_both() -> [Activation; 2] {
    [Activation::Relu; 2]
}

fn is_relu_both(activation: &[Activation; 2]) -> bool {
    *activation == relu_both()
}

impl Network {
    /// Linear layers with relu between them, and a VAE's heads.
    pub fn mlp(image: [usize; 2], hidden: &[usize], latent: usize) -> Network {
        let hidden = hidden.to_vec();
        Network { kind: Layers::Mlp, image, hidden, latent, activation: relu_both(), autoencoder: None, labels: None }
    }
    /// D.
    pub fn pixels(&self) -> usize {
        self.image.iter().product()
    }
    /// What each convolution of the encoder looks through, from the image inwards; the decoder's, in reverse.
    pub fn windows(&self) -> Vec<Window> {
        if self.kind != Layers::Conv {
            return vec![];
        }
        let mut input = (self.image, 1);
        let mut window = |channels: &usize| {
            let window = Window::halving(input.0, input.1);
            input = (window.output, *channels);
            window
        };
        self.hidden.iter().map(&mut window).collect()
    }
    /// Values of an image behind the last convolution.
    pub fn flat(&self) -> usize {
        self.windows().last().map_or(0, Window::positions) * self.hidden.last().copied().unwrap_or(0)
    }
    /// Whether its code is a distribution, q(z given x).
    pub fn is_variational(&self) -> bool {
        self.kind != Layers::Pca && self.autoencoder.is_none()
    }
    /// Units of each hidden layer of the network of p(z given y), where the prior is learned.
    pub fn learned_prior(&self) -> Option<&[usize]> {
        self.labels.as_ref()?.prior.as_deref()
    }
    /// What follows the hidden layers, for people.
    pub fn activations(&self) -> String {
        match self.activation {
            [one, other] if one == other => one.to_string(),
            [encoder, decoder] => format!("{encoder} in the encoder, {decoder} in the decoder"),
        }
    }
    /// K, of a conditional model.
    pub fn classes(&self) -> Option<usize> {
        self.labels.as_ref().map(|labels| labels.classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_activation_is_read_as_it_is_written() {
        for text in ["none", "relu", "leaky-relu:0.2", "tanh", "softplus"] {
            assert_eq!(text.parse::<Activation>().unwrap().to_string(), text);
        }
        assert_eq!("leaky-relu".parse(), Ok(Activation::LeakyRelu(0.01)));
        for (text, part) in
            [("sin", "relu"), ("leaky-relu:1", "slope"), ("leaky-relu:x", "slope"), ("tanh:2", "without")]
        {
            assert!(text.parse::<Activation>().unwrap_err().contains(part), "{text}");
        }
    }

    #[test]
    fn a_network_as_older_files_have_it_is_read() {
        let json = r#"{"kind":"mlp","image":[28,28],"hidden":[400],"latent":20}"#;
        let network: Network = serde_json::from_str(json).unwrap();
        assert_eq!(network, Network::mlp([28, 28], &[400], 20));
        assert_eq!(serde_json::to_string(&network).unwrap(), json);
    }
}
