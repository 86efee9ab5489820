//! The model file: a safetensors container whose tensors are a PyTorch state dict, and one metadata key, `vae`, with the
//! [`Spec`] as JSON.
//!
//! The JSON ends in `,"sha256":"…"}`: the digest of the JSON text before that, and then of each tensor in the order of
//! names: its name, a zero byte, `F32`, a zero byte, each dimension as u64, and its bytes, all little endian. Nothing of
//! time, path, host or threads is in it: the same training gives the same bytes.

use super::{Model, Spec, Tensors, Trained, Weight};
use crate::hugepages::Pages;
use crate::{Error, ModelError, Result};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;
use vae_stream::{Foreign, hex};

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
    ///
    /// # Errors
    /// [`Error::Model`] for what is no model, is damaged, or does not fit its own description; [`Error::Io`] where memory is
    /// missing.
    pub fn from_bytes(bytes: &[u8], name: &str) -> Result<Model> {
        let bytes = Pages::read(bytes, bytes.len())
            .map_err(|source| Error::Io { what: format!("cannot hold {name}"), source })?;
        Ok(ModelFile::new(Arc::new(bytes), name)?.model())
    }
}

/// A checked file in memory. Tensors are converted on access, in place where they are aligned.
pub struct ModelFile {
    bytes: Arc<Pages>,
    spec: Spec,
    tensors: BTreeMap<String, Place>,
}

/// A tensor in the file.
struct Place {
    shape: Vec<usize>,
    bytes: Range<usize>,
}

impl ModelFile {
    /// Checks a file; `name` is for messages.
    pub(super) fn new(bytes: Arc<Pages>, name: &str) -> Result<ModelFile> {
        ModelFile::parse(bytes, name, true)
    }

    /// The same for bytes whose hash is verified, without a check of the digest.
    pub(super) fn verified(bytes: Arc<Pages>, name: &str) -> Result<ModelFile> {
        ModelFile::parse(bytes, name, false)
    }

    fn parse(bytes: Arc<Pages>, name: &str, check: bool) -> Result<ModelFile> {
        let wrong = |why: String| ModelError::Format { name: name.into(), why };
        match Foreign::of(&bytes) {
            Foreign::Safetensors => {}
            got => return Err(ModelError::Foreign { name: name.into(), got }.into()),
        }
        let (header, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| wrong(e.to_string()))?;
        let json = metadata
            .metadata()
            .as_ref()
            .and_then(|m| m.get(KEY))
            .ok_or_else(|| ModelError::NoMetadata { name: name.into(), key: KEY })?;
        let version = serde_json::from_str::<serde_json::Value>(json).ok().and_then(|v| v["vae_model"].as_u64());
        if let Some(version) = version.filter(|v| *v > Spec::VERSION as u64) {
            return Err(ModelError::Version { name: name.into(), version, newest: Spec::VERSION }.into());
        }
        let first = size_of::<u64>() + header; // the length of the header comes before it
        let mut tensors = BTreeMap::new();
        for (tensor, info) in metadata.tensors() {
            if info.dtype != Dtype::F32 {
                let got = format!("{:?}", info.dtype);
                return Err(ModelError::TensorType { name: name.into(), tensor, got }.into());
            }
            let (start, end) = info.data_offsets;
            tensors.insert(tensor, Place { shape: info.shape.clone(), bytes: first + start..first + end });
        }
        if check {
            let seal = json.rfind(SEAL).unwrap_or(json.len());
            let parts = tensors.iter().map(|(name, t)| (&name[..], &t.shape[..], &bytes[t.bytes.clone()]));
            if json[seal..] != format!("{SEAL}{}\"}}", digest(&json[..seal], parts)) {
                return Err(ModelError::Digest { name: name.into() }.into());
            }
        }
        let spec: Spec = serde_json::from_str(json).map_err(|e| wrong(e.to_string()))?;
        spec.check().map_err(|e| wrong(e.to_string()))?;
        Ok(ModelFile { bytes, spec, tensors })
    }

    /// The file as it is on disk.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The model in memory.
    pub fn model(&self) -> Model {
        let weights = self.tensors.keys().filter_map(|name| {
            let (shape, values) = self.tensor(name)?;
            Some((name.clone(), Weight { shape: shape.to_vec(), values: values.into_owned() }))
        });
        Model { spec: self.spec.clone(), weights: weights.collect() }
    }
}

impl Trained for ModelFile {
    fn spec(&self) -> &Spec {
        &self.spec
    }
}

impl Tensors for ModelFile {
    fn tensor(&self, name: &str) -> Option<(&[usize], Cow<'_, [f32]>)> {
        let Place { shape, bytes } = self.tensors.get(name)?;
        let bytes = &self.bytes[bytes.clone()];
        let values = match bytemuck::try_cast_slice(bytes) {
            Ok(values) if cfg!(target_endian = "little") => Cow::Borrowed(values),
            _ => bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(), // not aligned
        };
        Some((shape, values))
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
