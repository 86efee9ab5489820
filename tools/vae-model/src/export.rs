//! Export of weights to PyTorch and NumPy.

use crate::loaded::{LoadedModel, ModelArg};
use crate::naming::{NamingScheme, SCHEMES};
use clap::builder::{PossibleValue, PossibleValuesParser};
use common::model::Weight;
use safetensors::tensor::{Dtype as TensorDtype, TensorView};
use std::collections::HashMap;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use vae_cli::output::{Kind, Output};
use vae_cli::{Error, Result};
use vae_stream::{Dtype, Tensor};
use zip::write::{SimpleFileOptions, ZipWriter};

/// Export the weights of a model as a PyTorch state dict: .safetensors, or .npz for NumPy
///
/// Reads a model or checkpoint. Writes the tensors of its network, f32, under the names of a PyTorch state dict, for
/// load_state_dict. Leaves out the state of the optimizer and the description, which `vae-model info` writes. Memory is
/// a few times the size of the model.
#[derive(clap::Args)]
#[command(after_help = "Example: vae-model export model.bin --names pytorch-examples -o vae.safetensors")]
pub struct Args {
    #[command(flatten)]
    model: ModelArg,
    /// Write to FILE, as .npz if its name ends so, else as .safetensors; standard output if absent or -
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The naming scheme of the layers; any but ours needs a network of exactly its layers
    #[arg(long, value_name = "NAMES", default_value = OURS, value_parser = names())]
    names: String,
}

const OURS: &str = "ours";

fn names() -> PossibleValuesParser {
    let ours =
        PossibleValue::new(OURS).help("encoder.0 mu logvar decoder.0 ..., as vae-train writes them: any network");
    let others = SCHEMES.iter().map(|scheme| PossibleValue::new(scheme.name).help(scheme.help));
    PossibleValuesParser::new([ours].into_iter().chain(others).collect::<Vec<_>>())
}

pub fn run(args: Args) -> Result<()> {
    let loaded = LoadedModel::load_verified(args.model.path())?;
    let mut output = Output::open(args.output.as_deref(), Kind::Binary)?;
    let scheme = SCHEMES.iter().find(|scheme| scheme.name == args.names);
    let tensors = rename(loaded.tensors().collect(), scheme)?;
    let npz = args.output.is_some_and(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npz")));
    let bytes = if npz { to_npz(&tensors)? } else { to_safetensors(&tensors)? };
    output.write_all(&bytes).map_err(|e| output.error(e))?;
    output.commit()
}

/// Renames tensors to a scheme, whose layers must be exactly theirs.
fn rename<'a>(tensors: Vec<(String, &'a Weight)>, scheme: Option<&NamingScheme>) -> Result<Vec<(String, &'a Weight)>> {
    let Some(scheme) = scheme else { return Ok(tensors) };
    let mismatch = |layer: &str| {
        let expected: Vec<&str> = scheme.layers.iter().map(|[_, ours]| *ours).collect();
        let (name, expected) = (scheme.name, expected.join(", "));
        Error::Usage(format!("--names {name}: expected the layers {expected}, got {layer}; leave out --names"))
    };
    let layer_of = |name: &str| name.rsplit_once('.').map_or_else(|| name.to_owned(), |(layer, _)| layer.to_owned());
    if let Some([_, missing]) =
        scheme.layers.iter().find(|[_, ours]| !tensors.iter().any(|(n, _)| layer_of(n) == *ours))
    {
        return Err(mismatch(&format!("a network without {missing}")));
    }
    let theirs = |(name, weight): (String, &'a Weight)| {
        let layer = layer_of(&name);
        let renamed = scheme.theirs(&layer).ok_or_else(|| mismatch(&format!("{layer} too")))?;
        Ok((format!("{renamed}{}", &name[layer.len()..]), weight))
    };
    tensors.into_iter().map(theirs).collect()
}

fn to_le_bytes(weight: &Weight) -> Vec<u8> {
    weight.values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn to_safetensors(tensors: &[(String, &Weight)]) -> Result<Vec<u8>> {
    let failed = |e: safetensors::SafeTensorError| Error::Failed(e.to_string());
    let data: Vec<Vec<u8>> = tensors.iter().map(|(_, weight)| to_le_bytes(weight)).collect();
    let views = tensors.iter().zip(&data).map(|((name, weight), data)| {
        TensorView::new(TensorDtype::F32, weight.shape.clone(), data).map(|view| (name, view))
    });
    let views = views.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    // Some loaders require the framework of the file.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(views, Some(metadata)).map_err(failed)
}

/// A zip archive of .npy files, as numpy.savez writes it.
fn to_npz(tensors: &[(String, &Weight)]) -> Result<Vec<u8>> {
    let failed = |e: &dyn std::fmt::Display| Error::Failed(format!("cannot make an .npz: {e}"));
    let mut archive = ZipWriter::new(Cursor::new(vec![]));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, weight) in tensors {
        archive.start_file(format!("{name}.npy"), options).map_err(|e| failed(&e))?;
        let npy = Tensor::from_bytes(Dtype::F32, &weight.shape, &to_le_bytes(weight));
        archive.write_all(npy.bytes()).map_err(|e| failed(&e))?;
    }
    Ok(archive.finish().map_err(|e| failed(&e))?.into_inner())
}
