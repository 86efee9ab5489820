//! What a network is made of. N images, D = H·W pixels, Z latent dimensions, K classes.

use crate::plan::{Activation, ConvGeometry};
use serde::{Deserialize, Serialize};

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
    /// The convolutions of the encoder, from the image inwards; in reverse, the transposed ones of the decoder.
    pub fn convs(&self) -> Vec<ConvGeometry> {
        if self.kind != Layers::Conv {
            return vec![];
        }
        let mut input = (self.image, 1);
        let mut conv = |channels: &usize| {
            let conv = ConvGeometry::halving(input.0, input.1);
            input = (conv.output, *channels);
            conv
        };
        self.hidden.iter().map(&mut conv).collect()
    }
    /// Activations of an image after the last convolution, flattened.
    pub fn flat(&self) -> usize {
        self.convs().last().map_or(0, ConvGeometry::output_area) * self.hidden.last().copied().unwrap_or(0)
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
    fn a_network_as_older_files_have_it_is_read() {
        let json = r#"{"kind":"mlp","image":[28,28],"hidden":[400],"latent":20}"#;
        let network: Network = serde_json::from_str(json).unwrap();
        assert_eq!(network, Network::mlp([28, 28], &[400], 20));
        assert_eq!(serde_json::to_string(&network).unwrap(), json);
    }
}
