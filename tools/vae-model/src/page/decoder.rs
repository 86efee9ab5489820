//! The decoder as a list of layers for decoder.js, with their weights concatenated.
//!
//! ```text
//! linear           W [out, in], b [out]                      x [in] -> y [out]
//! conv-transpose   W [in, out, kernel, kernel], b [out]      x [in, h, w] -> y [out, H, W]
//! ```
//!
//! Images between layers are `[channels, H, W]`, as in PyTorch.

use common::model::{Bottleneck, Hidden, Model, Network, Prior, Weight};
use common::network::{conv_transposed_name, output_name};
use common::plan::Activation;
use serde_json::{Value, json};

/// The layers of the decoder and the prior of a verified model.
pub struct Decoder {
    /// `[z, one-hot y]` to logits, or to pixel means for a PCA.
    pub layers: Vec<Value>,
    /// One-hot y to `[mu, logvar]` of a learned prior.
    pub prior: Option<Vec<Value>>,
    /// The weights of `layers`, then of `prior`.
    pub weights: Vec<f32>,
}

impl Decoder {
    pub fn new(model: &Model) -> Decoder {
        let network = &model.spec.network;
        let mut builder = Builder { model, weights: vec![] };
        let layers = match (network.bottleneck, &network.hidden) {
            (Bottleneck::Components, _) => builder.components(network),
            (_, Hidden::Linear(_)) => builder.mlp(network),
            (_, Hidden::Conv(_)) => builder.conv(network),
        };
        let prior = match &network.prior {
            Prior::Learned { hidden } => Some(builder.prior(hidden.len(), network.activation[0])),
            Prior::Standard => None,
        };
        Decoder { layers, prior, weights: builder.weights }
    }
}

/// Describes layers and collects their weights.
struct Builder<'a> {
    model: &'a Model,
    weights: Vec<f32>,
}

impl Builder<'_> {
    fn weight(&self, name: &str, suffix: &str) -> &Weight {
        &self.model.weights[&format!("{name}.{suffix}")]
    }

    /// One linear layer of the first `limit` outputs of each of these layers, which have the same input.
    fn linear(&mut self, names: &[&str], limit: usize, activation: Activation) -> Value {
        let (mut inputs, mut outputs) = (0, 0);
        for name in names {
            let weight = self.weight(name, "weight");
            inputs = weight.shape[1];
            let rows = weight.shape[0].min(limit);
            let values = weight.values[..rows * inputs].to_vec();
            self.weights.extend(values);
            outputs += rows;
        }
        for name in names {
            let bias = &self.weight(name, "bias").values;
            let values = bias[..bias.len().min(limit)].to_vec();
            self.weights.extend(values);
        }
        json!({"kind": "linear", "in": inputs, "out": outputs, "activation": activation.to_string()})
    }

    fn linear_stack(&mut self, name: &str, layers: usize, activation: Activation) -> Vec<Value> {
        (0..layers).map(|i| self.linear(&[&format!("{name}.{}", 2 * i)], usize::MAX, activation)).collect()
    }

    /// Only the D means of the output layer, without the sigmas that follow them under a learned variance.
    fn mlp(&mut self, network: &Network) -> Vec<Value> {
        let mut layers = self.linear_stack("decoder", network.hidden.len(), network.activation[1]);
        layers.push(self.linear(&[&output_name(network)], network.values(), Activation::None));
        layers
    }

    fn conv(&mut self, network: &Network) -> Vec<Value> {
        let hidden = network.activation[1];
        let mut layers = self.linear_stack("decoder", 1, hidden);
        for (i, conv) in network.convs().iter().enumerate().rev() {
            let name = conv_transposed_name(network, i);
            // Of the output image only channel 0, the mean.
            let (outputs, activation) = if i == 0 { (1, Activation::None) } else { (conv.channels, hidden) };
            let (weight, bias) = (self.weight(&name, "weight"), &self.weight(&name, "bias").values[..outputs]);
            let (inputs, patch) = (weight.shape[0], weight.shape[1] * conv.kernel_area());
            let kept = weight.values.chunks(patch).flat_map(|filters| &filters[..outputs * conv.kernel_area()]);
            let values: Vec<f32> = kept.chain(bias).copied().collect();
            self.weights.extend(values);
            let ([h, w], [out_h, out_w]) = (conv.output, conv.input);
            layers.push(json!({
                "kind": "conv-transpose", "in": [inputs, h, w], "out": [outputs, out_h, out_w], "kernel": conv.kernel,
                "stride": conv.stride, "padding": conv.padding, "activation": activation.to_string(),
            }));
        }
        layers
    }

    /// mean + z C, with the components C `[Z, D]` transposed.
    fn components(&mut self, network: &Network) -> Vec<Value> {
        let (pixels, latent) = (network.values(), network.latent);
        let components = &self.model.weights["components"].values;
        self.weights.extend((0..pixels * latent).map(|i| components[i % latent * pixels + i / latent]));
        self.weights.extend(&self.model.weights["mean"].values);
        vec![json!({"kind": "linear", "in": latent, "out": pixels, "activation": Activation::None.to_string()})]
    }

    fn prior(&mut self, hidden: usize, activation: Activation) -> Vec<Value> {
        let mut layers = self.linear_stack("prior", hidden, activation);
        layers.push(self.linear(&["prior_mu", "prior_logvar"], usize::MAX, Activation::None));
        layers
    }
}
