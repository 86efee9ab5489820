//! The first line of a stream: its tensors, its model and its history.

use serde_json::{Map, Value, json};

use crate::checksum::TAIL;
use crate::{CLASSES, Data, Dtype, Error, MAX_LINE, Result, Tensor, VERSION, check_name, history};

/// The description of a stream. Unknown keys are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Head(Map<String, Value>);

/// The type and the shape of one item of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// The type of its elements.
    pub dtype: Dtype,
    /// The shape, without the dimension of the items: `[28, 28]` for images, `[]` for labels.
    pub shape: Vec<usize>,
}

impl TensorSpec {
    /// Items of this type and shape.
    pub fn new(dtype: Dtype, shape: &[usize]) -> TensorSpec {
        TensorSpec { dtype, shape: shape.to_vec() }
    }

    /// The items of `tensor`.
    pub fn of(tensor: &Tensor) -> TensorSpec {
        TensorSpec::new(tensor.dtype(), &tensor.shape()[1..])
    }
}

impl std::fmt::Display for TensorSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.dtype, self.shape)
    }
}

/// The model of the latents in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelRef {
    /// A file.
    File {
        /// Its absolute path at the time.
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
    /// A head without tensors. A filter clones the head of its input instead.
    #[allow(clippy::new_without_default)] // a head is made on purpose
    pub fn new() -> Head {
        let mut map = Map::new();
        map.insert("vae".into(), VERSION.into());
        map.insert("type".into(), "head".into());
        map.insert("tensors".into(), json!({}));
        Head(map)
    }

    /// A head for main frames with the tensors of `data`.
    pub fn of(data: &Data) -> Head {
        let mut head = Head::new();
        head.describe(data);
        head
    }

    /// Replaces the tensors by those of `data`.
    pub fn describe(&mut self, data: &Data) {
        self.set("tensors", json!({}));
        for (name, tensor) in &data.tensors {
            self.set_tensor(name, TensorSpec::of(tensor));
        }
    }

    /// The tensors of every main frame.
    pub fn tensors(&self) -> Vec<(String, TensorSpec)> {
        let tensors = self.0.get("tensors").and_then(Value::as_object).into_iter().flatten();
        tensors.filter_map(|(name, spec)| Some((name.clone(), spec_of(spec)?))).collect()
    }

    /// The items of one tensor, if the stream has it.
    pub fn tensor(&self, name: &str) -> Option<TensorSpec> {
        spec_of(self.0.get("tensors")?.get(name)?)
    }

    /// The items of a tensor that must be there.
    ///
    /// # Errors
    /// [`Error::MissingTensor`].
    pub fn need(&self, name: &str) -> Result<TensorSpec> {
        self.tensor(name).ok_or_else(|| {
            let available = self.tensors().into_iter().map(|(name, _)| name).collect();
            Error::MissingTensor { name: name.to_owned(), available }
        })
    }

    /// Adds a tensor, or replaces the one of this name in its place.
    pub fn set_tensor(&mut self, name: &str, spec: TensorSpec) {
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

    /// Adds a program to the history: `tool` is its name and version. What is long is shortened, so that the head fits into
    /// its line.
    pub fn sign(&mut self, tool: &str, args: &[String]) {
        let mut history = match self.0.get_mut("history") {
            Some(Value::Array(history)) => std::mem::take(history),
            _ => Vec::new(),
        };
        history.push(history::entry(tool, args));
        self.set("history", json!([]));
        let others = Value::from(self.0.clone()).to_string().len() + TAIL;
        self.set("history", history::shorten(history, MAX_LINE.saturating_sub(others)).into());
    }

    /// The names of the labels `y`, from 0; none where they have no names, or where there are names of something else.
    pub fn classes(&self) -> Vec<String> {
        let names = |classes: &Vec<Value>| classes.iter().map(|name| Some(name.as_str()?.to_owned())).collect();
        self.get(CLASSES).and_then(Value::as_array).and_then(names).unwrap_or_default()
    }

    /// The value of any other key.
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

    /// The head of a verified line.
    pub(crate) fn parse(map: Map<String, Value>) -> Result<Head> {
        let version = map.get("vae").and_then(Value::as_u64);
        match version {
            Some(VERSION) => {}
            Some(v) if v > VERSION => {
                return Err(Error::Version { got: v });
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

    /// Checks that the stream of `next` may follow this one: same tensors, same model, same classes.
    ///
    /// # Errors
    /// [`Error::JoinedTensors`], [`Error::JoinedModels`] and [`Error::JoinedClasses`].
    pub fn check_same(&self, next: &Head) -> Result<()> {
        let (a, b) = (self.tensors(), next.tensors());
        if a.len() != b.len() || a.iter().any(|t| !b.contains(t)) {
            let list = |tensors: &[(String, TensorSpec)]| {
                let list: Vec<String> = tensors.iter().map(|(name, spec)| format!("{name} {spec}")).collect();
                if list.is_empty() { "no tensors".to_owned() } else { list.join(", ") }
            };
            return Err(Error::JoinedTensors { expected: list(&a), got: list(&b) });
        }
        let hash = |head: &Head| head.model().map_or("none".to_owned(), |m| m.sha256().to_owned());
        let (expected, got) = (hash(self), hash(next));
        if expected != got {
            return Err(Error::JoinedModels { expected, got });
        }
        let (expected, got) = (self.get(CLASSES), next.get(CLASSES));
        let json = |classes: Option<&Value>| classes.map_or("none".to_owned(), Value::to_string);
        if expected == got { Ok(()) } else { Err(Error::JoinedClasses { expected: json(expected), got: json(got) }) }
    }
}

fn spec_of(spec: &Value) -> Option<TensorSpec> {
    let dtype = Dtype::from_name(spec.get("dtype")?.as_str()?)?;
    Some(TensorSpec { dtype, shape: shape_of(spec.get("shape")?)? })
}

/// A shape with dimensions of at least 1.
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
    Error::Head { expected: expected.to_owned(), got }
}
