//! Weights out, for PyTorch and NumPy.

use crate::families::{FAMILIES, Family};
use crate::opened::Opened;
use clap::builder::{PossibleValue, PossibleValuesParser};
use common::model::Weight;
use safetensors::tensor::{Dtype as Stored, TensorView};
use std::collections::HashMap;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use vae_cli::output::{Kind, Output};
use vae_cli::{Error, Result};
use vae_stream::{Dtype, Tensor};
use zip::write::{SimpleFileOptions, ZipWriter};

/// Write the weights of a model for PyTorch: .safetensors, or .npz for NumPy
///
/// Reads a model or checkpoint. Writes the tensors of its network as they are, f32 under the names of a PyTorch state dict,
/// for load_state_dict; nothing of the optimizer, and no description: that is in `vae-model info`. Memory is a few
/// times the size of the model.
#[derive(clap::Args)]
#[command(after_help = "Example: vae-model export model.bin --names pytorch-examples -o vae.safetensors")]
pub struct Args {
    /// A model or checkpoint
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write to FILE, an .npz if it is called so, else .safetensors; standard output if absent or -
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What to call the layers, where the network has as many
    #[arg(long, value_name = "NAMES", default_value = OURS, value_parser = names())]
    names: String,
}

const OURS: &str = "ours";

fn names() -> PossibleValuesParser {
    let ours = PossibleValue::new(OURS).help("encoder.0 mu logvar decoder.0 ..., as vae-train has them: any network");
    let others = FAMILIES.iter().map(|family| PossibleValue::new(family.name).help(family.about));
    PossibleValuesParser::new([ours].into_iter().chain(others).collect::<Vec<_>>())
}

pub fn run(args: Args) -> Result<()> {
    let opened = Opened::whole(&args.file)?;
    let mut output = Output::open(args.output.as_deref(), Kind::Binary)?;
    let family = FAMILIES.iter().find(|family| family.name == args.names);
    let tensors = renamed(opened.tensors().collect(), family)?;
    let npz = args.output.is_some_and(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npz")));
    let bytes = if npz { npz_of(&tensors)? } else { safetensors_of(&tensors)? };
    output.write_all(&bytes).map_err(|e| output.error(e))?;
    output.commit()
}

/// The tensors under the names of a family, which must have one for each layer and no others.
fn renamed<'a>(tensors: Vec<(String, &'a Weight)>, family: Option<&Family>) -> Result<Vec<(String, &'a Weight)>> {
    let Some(family) = family else { return Ok(tensors) };
    let unfit = |layer: &str| {
        let expected: Vec<&str> = family.layers.iter().map(|[_, ours]| *ours).collect();
        let (name, expected) = (family.name, expected.join(", "));
        Error::Usage(format!("--names {name}: expected the layers {expected}, got {layer}; leave out --names"))
    };
    let layer_of = |name: &str| name.rsplit_once('.').map_or_else(|| name.to_owned(), |(layer, _)| layer.to_owned());
    if let Some([_, missing]) =
        family.layers.iter().find(|[_, ours]| !tensors.iter().any(|(n, _)| layer_of(n) == *ours))
    {
        return Err(unfit(&format!("a network without {missing}")));
    }
    let rename = |(name, weight): (String, &'a Weight)| {
        let layer = layer_of(&name);
        let theirs = family.theirs(&layer).ok_or_else(|| unfit(&format!("{layer} too")))?;
        Ok((format!("{theirs}{}", &name[layer.len()..]), weight))
    };
    tensors.into_iter().map(rename).collect()
}

fn bytes(weight: &Weight) -> Vec<u8> {
    weight.values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn safetensors_of(tensors: &[(String, &Weight)]) -> Result<Vec<u8>> {
    let failed = |e: safetensors::SafeTensorError| Error::Failed(e.to_string());
    let data: Vec<Vec<u8>> = tensors.iter().map(|(_, weight)| bytes(weight)).collect();
    let views = tensors.iter().zip(&data).map(|((name, weight), data)| {
        TensorView::new(Stored::F32, weight.shape.clone(), data).map(|view| (name, view))
    });
    let views = views.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    // Some loaders ask whose layout it is.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(views, Some(metadata)).map_err(failed)
}

/// A zip archive of .npy files, as numpy.savez writes it.
fn npz_of(tensors: &[(String, &Weight)]) -> Result<Vec<u8>> {
    let failed = |e: &dyn std::fmt::Display| Error::Failed(format!("cannot make an .npz: {e}"));
    let mut archive = ZipWriter::new(Cursor::new(vec![]));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, weight) in tensors {
        archive.start_file(format!("{name}.npy"), options).map_err(|e| failed(&e))?;
        let npy = Tensor::from_bytes(Dtype::F32, &weight.shape, &bytes(weight));
        archive.write_all(npy.bytes()).map_err(|e| failed(&e))?;
    }
    Ok(archive.finish().map_err(|e| failed(&e))?.into_inner())
}
