//! What the page says of its model.

use crate::opened::Opened;
use common::model::{Bottleneck, Network, Objective, Prior};
use common::plan::Activation;
use vae_stream::images::ImageShape;

/// What, and the fact.
pub fn list(opened: &Opened) -> Vec<(&'static str, String)> {
    let spec = &opened.model.spec;
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
        ("Loss", loss(&spec.network, &spec.objective)),
        ("Trained", trained),
        ("Parameters", opened.parameters().to_string()),
        ("Written by", spec.tool.clone()),
        ("SHA-256", format!("{}…", &opened.sha256[..12])),
    ]
}

/// `784 – 400 – 20, relu`.
fn network(network: &Network) -> String {
    let inner = network.hidden.widths().into_iter().chain([network.latent]).map(|n| format!(" – {n}"));
    let widths: String = [network.values().to_string()].into_iter().chain(inner).collect();
    if network.bottleneck == Bottleneck::Components {
        return format!("{} principal components", network.latent);
    }
    let kind = if network.hidden.is_conv() { "convolutions " } else { "" };
    let acts = network.activations();
    let code = match network.bottleneck {
        Bottleneck::Point(Activation::None) => ", autoencoder".to_owned(),
        Bottleneck::Point(code) => format!(", autoencoder with a code behind {code}"),
        Bottleneck::Gaussian | Bottleneck::Components => String::new(),
    };
    let classes = network.classes.map(|k| format!(", {k} classes")).unwrap_or_default();
    let prior = if network.prior != Prior::Standard { ", learned prior" } else { "" };
    format!("{kind}{widths}, {acts}{code}{classes}{prior}")
}

fn loss(network: &Network, objective: &Objective) -> String {
    let kl = match objective.beta {
        _ if !network.bottleneck.is_distribution() => String::new(),
        1.0 => " + KL".to_owned(),
        beta => format!(" + {beta} KL"),
    };
    format!("{}{kl}", objective.likelihood.formula())
}
