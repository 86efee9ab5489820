//! A page to explore the latent space of a model with: one file, with the decoder in it.

mod facts;
mod layers;

use crate::opened::Opened;
use base64::{Engine, engine::general_purpose::STANDARD};
use common::model::{Bottleneck, Network};
use common::plan::Activation;
use layers::Decoder;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;
use vae_cli::Result;
use vae_cli::html::{self, escaped};
use vae_cli::output::{Kind, Output};

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const DECODER: &str = include_str!("decoder.js");
const EXPLORER: &str = include_str!("explorer.js");

/// Make a page to explore a model with: one HTML file, which needs no server and asks for nothing outside
///
/// Reads a model or checkpoint. Writes HTML with the decoder's weights in it, f32, so that what it shows is what vae-decode
/// makes; it is about one and a third times as large as these. Open it in a browser.
/// Memory is a few times the size of the model.
#[derive(clap::Args)]
#[command(after_help = "Example: vae-model page -m model.bin > explore.html")]
pub struct Args {
    /// A model or checkpoint
    #[arg(short, long, value_name = "FILE")]
    model: PathBuf,
    /// Write to FILE; standard output if absent or -
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub fn run(args: Args) -> Result<()> {
    let opened = Opened::whole(&args.model)?;
    let mut output = Output::open(args.output.as_deref(), Kind::Text)?;
    let name = args.model.file_name().unwrap_or_default().to_string_lossy();
    output.write_all(page(&opened, &name).as_bytes()).map_err(|e| output.error(e))?;
    output.commit()
}

fn page(opened: &Opened, name: &str) -> String {
    let spec = &opened.model.spec;
    let network = &spec.network;
    let Decoder { layers, prior, weights } = Decoder::new(&opened.model);
    let (reach, signed) = reach(network);
    let description = json!({
        "image": network.image,
        "latent": network.latent,
        "classes": network.classes.unwrap_or(0),
        "sigmoid": network.bottleneck != Bottleneck::Components,
        "decoder": layers,
        "prior": prior,
        "drawn": network.bottleneck.is_distribution(),
        "reach": reach,
        "signed": signed,
    });
    // A script ends at the first `</`, wherever it stands.
    let description = description.to_string().replace('<', "\\u003c");
    let bytes: Vec<u8> = weights.iter().flat_map(|v| v.to_le_bytes()).collect();
    html::fill(TEMPLATE, |hole| match hole {
        "name" => escaped(name),
        "facts" => facts::list(opened).iter().map(|(what, fact)| entry(what, fact)).collect(),
        "style" => html::STYLE.to_owned() + STYLE,
        "model" => description.clone(),
        "weights" => STANDARD.encode(&bytes),
        "decoder" => DECODER.to_owned(),
        "explorer" => EXPLORER.to_owned(),
        _ => unreachable!("the template has no {hole}"),
    })
}

/// How far codes go, about, in standard deviations of the prior or as an activation puts them; and whether below 0 too.
fn reach(network: &Network) -> (f64, bool) {
    match network.bottleneck {
        Bottleneck::Point(Activation::Tanh) => (1.0, true),
        Bottleneck::Point(Activation::Relu | Activation::Softplus) => (15.0, false),
        Bottleneck::Point(Activation::None | Activation::LeakyRelu(_)) => (15.0, true),
        Bottleneck::Components => (6.0, true),
        Bottleneck::Gaussian => (3.0, true),
    }
}

fn entry(what: &str, fact: &str) -> String {
    format!("<div><dt>{}</dt><dd>{}</dd></div>", escaped(what), escaped(fact))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hole_of_the_template_is_known() {
        let known = ["name", "facts", "style", "model", "weights", "decoder", "explorer"];
        html::fill(TEMPLATE, |hole| {
            assert!(known.contains(&hole), "{hole}");
            String::new()
        });
    }

    #[test]
    fn no_script_ends_before_its_end() {
        for script in [DECODER, EXPLORER] {
            assert!(!script.to_lowercase().contains("</script") && !script.contains("<!--"));
        }
    }
}
