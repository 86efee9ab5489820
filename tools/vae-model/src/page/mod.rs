//! The explorer: one HTML file that decodes points of a model's latent space.

mod decoder;
mod summary;

use crate::loaded::{LoadedModel, ModelArg};
use base64::{Engine, engine::general_purpose::STANDARD};
use common::model::{Bottleneck, Network};
use common::plan::Activation;
use decoder::Decoder;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;
use vae_cli::Result;
use vae_cli::html::{self, escaped};
use vae_cli::output::{Format, Output};

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const DECODER_JS: &str = include_str!("decoder.js");
const EXPLORER_JS: &str = include_str!("explorer.js");

/// Make a page to explore the latent space of a model: one HTML file, without a server and without network requests
///
/// Reads a model or checkpoint. Writes HTML that contains the decoder's weights as f32, base64: it decodes what
/// vae-decode decodes, and is about one and a third times as large as these weights. Open it in a browser. Memory is a
/// few times the size of the model.
#[derive(clap::Args)]
#[command(after_help = "Example: vae-model page -m model.bin > explore.html")]
pub struct Args {
    #[command(flatten)]
    model: ModelArg,
    /// Write to FILE; standard output if absent or -
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub fn run(args: Args) -> Result<()> {
    let loaded = LoadedModel::load_verified(args.model.path())?;
    args.model.check_kept(args.output.as_deref())?;
    let mut output = Output::open(args.output.as_deref(), Format::Html)?;
    let name = args.model.path().file_name().unwrap_or_default().to_string_lossy();
    output.write_all(page(&loaded, &name).as_bytes()).map_err(|e| output.error(e))?;
    output.commit()
}

fn page(loaded: &LoadedModel, name: &str) -> String {
    let spec = &loaded.model.spec;
    let network = &spec.network;
    let Decoder { layers, prior, weights } = Decoder::new(&loaded.model);
    let (range, signed) = slider_range(network);
    let description = json!({
        "image": network.image,
        "latent": network.latent,
        "classes": network.classes.unwrap_or(0),
        "sigmoid": network.bottleneck != Bottleneck::Components,
        "decoder": layers,
        "prior": prior,
        "variational": network.bottleneck.is_distribution(),
        "range": range,
        "signed": signed,
    });
    // HTML ends a script at the first `</`, even inside a JSON string.
    let description = description.to_string().replace('<', "\\u003c");
    let bytes: Vec<u8> = weights.iter().flat_map(|v| v.to_le_bytes()).collect();
    html::fill(TEMPLATE, |field| match field {
        "name" => escaped(name),
        "summary" => summary::entries(loaded).iter().map(|(term, text)| entry(term, text)).collect(),
        "style" => html::STYLE.to_owned() + STYLE,
        "model" => description.clone(),
        "weights" => STANDARD.encode(&bytes),
        "decoder" => DECODER_JS.to_owned(),
        "explorer" => EXPLORER_JS.to_owned(),
        _ => unreachable!("the template has no {field}"),
    })
}

/// The largest absolute value on a slider, in standard deviations of a prior or in units of an autoencoder's latents,
/// which have no prior; and whether they can be negative.
fn slider_range(network: &Network) -> (f64, bool) {
    match network.bottleneck {
        Bottleneck::Point(Activation::Tanh) => (1.0, true),
        Bottleneck::Point(Activation::Relu | Activation::Softplus) => (15.0, false),
        Bottleneck::Point(Activation::None | Activation::LeakyRelu(_)) => (15.0, true),
        Bottleneck::Components => (6.0, true),
        Bottleneck::Gaussian => (3.0, true),
    }
}

fn entry(term: &str, text: &str) -> String {
    format!("<div><dt>{}</dt><dd>{}</dd></div>", escaped(term), escaped(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_template_is_known() {
        let known = ["name", "summary", "style", "model", "weights", "decoder", "explorer"];
        html::fill(TEMPLATE, |field| {
            assert!(known.contains(&field), "{field}");
            String::new()
        });
    }

    #[test]
    fn no_script_contains_its_end_tag() {
        for script in [DECODER_JS, EXPLORER_JS] {
            assert!(!script.to_lowercase().contains("</script") && !script.contains("<!--"));
        }
    }
}
