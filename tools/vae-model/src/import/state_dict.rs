//! Reads an untrusted state dict file: allocations are capped by the size of the file or, unpacked, of a model.

use crate::loaded::expect_finite;
use common::model::{StateDict, Weight};
use half::{bf16, f16};
use safetensors::{Dtype as TensorDtype, SafeTensors};
use std::fs::File;
use std::io::{Cursor, ErrorKind, Read};
use std::path::Path;
use vae_cli::{Error, Result};
use vae_stream::{Dtype, Tensor};
use zip::ZipArchive;

/// Largest file in bytes, packed or unpacked: that of a model.
const MAX_BYTES: u64 = 1 << 30;

/// Reads a state dict; the first bytes tell the file format.
pub fn read(path: &Path) -> Result<StateDict> {
    let bytes = read_capped(path)?;
    let dict = match &bytes[..] {
        // .safetensors: the header's length as u64, below 4 GiB, then its JSON.
        [_, _, _, _, 0, 0, 0, 0, b'{', ..] => safetensors(&bytes)?,
        [b'P', b'K', ..] => npz(&bytes, path)?,
        // A bare pickle: torch.save before PyTorch 1.6, and pickle.dump.
        [0x80, 0..=5, ..] => return Err(pickle(path)),
        _ => return Err(Error::Data("unknown file format: expected .safetensors or .npz".into())),
    };
    match dict.iter().find(|(_, weight)| weight.values.is_empty()) {
        Some((name, weight)) => {
            Err(Error::Data(format!("tensor {name} is empty: expected numbers, got {:?}", weight.shape)))
        }
        None if dict.is_empty() => Err(Error::Data("no tensors: expected a state dict".into())),
        None => {
            dict.iter().try_for_each(|(name, weight)| expect_finite(name, &weight.values))?;
            Ok(dict)
        }
    }
}

fn read_capped(path: &Path) -> Result<Vec<u8>> {
    let name = path.display();
    let file = File::open(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => {
            Error::NoInput(format!("{name}: no such file; expected a state dict as .safetensors or .npz"))
        }
        _ => Error::io(format!("cannot open {name}"), e),
    })?;
    let mut bytes = vec![];
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|e| Error::io(format!("cannot read {name}"), e))?;
    match bytes.len() as u64 {
        ..=MAX_BYTES => Ok(bytes),
        _ => Err(Error::Data(format!("too large for a model: expected at most {MAX_BYTES} bytes"))),
    }
}

fn safetensors(bytes: &[u8]) -> Result<StateDict> {
    let invalid = |e: safetensors::SafeTensorError| {
        Error::Data(format!("unknown file format: expected .safetensors or .npz, got what is neither ({e})"))
    };
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(invalid)?;
    if metadata.metadata().as_ref().is_some_and(|m| m.contains_key("vae")) {
        return Err(Error::Data(
            "a model already: expected a state dict; use the model as it is, see vae-model verify".into(),
        ));
    }
    let file = SafeTensors::deserialize(bytes).map_err(invalid)?;
    let tensors = file.tensors().into_iter().map(|(name, tensor)| {
        let data = tensor.data();
        let values = match tensor.dtype() {
            TensorDtype::F32 => data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            TensorDtype::F64 => data.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
            TensorDtype::F16 => data.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
            TensorDtype::BF16 => data.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect(),
            other => return Err(not_floats(&name, &format!("{other:?}"))),
        };
        Ok((name, Weight { shape: tensor.shape().to_vec(), values }))
    });
    tensors.collect()
}

fn npz(bytes: &[u8], path: &Path) -> Result<StateDict> {
    let invalid =
        |e: &dyn std::fmt::Display| Error::Data(format!("not an .npz: expected a zip archive of .npy files, got {e}"));
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| invalid(&e))?;
    if archive.file_names_raw().any(|name| name.ends_with(b".pkl")) {
        return Err(pickle(path));
    }
    let (mut dict, mut remaining) = (StateDict::new(), MAX_BYTES);
    for entry in 0..archive.len() {
        let entry = archive.by_index(entry).map_err(|e| invalid(&e))?;
        let file = entry.name().map_err(|e| invalid(&e))?.into_owned();
        let name = file.strip_suffix(".npy").ok_or_else(|| invalid(&format_args!("one of {file}")))?;
        let mut npy = vec![];
        entry.take(remaining + 1).read_to_end(&mut npy).map_err(|e| invalid(&format_args!("{name}: {e}")))?;
        remaining = remaining.checked_sub(npy.len() as u64).ok_or_else(|| {
            Error::Data(format!("too large for a model: expected at most {MAX_BYTES} bytes unpacked"))
        })?;
        let tensor = Tensor::from_npy(&npy).map_err(|e| e.within(format_args!("tensor {name}")))?;
        if !matches!(tensor.dtype(), Dtype::F16 | Dtype::F32 | Dtype::F64) {
            return Err(not_floats(name, tensor.dtype().name()));
        }
        let values = tensor.to_f32().map_err(|e| e.within(format_args!("tensor {name}")))?;
        let shape = tensor.shape().to_vec();
        dict.insert(name.to_owned(), Weight { shape, values: values.into_raw_vec_and_offset().0 });
    }
    Ok(dict)
}

fn not_floats(name: &str, got: &str) -> Error {
    Error::Data(format!("tensor {name}: expected floating-point numbers of 16, 32 or 64 bits, got {got}"))
}

/// The error of a pickle, with its conversion: unpickling can run code, which weights_only of PyTorch prevents.
fn pickle(path: &Path) -> Error {
    let from = path.file_name().unwrap_or_default().to_string_lossy();
    let to = path.with_extension("npz");
    let to = to.file_name().unwrap_or_default().to_string_lossy();
    Error::Data(format!(
        "a pickle from PyTorch, and unpickling can run code: expected .safetensors or .npz; convert it in Python: \
         import torch, numpy; state = torch.load({from:?}, map_location=\"cpu\", weights_only=True); \
         numpy.savez({to:?}, **{{k: v.float().numpy() for k, v in state.items()}})"
    ))
}
