//! The first line of a stream: what its items are, which model made them, and how they came about.

use serde_json::{Map, Value, json};

use crate::tensor::describe;
use crate::{Data, Dtype, Error, Result, Tensor, VERSION, check_name};

/// The description of a stream. Keys it does not know are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Head(Map<String, Value>);

/// What one item of a tensor is: the kind of its numbers and its shape, without the dimension of the items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The kind of its numbers.
    pub dtype: Dtype,
    /// The shape of one item: `[28, 28]` for images, `[]` for labels.
    pub shape: Vec<usize>,
}

impl Spec {
    /// A tensor whose items have this kind and shape.
    pub fn new(dtype: Dtype, shape: &[usize]) -> Spec {
        Spec { dtype, shape: shape.to_vec() }
    }

    /// What the items of `tensor` are.
    pub fn of(tensor: &Tensor) -> Spec {
        Spec::new(tensor.dtype(), &tensor.shape()[1..])
    }
}

impl std::fmt::Display for Spec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&describe(self.dtype, &self.shape))
    }
}

/// Where the model is that the latents of a stream belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelRef {
    /// A file.
    File {
        /// Its absolute path when it was read.
        path: String,
        /// The SHA-256 of the whole file, as 64 lower-case hexadecimal digits.
        sha256: String,
    },
    /// A frame of group `model` right after the head; see [`Data::model`](crate::Data::model).
    Embedded {
        /// The SHA-256 of the embedded bytes.
        sha256: String,
    },
}

impl ModelRef {
    /// The SHA-256 of the model's bytes.
    pub fn sha256(&self) -> &str {
        match self {
            ModelRef::File { sha256, .. } | ModelRef::Embedded { sha256 } => sha256,
        }
    }
}

impl Head {
    /// A head that describes nothing yet. A filter clones its input's head instead.
    #[allow(clippy::new_without_default)] // no one needs it
    pub fn new() -> Head {
        let mut map = Map::new();
        map.insert("vae".into(), VERSION.into());
        map.insert("type".into(), "head".into());
        map.insert("tensors".into(), json!({}));
        Head(map)
    }

    /// A head for main frames that look like `data`.
    pub fn of(data: &Data) -> Head {
        let mut head = Head::new();
        head.describe(data);
        head
    }

    /// Lets the tensors of the main frames be those of `data`, and no others.
    pub fn describe(&mut self, data: &Data) {
        self.set("tensors", json!({}));
        for (name, tensor) in &data.tensors {
            self.set_tensor(name, Spec::of(tensor));
        }
    }

    /// The tensors of every main frame.
    pub fn tensors(&self) -> Vec<(String, Spec)> {
        let tensors = self.0.get("tensors").and_then(Value::as_object).into_iter().flatten();
        tensors.filter_map(|(name, spec)| Some((name.clone(), spec_of(spec)?))).collect()
    }

    /// What the items of one tensor are, if the stream has it.
    pub fn tensor(&self, name: &str) -> Option<Spec> {
        spec_of(self.0.get("tensors")?.get(name)?)
    }

    /// What the items of a tensor are that must be there.
    ///
    /// # Errors
    /// [`Error::Data`], with the names there are.
    pub fn need(&self, name: &str) -> Result<Spec> {
        self.tensor(name).ok_or_else(|| {
            let names: Vec<String> = self.tensors().into_iter().map(|(name, _)| name).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Error::Data(format!("no tensor {name} in the stream: expected it among {names}"))
        })
    }

    /// Adds a tensor, or replaces the one of this name in its place.
    pub fn set_tensor(&mut self, name: &str, spec: Spec) {
        if let Some(Value::Object(tensors)) = self.0.get_mut("tensors") {
            tensors.insert(name.to_owned(), json!({"dtype": spec.dtype.name(), "shape": spec.shape}));
        }
    }

    /// Removes a tensor, if the stream has it.
    pub fn remove_tensor(&mut self, name: &str) {
        if let Some(Value::Object(tensors)) = self.0.get_mut("tensors") {
            tensors.shift_remove(name);
        }
    }

    /// The model that the stream names.
    pub fn model(&self) -> Option<ModelRef> {
        model_of(self.0.get("model")?)
    }

    /// Names the model, or none.
    pub fn set_model(&mut self, model: Option<&ModelRef>) {
        match model {
            Some(ModelRef::File { path, sha256 }) => {
                self.0.insert("model".into(), json!({"path": path, "sha256": sha256}));
            }
            Some(ModelRef::Embedded { sha256 }) => {
                self.0.insert("model".into(), json!({"sha256": sha256, "embedded": true}));
            }
            None => {
                self.0.shift_remove("model");
            }
        }
    }

