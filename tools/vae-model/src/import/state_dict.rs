//! Reads an untrusted state dict file: allocations are capped by the size of the file or, unpacked, of a model.

use crate::loaded::expect_finite;
use crate::naming::DESCRIPTION;
use common::model::{Model, Spec, StateDict, Weight};
use half::{bf16, f16};
use safetensors::{Dtype as TensorDtype, SafeTensors};
use std::fmt::Display;
use std::fs::File;
use std::io::{Cursor, ErrorKind, Read};
use std::path::Path;
use vae_cli::{Error, Result, remedy};
use vae_stream::{Dtype, Foreign, Tensor};
use zip::ZipArchive;

/// Largest file in bytes, packed or unpacked: that of a model.
const MAX_BYTES: u64 = 1 << 30;
/// Buffers of modules that count, under any prefix: batches of averaged weights and of batch normalisation.
const COUNTERS: [&str; 2] = ["n_averaged", "num_batches_tracked"];

/// What a state dict file holds.
#[derive(Default)]
pub struct Contents {
    pub dict: StateDict,
    /// The names of entries that are no weights: counters, other integers, and the state of an optimizer.
    pub left_out: Vec<String>,
    /// The description of a model of ours, exported or with weights that another program has changed.
    pub spec: Option<Spec>,
}

impl Contents {
    /// Adds an entry; `values` is none where its type, which is called so, is no floating-point type.
    fn add(&mut self, name: &str, shape: &[usize], dtype: &str, values: Option<Vec<f32>>) -> Result<()> {
        match values {
            _ if is_no_weight(name, values.is_some()) => self.left_out.push(name.to_owned()),
            Some(values) => drop(self.dict.insert(name.to_owned(), Weight { shape: shape.to_vec(), values })),
            None => {
                return Err(Error::Data(format!(
                    "tensor {name}: expected floating-point numbers of 16, 32 or 64 bits, got {dtype}"
                )));
            }
        }
        Ok(())
    }
}

/// Whether an entry of this name is no weight of a network: a counter, integers that are not called a weight, or the
/// state of a checkpoint of ours.
fn is_no_weight(name: &str, is_float: bool) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let is_weight = ["weight", "bias", "mean", "components"].contains(&last);
    COUNTERS.contains(&last) || !is_float && !is_weight || name.starts_with("adam.") || name == "terms"
}

/// Reads a state dict; the first bytes tell the file format.
pub fn read(path: &Path) -> Result<Contents> {
    let bytes = read_capped(path, "a state dict as .safetensors or .npz")?;
    let mut contents = match Foreign::of(&bytes) {
        Foreign::Safetensors => safetensors(&bytes, path)?,
        Foreign::Zip => npz(&bytes, path)?,
        Foreign::Pickle => return Err(pickle(path)),
        got => return Err(foreign(&got)),
    };
    contents.left_out.sort(); // safetensors gives them in any order
    let dict = &contents.dict;
    match dict.iter().find(|(_, weight)| weight.values.is_empty()) {
        Some((name, weight)) => {
            Err(Error::Data(format!("tensor {name} is empty: expected numbers, got {:?}", weight.shape)))
        }
        None if dict.is_empty() => Err(Error::Data("no tensors: expected a state dict".into())),
        None => {
            dict.iter().try_for_each(|(name, weight)| expect_finite(name, &weight.values))?;
            Ok(contents)
        }
    }
}

/// The bytes of a file, which are at most those of a model.
pub fn read_capped(path: &Path, expected: &str) -> Result<Vec<u8>> {
    let name = path.display();
    if path.as_os_str() == "-" {
        return capped(vae_cli::input::open(None)?.0, "standard input");
    }
    let file = File::open(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => Error::NoInput(format!("{name}: no such file; expected {expected}")),
        _ => Error::io(format!("cannot open {name}"), e),
    })?;
    capped(file, &name)
}

fn capped(from: impl Read, name: impl Display) -> Result<Vec<u8>> {
    let mut bytes = vec![];
    from.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|e| Error::io(format!("cannot read {name}"), e))?;
    match bytes.len() as u64 {
        ..=MAX_BYTES => Ok(bytes),
        _ => Err(Error::Data(format!("too large for a model: expected at most {MAX_BYTES} bytes"))),
    }
}

