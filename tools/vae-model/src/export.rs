//! Export of weights to PyTorch and NumPy.

use crate::loaded::{LoadedModel, ModelArg};
use crate::naming::{DESCRIPTION, NamingScheme, SCHEMES};
use clap::builder::{PossibleValue, PossibleValuesParser};
use common::model::{DataSpec, Spec, Training, Weight};
use safetensors::tensor::{Dtype as TensorDtype, TensorView};
use serde_json::Value;
use std::collections::HashMap;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use vae_cli::output::{Format, Output};
use vae_cli::{Error, Result};
use vae_stream::{Dtype, Tensor};
use zip::write::{SimpleFileOptions, ZipWriter};

/// Export the weights of a model as a PyTorch state dict: .safetensors, or .npz for NumPy
///
/// Reads a model or checkpoint. Writes the tensors of its network, f32, under the names of a PyTorch state dict, for
/// load_state_dict, and the network and its objective as metadata, of which `vae-model import` makes the same model. Leaves
/// out the state of the optimizer. Memory is a few times the size of the model.
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
    args.model.check_kept(args.output.as_deref())?;
    let npz = args.output.as_ref().is_some_and(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npz")));
    let mut output = Output::open(args.output.as_deref(), if npz { Format::Npz } else { Format::Safetensors })?;
    let scheme = SCHEMES.iter().find(|scheme| scheme.name == args.names);
    let tensors = rename(loaded.tensors().collect(), scheme)?;
    let description = describe(&loaded.model.spec)?;
    let bytes = if npz { to_npz(&tensors, description)? } else { to_safetensors(&tensors, description)? };
    output.write_all(&bytes).map_err(|e| output.error(e))?;
    output.commit()
}

/// What the weights do not say of the network, for [`import`](crate::import): a Spec without training.
fn describe(spec: &Spec) -> Result<String> {
    let spec = Spec {
        data: DataSpec { range: spec.data.range, binarize: spec.data.binarize, ..DataSpec::default() },
        training: Training { epochs: 0, ..Training::default() },
        tool: concat!("vae-model export ", env!("CARGO_PKG_VERSION")).into(),
        ..Spec::new(spec.network.clone(), spec.objective)
    };
    serde_json::to_string(&spec).map_err(|e| Error::Failed(e.to_string()))
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

fn to_safetensors(tensors: &[(String, &Weight)], description: String) -> Result<Vec<u8>> {
    let failed = |e: safetensors::SafeTensorError| Error::Failed(e.to_string());
    let data: Vec<Vec<u8>> = tensors.iter().map(|(_, weight)| to_le_bytes(weight)).collect();
    let views = tensors.iter().zip(&data).map(|((name, weight), data)| {
        TensorView::new(TensorDtype::F32, weight.shape.clone(), data).map(|view| (name, view))
    });
    let views = views.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    // Some loaders require the framework of the file.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(failed)?;
    add_metadata(&bytes, DESCRIPTION, description).map_err(|e| Error::Failed(e.to_string()))
}

/// The same file with one more key, always at the same place: safetensors gives those of a HashMap in any order.
fn add_metadata(bytes: &[u8], key: &str, value: String) -> serde_json::Result<Vec<u8>> {
    let (length, rest) = bytes.split_first_chunk().expect("the length of the header");
    let (header, tensors) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let mut header: Value = serde_json::from_slice(header)?;
    header["__metadata__"][key] = value.into();
    let mut header = header.to_string();
    header += &" ".repeat(header.len().next_multiple_of(size_of::<u64>()) - header.len());
    Ok([&(header.len() as u64).to_le_bytes(), header.as_bytes(), tensors].concat())
}

/// A zip archive of .npy files, as numpy.savez writes it, with the description as its comment: an entry would be one more
/// weight for load_state_dict.
fn to_npz(tensors: &[(String, &Weight)], description: String) -> Result<Vec<u8>> {
    let failed = |e: &dyn std::fmt::Display| Error::Failed(format!("cannot make an .npz: {e}"));
    let mut archive = ZipWriter::new(Cursor::new(vec![]));
    archive.set_comment(description).map_err(|e| failed(&e))?;
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, weight) in tensors {
        archive.start_file(format!("{name}.npy"), options).map_err(|e| failed(&e))?;
        let npy = Tensor::from_bytes(Dtype::F32, &weight.shape, &to_le_bytes(weight));
        archive.write_all(npy.bytes()).map_err(|e| failed(&e))?;
    }
    Ok(archive.finish().map_err(|e| failed(&e))?.into_inner())
}
