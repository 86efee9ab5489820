//! The model summary at the top of the page.

use crate::loaded::LoadedModel;
use common::model::{Layers, Network, Objective};
use common::plan::Activation;

/// Pairs of term and text.
pub fn entries(loaded: &LoadedModel) -> Vec<(&'static str, String)> {
    let spec = &loaded.model.spec;
    let ([h, w], data, training) = (spec.network.image, &spec.data, &spec.training);
    let trained = match data.images {
        0 => "elsewhere".to_owned(),
        images => {
            let epochs = training.epochs;
            format!("on {images} images, {epochs} {}", if epochs == 1 { "epoch" } else { "epochs" })
        }
    };
    vec![
        ("Network", network(&spec.network)),
        ("Images", format!("{h} × {w}")),
        ("Loss", loss(&spec.network, &spec.objective)),
        ("Trained", trained),
        ("Parameters", loaded.parameter_count().to_string()),
        ("Written by", spec.tool.clone()),
        ("SHA-256", format!("{}…", &loaded.sha256[..12])),
    ]
}

/// Such as `784 – 400 – 20, relu`.
fn network(network: &Network) -> String {
    let inner = network.hidden.iter().chain([&network.latent]).map(|n| format!(" – {n}"));
    let widths: String = [network.pixels().to_string()].into_iter().chain(inner).collect();
    let kind = match network.kind {
        Layers::Mlp => "",
        Layers::Conv => "convolutions ",
        Layers::Pca => return format!("{} principal components", network.latent),
    };
    let activations = network.activations();
    let autoencoder = match network.autoencoder {
        Some(Activation::None) => ", autoencoder".to_owned(),
        Some(activation) => format!(", autoencoder with {activation} latents"),
        None => String::new(),
    };
    let classes = network.classes().map(|k| format!(", {k} classes")).unwrap_or_default();
    let prior = if network.learned_prior().is_some() { ", learned prior" } else { "" };
    format!("{kind}{widths}, {activations}{autoencoder}{classes}{prior}")
}

/// Such as `-log Bernoulli(x) + KL`.
fn loss(network: &Network, objective: &Objective) -> String {
    let kl = match objective.beta {
        _ if !network.is_variational() => String::new(),
        1.0 => " + KL".to_owned(),
        beta => format!(" + {beta} KL"),
    };
    format!("{}{kl}", objective.likelihood.formula())
}
