//! The decoder as a list of layers that a page can compute, with their weights one after the other.
//!
//! ```text
//! linear       [out, in], [out]                        x [in] -> [out]
//! transposed   [in, out, size, size], [out]            x [in, h, w] -> [out, H, W]
//! ```
//!
//! An image between layers is `[channels, H, W]`, as in a PyTorch state dict.

use common::model::{Bottleneck, Hidden, Model, Network, Prior, Weight};
use common::network::{output, transposed};
use common::plan::Activation;
use serde_json::{Value, json};

/// What a page needs of a model, whose tensors have been checked.
pub struct Decoder {
    /// From z, and the label beside it, to the means of pixels or their logits.
    pub layers: Vec<Value>,
    /// From a label to mu and then logvar, where the prior is learned.
    pub prior: Option<Vec<Value>>,
    /// Those of the decoder, then those of the prior.
    pub weights: Vec<f32>,
}

impl Decoder {
    pub fn new(model: &Model) -> Decoder {
        let network = &model.spec.network;
        let mut list = List { model, weights: vec![] };
        let layers = match (network.bottleneck, &network.hidden) {
            (Bottleneck::Components, _) => list.components(network),
            (_, Hidden::Linear(_)) => list.mlp(network),
            (_, Hidden::Conv(_)) => list.conv(network),
        };
        let prior = match &network.prior {
            Prior::Learned { hidden } => Some(list.prior(hidden.len(), network.activation[0])),
            Prior::Standard => None,
        };
        Decoder { layers, prior, weights: list.weights }
    }
}

struct List<'a> {
    model: &'a Model,
    weights: Vec<f32>,
}

impl List<'_> {
    fn weight(&self, name: &str, suffix: &str) -> &Weight {
        &self.model.weights[&format!("{name}.{suffix}")]
    }

    /// Layers side by side, of which all see the same, up to so many values of each.
    fn linear(&mut self, names: &[&str], most: usize, act: Activation) -> Value {
        let (mut inp, mut out) = (0, 0);
        for name in names {
            let weight = self.weight(name, "weight");
            inp = weight.shape[1];
            let rows = weight.shape[0].min(most);
            let values = weight.values[..rows * inp].to_vec();
            self.weights.extend(values);
            out += rows;
        }
        for name in names {
            let bias = &self.weight(name, "bias").values;
            let values = bias[..bias.len().min(most)].to_vec();
            self.weights.extend(values);
        }
        json!({"kind": "linear", "from": inp, "to": out, "act": act.to_string()})
    }

    fn stack(&mut self, name: &str, layers: usize, act: Activation) -> Vec<Value> {
        (0..layers).map(|i| self.linear(&[&format!("{name}.{}", 2 * i)], usize::MAX, act)).collect()
    }

    /// A decoder that says the variance of pixels too says it after all means, which are all that is shown.
    fn mlp(&mut self, network: &Network) -> Vec<Value> {
        let mut layers = self.stack("decoder", network.hidden.len(), network.activation[1]);
        layers.push(self.linear(&[&output(network)], network.values(), Activation::None));
        layers
    }

    fn conv(&mut self, network: &Network) -> Vec<Value> {
        let act = network.activation[1];
        let mut layers = self.stack("decoder", 1, act);
        for (i, conv) in network.convs().iter().enumerate().rev() {
            let name = transposed(network, i);
            // The first channel of the image is its mean.
            let (to, act) = if i == 0 { (1, Activation::None) } else { (conv.channels, act) };
            let (weight, bias) = (self.weight(&name, "weight"), &self.weight(&name, "bias").values[..to]);
            let (from, made) = (weight.shape[0], weight.shape[1] * conv.kernel_area());
            let kept = weight.values.chunks(made).flat_map(|filters| &filters[..to * conv.kernel_area()]);
            let values: Vec<f32> = kept.chain(bias).copied().collect();
            self.weights.extend(values);
            let ([h, w], [high, wide]) = (conv.output, conv.input);
            layers.push(json!({
                "kind": "transposed", "from": [from, h, w], "to": [to, high, wide], "act": act.to_string(),
                "size": conv.kernel, "stride": conv.stride, "pad": conv.padding,
            }));
        }
        layers
    }

    /// mean + z C, with C `[Z, D]` turned round.
    fn components(&mut self, network: &Network) -> Vec<Value> {
        let (pixels, latent) = (network.values(), network.latent);
        let components = &self.model.weights["components"].values;
        self.weights.extend((0..pixels * latent).map(|i| components[i % latent * pixels + i / latent]));
        self.weights.extend(&self.model.weights["mean"].values);
        vec![json!({"kind": "linear", "from": latent, "to": pixels, "act": Activation::None.to_string()})]
    }

    fn prior(&mut self, hidden: usize, act: Activation) -> Vec<Value> {
        let mut layers = self.stack("prior", hidden, act);
        layers.push(self.linear(&["prior_mu", "prior_logvar"], usize::MAX, Activation::None));
        layers
    }
}