fn safetensors(bytes: &[u8], path: &Path) -> Result<Contents> {
    let invalid = |e: safetensors::SafeTensorError| Error::Data(format!("bad .safetensors: {e}; save it again"));
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(invalid)?;
    let value = |key| metadata.metadata().as_ref().and_then(|m| m.get(key));
    let spec = match (value("vae"), value(DESCRIPTION)) {
        (Some(json), _) => Some(changed_model(bytes, json, path)?),
        (None, json) => json.map(|json| spec(json)).transpose()?,
    };
    let mut contents = Contents { spec, ..Contents::default() };
    for (name, tensor) in SafeTensors::deserialize(bytes).map_err(invalid)?.tensors() {
        let data = tensor.data();
        let values = match tensor.dtype() {
            TensorDtype::F32 => Some(data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
            TensorDtype::F64 => Some(data.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect()),
            TensorDtype::F16 => Some(data.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect()),
            TensorDtype::BF16 => Some(data.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect()),
            _ => None,
        };
        contents.add(&name, tensor.shape(), &format!("{:?}", tensor.dtype()), values)?;
    }
    Ok(contents)
}

/// The description of a model of ours, whose digest must not agree: its weights have been changed.
fn changed_model(bytes: &[u8], description: &str, path: &Path) -> Result<Spec> {
    let name = path.display().to_string();
    if Model::from_bytes(bytes, &name).is_ok() {
        return Err(Error::Data(
            "a model already: expected a state dict; use the model as it is, see vae-model verify".into(),
        ));
    }
    spec(description)
}

/// The description of a model of ours.
fn spec(json: &str) -> Result<Spec> {
    let spec = serde_json::from_str::<Spec>(json).ok().filter(|s| s.vae_model <= Spec::VERSION);
    spec.filter(|spec| spec.check().is_ok()).ok_or_else(|| {
        Error::Data(
            "bad metadata: expected the description of a model that this version reads; save the tensors without metadata"
                .into(),
        )
    })
}

fn npz(bytes: &[u8], path: &Path) -> Result<Contents> {
    let invalid = |e: &dyn Display| Error::Data(format!("not an .npz: expected a zip archive of .npy files, got {e}"));
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| invalid(&e))?;
    let any = |suffix: &[u8]| archive.file_names_raw().any(|name| name.ends_with(suffix));
    if any(b".pkl") {
        return Err(pickle(path));
    }
    if any(b".weights.h5") {
        return Err(Error::Data(format!("expected .safetensors or .npz, got a model of Keras{KERAS}")));
    }
    // Other programs comment archives too.
    let comment = str::from_utf8(archive.comment()).ok().filter(|comment| comment.starts_with("{\"vae_model\":"));
    let spec = comment.map(spec).transpose()?;
    let (mut contents, mut remaining) = (Contents { spec, ..Contents::default() }, MAX_BYTES);
    for entry in 0..archive.len() {
        let entry = archive.by_index(entry).map_err(|e| invalid(&e))?;
        let file = entry.name().map_err(|e| invalid(&e))?.into_owned();
        let name = file.strip_suffix(".npy").ok_or_else(|| invalid(&format_args!("one of {file}")))?;
        let mut npy = vec![];
        entry.take(remaining + 1).read_to_end(&mut npy).map_err(|e| invalid(&format_args!("{name}: {e}")))?;
        remaining = remaining.checked_sub(npy.len() as u64).ok_or_else(|| {
            Error::Data(format!("too large for a model: expected at most {MAX_BYTES} bytes unpacked"))
        })?;
        let within = |e: vae_stream::Error| Error::from(e.within(format_args!("tensor {name}")));
        let spec = Tensor::spec_of_npy(&npy).map_err(within)?;
        let is_float = matches!(spec.dtype, Dtype::F16 | Dtype::F32 | Dtype::F64);
        let values = match is_float && !is_no_weight(name, true) {
            true => Some(Tensor::from_npy(&npy).and_then(|t| t.to_f32()).map_err(within)?.into_raw_vec_and_offset().0),
            false => None,
        };
        contents.add(name, &spec.shape, spec.dtype.name(), values)?;
    }
    Ok(contents)
}

/// What to do with weights of Keras.
const KERAS: &str = "; numpy.savez its weights by name, with the kernel of each layer transposed to [out, in]";

/// The error of a file in another format.
fn foreign(got: &Foreign) -> Error {
    let remedy = match got {
        Foreign::Hdf5 => Some(KERAS.into()),
        Foreign::Network(_) => Some("; load it where it was made, and numpy.savez its weights by name".into()),
        Foreign::Npy => Some("; numpy.savez writes weights by name".into()),
        _ => remedy::stand_in(got),
    };
    Error::Data(format!("unknown file format: expected .safetensors or .npz, got {got}{}", remedy.unwrap_or_default()))
}

/// The error of a pickle, with its conversion: unpickling can run code, which weights_only of PyTorch prevents.
fn pickle(path: &Path) -> Error {
    let from = path.file_name().unwrap_or_default().to_string_lossy();
    let to = path.with_extension("npz");
    let to = to.file_name().unwrap_or_default().to_string_lossy();
    Error::Data(format!(
        "a pickle from PyTorch, and unpickling can run code: expected .safetensors or .npz; convert it in Python: \
         import torch, numpy; state = torch.load({from:?}, map_location=\"cpu\", weights_only=True); \
         state = state.get(\"state_dict\", state); numpy.savez({to:?}, **{{k: v.float().numpy() for k, v in state.items()}})"
    ))
}
