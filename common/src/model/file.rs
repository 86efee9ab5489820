//! The model file: a safetensors container whose tensors are a PyTorch state dict, and one metadata key, `vae`, with the
//! [`Spec`] as JSON.
//!
//! The JSON ends in `,"sha256":"…"}`: the digest of the JSON text before that, and then of each tensor in the order of
//! names: its name, a zero byte, `F32`, a zero byte, each dimension as u64, and its bytes, all little endian. Nothing of
//! time, path, host or threads is in it: the same training gives the same bytes.

use super::{Model, Spec, Weight};
use crate::{Error, Result};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

const KEY: &str = "vae";
const SEAL: &str = ",\"sha256\":\"";

impl Model {
    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let tensors: Vec<(&str, &[usize], Vec<u8>)> = self
            .weights
            .iter()
            .map(|(name, w)| (&name[..], &w.shape[..], w.values.iter().flat_map(|v| v.to_le_bytes()).collect()))
            .collect();
        let mut json = serde_json::to_string(&self.spec).expect("a spec is plain data");
        json.pop(); // the closing brace comes after the digest
        let digest = digest(&json, tensors.iter().map(|(name, shape, bytes)| (*name, *shape, &bytes[..])));
        json = format!("{json}{SEAL}{digest}\"}}");
        let views = tensors.iter().map(|(name, shape, bytes)| {
            (*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).expect("a weight fills its shape"))
        });
        safetensors::serialize(views, Some(HashMap::from([(KEY.into(), json)]))).expect("names are distinct")
    }

    /// Reads a file; `name` is for messages.
    pub fn from_bytes(bytes: &[u8], name: &str) -> Result<Model> {
        let wrong =
            |what: String| Error::Data(format!("{name} is not a model: {what}; expected a file written by vae-train"));
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| wrong(e.to_string()))?;
        let file = SafeTensors::deserialize(bytes).map_err(|e| wrong(e.to_string()))?;
        let json = header.metadata().as_ref().and_then(|m| m.get(KEY)).ok_or_else(|| {
            Error::Data(format!(
                "{name} is a safetensors file without the metadata key `{KEY}`; expected a file written by vae-train"
            ))
        })?;
        let version = serde_json::from_str::<serde_json::Value>(json).ok().and_then(|v| v["vae_model"].as_u64());
        if version.is_some_and(|v| v > Spec::VERSION as u64) {
            let version = version.unwrap_or_default();
            return Err(Error::Data(format!(
                "{name} is a model of form {version}: expected at most {}; use newer tools",
                Spec::VERSION
            )));
        }
        let mut tensors = file.tensors();
        tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
        if let Some((name, view)) = tensors.iter().find(|(_, view)| view.dtype() != Dtype::F32) {
            return Err(wrong(format!("tensor {name} is {:?} where F32 was expected", view.dtype())));
        }
        let seal = json.rfind(SEAL).unwrap_or(json.len());
        let digest = digest(&json[..seal], tensors.iter().map(|(name, view)| (&name[..], view.shape(), view.data())));
        if json[seal..] != format!("{SEAL}{digest}\"}}") {
            return Err(Error::Data(format!(
                "{name} is damaged: its sha256 does not agree with its content; make it anew"
            )));
        }
        let spec: Spec = serde_json::from_str(json).map_err(|e| wrong(e.to_string()))?;
        spec.check().map_err(|e| wrong(e.to_string()))?;
        let weights = tensors.into_iter().map(|(name, view)| {
            let values = view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            (name, Weight { shape: view.shape().to_vec(), values })
        });
        Ok(Model { spec, weights: weights.collect() })
    }
}

/// Tensors come as (name, shape, bytes), by name.
fn digest<'a>(json: &str, tensors: impl Iterator<Item = (&'a str, &'a [usize], &'a [u8])>) -> String {
    let mut hash = Sha256::new();
    hash.update(json);
    for (name, shape, bytes) in tensors {
        hash.update(name);
        hash.update(b"\0F32\0");
        for size in shape {
            hash.update((*size as u64).to_le_bytes());
        }
        hash.update(bytes);
    }
    hex(&hash.finalize())
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// SHA-256 of some bytes, in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
