//! What a state dict does not say, and is assumed where no option says it.

use super::Args;
use common::model::{Bottleneck, Likelihood, Network, Prior, Sigma};
use common::plan::Activation;

/// A property of the network that is assumed.
pub struct Assumption {
    /// The property, and the option that says otherwise.
    pub text: String,
    /// Whether outputs of the network show it.
    pub shown_by_outputs: bool,
}

/// The assumptions of an import with these options, which led to this network and likelihood.
pub fn of(args: &Args, network: &Network, likelihood: Likelihood) -> Vec<Assumption> {
    let shown = |text: String| Some(Assumption { text, shown_by_outputs: true });
    let hidden = |text: String| Some(Assumption { text, shown_by_outputs: false });
    let components = network.bottleneck == Bottleneck::Components;
    let has_hidden =
        !network.hidden.is_empty() || matches!(&network.prior, Prior::Learned { hidden } if !hidden.is_empty());
    let assumptions = [
        match args.activation.is_given() || !has_hidden {
            true => None,
            false => shown(format!("{} after each hidden layer (--activation)", network.activations())),
        },
        match (network.bottleneck, args.autoencoder) {
            (Bottleneck::Point(Activation::None), None) => {
                shown("no activation after the code (--autoencoder=ACT)".into())
            }
            _ => None,
        },
        // No option: it belongs to every likelihood.
        if components { None } else { shown("a sigmoid after the decoder".into()) },
        match args.input_range {
            None if !components => shown("pixels from 0 to 1 (--input-range)".into()),
            _ => None,
        },
        match (likelihood, args.likelihood.is_given(), args.likelihood.has_sigma()) {
            (Likelihood::Bernoulli, false, _) => hidden("Bernoulli pixels (--likelihood)".into()),
            (Likelihood::Gaussian { sigma: Sigma::Fixed(sigma) }, _, false) => {
                hidden(format!("Gaussian pixels of sigma {sigma:.4} (--sigma)"))
            }
            (Likelihood::Gaussian { sigma: Sigma::Learned(_) }, false, false) => {
                hidden("Gaussian pixels of learned sigma (--likelihood)".into())
            }
            _ => None,
        },
        match args.image {
            None => hidden(format!("images of {} pixels (--image)", network.image)),
            Some(_) => None,
        },
    ];
    assumptions.into_iter().flatten().collect()
}
