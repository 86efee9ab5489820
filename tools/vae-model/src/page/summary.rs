//! The model summary at the top of the page.

use crate::loaded::LoadedModel;
use common::model::{Bottleneck, Network, Prior};
use common::plan::Activation;
use vae_stream::images::ImageShape;

/// Pairs of term and text.
pub fn entries(loaded: &LoadedModel) -> Vec<(&'static str, String)> {
    let spec = &loaded.model.spec;
    let (ImageShape { height, width, .. }, data, training) = (spec.network.image, &spec.data, &spec.training);
    let trained = match data.images {
        0 => "elsewhere".to_owned(),
        images => {
            let epochs = training.epochs;
            format!("on {images} images, {epochs} {}", if epochs == 1 { "epoch" } else { "epochs" })
        }
    };
    vec![
        ("Network", network(&spec.network)),
        ("Images", format!("{height} × {width}")),
        ("Loss", spec.objective.formula(spec.network.bottleneck.is_distribution().then_some("KL"))),
        ("Trained", trained),
        ("Parameters", loaded.parameter_count().to_string()),
        ("Written by", spec.tool.clone()),
        ("SHA-256", format!("{}…", &loaded.sha256[..12])),
    ]
}

/// Such as `784 – 400 – 20, relu`.
fn network(network: &Network) -> String {
    let inner = network.hidden.widths().into_iter().chain([network.latent]).map(|n| format!(" – {n}"));
    let widths: String = [network.values().to_string()].into_iter().chain(inner).collect();
    if network.bottleneck == Bottleneck::Components {
        return format!("{} principal components", network.latent);
    }
    let kind = if network.hidden.is_conv() { "convolutions " } else { "" };
    let activations = network.activations();
    let autoencoder = match network.bottleneck {
        Bottleneck::Point(Activation::None) => ", autoencoder".to_owned(),
        Bottleneck::Point(activation) => format!(", autoencoder with {activation} latents"),
        Bottleneck::Gaussian | Bottleneck::Components => String::new(),
    };
    let classes = network.classes.map(|k| format!(", {k} classes")).unwrap_or_default();
    let prior = if network.prior != Prior::Standard { ", learned prior" } else { "" };
    format!("{kind}{widths}, {activations}{autoencoder}{classes}{prior}")
}
