//! The tensors of a file of anyone: never more is allocated than the file holds or, unpacked, a model may.

use crate::opened::finite;
use common::model::{StateDict, Weight};
use half::{bf16, f16};
use safetensors::{Dtype as Stored, SafeTensors};
use std::fs::File;
use std::io::{Cursor, ErrorKind, Read};
use std::path::Path;
use vae_cli::{Error, Result};
use vae_stream::{Dtype, Tensor};
use zip::ZipArchive;

/// Bytes of a file at most, packed or unpacked, as of a model.
const MOST: u64 = 1 << 30;

/// Reads a state dict; what kind of file it is, its first bytes tell.
pub fn read(path: &Path) -> Result<StateDict> {
    let bytes = bytes(path)?;
    let dict = match &bytes[..] {
        // The length of a header of less than 4 GiB, and the header.
        [_, _, _, _, 0, 0, 0, 0, b'{', ..] => safetensors(&bytes)?,
        [b'P', b'K', ..] => npz(&bytes, path)?,
        // As torch.save wrote before it made archives, and as pickle.dump writes.
        [0x80, 0..=5, ..] => return Err(pickle(path)),
        _ => return Err(Error::Data("no state dict that is known here: expected .safetensors or .npz".into())),
    };
    match dict.iter().find(|(_, weight)| weight.values.is_empty()) {
        Some((name, weight)) => {
            Err(Error::Data(format!("tensor {name} is empty: expected numbers, got {:?}", weight.shape)))
        }
        None if dict.is_empty() => Err(Error::Data("no tensors: expected a state dict".into())),
        None => {
            dict.iter().try_for_each(|(name, weight)| finite(name, &weight.values))?;
            Ok(dict)
        }
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    let name = path.display();
    let file = File::open(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => {
            Error::NoInput(format!("{name}: no such file; expected a state dict as .safetensors or .npz"))
        }
        _ => Error::io(format!("cannot open {name}"), e),
    })?;
    let mut bytes = vec![];
    file.take(MOST + 1).read_to_end(&mut bytes).map_err(|e| Error::io(format!("cannot read {name}"), e))?;
    match bytes.len() as u64 {
        ..=MOST => Ok(bytes),
        _ => Err(Error::Data(format!("too large for a model: expected at most {MOST} bytes"))),
    }
}

fn safetensors(bytes: &[u8]) -> Result<StateDict> {
    let wrong = |e: safetensors::SafeTensorError| {
        Error::Data(format!(
            "no state dict that is known here: expected .safetensors or .npz, got what is neither ({e})"
        ))
    };
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(wrong)?;
    if metadata.metadata().as_ref().is_some_and(|m| m.contains_key("vae")) {
        return Err(Error::Data(
            "a model already: expected a state dict; use it as it is, see vae-model verify".into(),
        ));
    }
    let file = SafeTensors::deserialize(bytes).map_err(wrong)?;
    let tensors = file.tensors().into_iter().map(|(name, tensor)| {
        let data = tensor.data();
        let values = match tensor.dtype() {
            Stored::F32 => data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Stored::F64 => data.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect(),
            Stored::F16 => data.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
            Stored::BF16 => data.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32()).collect(),
            other => return Err(no_floats(&name, &format!("{other:?}"))),
        };
        Ok((name, Weight { shape: tensor.shape().to_vec(), values }))
    });
    tensors.collect()
}

fn npz(bytes: &[u8], path: &Path) -> Result<StateDict> {
    let wrong =
        |e: &dyn std::fmt::Display| Error::Data(format!("no .npz: expected a zip archive of .npy files, got {e}"));
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| wrong(&e))?;
    if archive.file_names_raw().any(|name| name.ends_with(b".pkl")) {
        return Err(pickle(path));
    }
    let (mut dict, mut left) = (StateDict::new(), MOST);
    for entry in 0..archive.len() {
        let entry = archive.by_index(entry).map_err(|e| wrong(&e))?;
        let file = entry.name().map_err(|e| wrong(&e))?.into_owned();
        let name = file.strip_suffix(".npy").ok_or_else(|| wrong(&format_args!("one of {file}")))?;
        let mut npy = vec![];
        entry.take(left + 1).read_to_end(&mut npy).map_err(|e| wrong(&format_args!("{name}: {e}")))?;
        left = left
            .checked_sub(npy.len() as u64)
            .ok_or_else(|| Error::Data(format!("too large for a model: expected at most {MOST} bytes unpacked")))?;
        let tensor = Tensor::from_npy(&npy).map_err(|e| e.within(format_args!("tensor {name}")))?;
        if !matches!(tensor.dtype(), Dtype::F16 | Dtype::F32 | Dtype::F64) {
            return Err(no_floats(name, tensor.dtype().name()));
        }
        let values = tensor.to_f32().map_err(|e| e.within(format_args!("tensor {name}")))?;
        let shape = tensor.shape().to_vec();
        dict.insert(name.to_owned(), Weight { shape, values: values.into_raw_vec_and_offset().0 });
    }
    Ok(dict)
}

fn no_floats(name: &str, got: &str) -> Error {
    Error::Data(format!("tensor {name}: expected floating-point numbers of 16, 32 or 64 bits, got {got}"))
}

/// PixelTransform a pickle runs the code in it. PyTorch can leave that out, and NumPy needs none.
fn pickle(path: &Path) -> Error {
    let from = path.file_name().unwrap_or_default().to_string_lossy();
    let to = path.with_extension("npz");
    let to = to.file_name().unwrap_or_default().to_string_lossy();
    Error::Data(format!(
        "a pickle of PyTorch, and to read one can run code: expected .safetensors or .npz; convert it in Python: import \
         torch, numpy; state = torch.load({from:?}, map_location=\"cpu\", weights_only=True); numpy.savez({to:?}, **{{k: \
         v.float().numpy() for k, v in state.items()}})"
    ))
}