    /// Adds a program, by its name and version, and its arguments to the history.
    pub fn sign(&mut self, tool: &str, args: &[String]) {
        let entry = json!({"tool": tool, "args": args});
        match self.0.get_mut("history") {
            Some(Value::Array(history)) => history.push(entry),
            _ => {
                self.0.insert("history".into(), json!([entry]));
            }
        }
    }

    /// Any other key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Sets any other key.
    pub fn set(&mut self, key: &str, value: Value) {
        self.0.insert(key.to_owned(), value);
    }

    /// The head as JSON.
    pub fn as_json(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Checks the line that a head is.
    pub(crate) fn parse(map: Map<String, Value>) -> Result<Head> {
        let version = map.get("vae").and_then(Value::as_u64);
        match version {
            Some(VERSION) => {}
            Some(v) if v > VERSION => {
                return Err(Error::Data(format!(
                    "a stream of version {v}: expected version {VERSION}; it needs programs of a later release"
                )));
            }
            _ => return Err(bad(&format!("version {VERSION}"), map.get("vae"))),
        }
        if map.get("type").and_then(Value::as_str) != Some("head") {
            return Err(bad(r#""type":"head""#, map.get("type")));
        }
        let Some(Value::Object(tensors)) = map.get("tensors") else {
            return Err(bad(r#""tensors":{name:{"dtype":..,"shape":[..]}}"#, map.get("tensors")));
        };
        for (name, spec) in tensors {
            check_name(name)?;
            spec_of(spec).ok_or_else(|| bad(r#"{"dtype":"<f4","shape":[..]}"#, Some(spec)))?;
        }
        if let Some(model) = map.get("model") {
            model_of(model).ok_or_else(|| bad(r#"{"path":..,"sha256":..}"#, Some(model)))?;
        }
        match map.get("history") {
            None | Some(Value::Array(_)) => Ok(Head(map)),
            other => Err(bad("a list as history", other)),
        }
    }

    /// Checks that the stream of `next` may be joined to this one: same tensors, same model.
    ///
    /// # Errors
    /// [`Error::Data`], with what differs.
    pub fn check_same(&self, next: &Head) -> Result<()> {
        let (a, b) = (self.tensors(), next.tensors());
        if a.len() != b.len() || a.iter().any(|t| !b.contains(t)) {
            let list = |tensors: &[(String, Spec)]| {
                let list: Vec<String> = tensors.iter().map(|(name, spec)| format!("{name} {spec}")).collect();
                if list.is_empty() { "no tensors".to_owned() } else { list.join(", ") }
            };
            let (a, b) = (list(&a), list(&b));
            return Err(Error::Data(format!("joined streams differ: expected {a}, got {b}; join like with like")));
        }
        let hash = |head: &Head| head.model().map_or("none".to_owned(), |m| m.sha256().to_owned());
        let (a, b) = (hash(self), hash(next));
        if a != b {
            return Err(Error::Data(format!("joined streams have different models: expected {a}, got {b}")));
        }
        Ok(())
    }
}

fn spec_of(spec: &Value) -> Option<Spec> {
    let dtype = Dtype::from_name(spec.get("dtype")?.as_str()?)?;
    Some(Spec { dtype, shape: shape_of(spec.get("shape")?)? })
}

/// A shape whose dimensions are all at least 1.
pub(crate) fn shape_of(shape: &Value) -> Option<Vec<usize>> {
    let dimension = |d: &Value| d.as_u64().and_then(|d| usize::try_from(d).ok()).filter(|d| *d > 0);
    shape.as_array()?.iter().map(dimension).collect()
}

fn model_of(model: &Value) -> Option<ModelRef> {
    let sha256 = model.get("sha256")?.as_str()?.to_owned();
    if sha256.len() != 64 || !sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    match model.get("embedded") {
        Some(Value::Bool(true)) => Some(ModelRef::Embedded { sha256 }),
        None => Some(ModelRef::File { path: model.get("path")?.as_str()?.to_owned(), sha256 }),
        Some(_) => None,
    }
}

fn bad(expected: &str, got: Option<&Value>) -> Error {
    let got = got.map_or("nothing".to_owned(), Value::to_string);
    Error::Data(format!("bad head: expected {expected}, got {got}"))
}
