//! What lies between the head and the end of a stream.

use std::ops::Range;

use ndarray::ArrayD;
use serde_json::{Map, Value, json};

use crate::head::shape_of;
use crate::npy::{self, Header};
use crate::tensor::describe;
use crate::{Dtype, Error, MAX_FRAME, Result, Spec, Tensor, check_name};

/// The group of the frame that holds an embedded model.
pub(crate) const MODEL: &str = "model";

/// One frame of a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// Tensors.
    Data(Data),
    /// A record, say the losses of an epoch. The keys `type` and `crc32` belong to the stream.
    Json(Map<String, Value>),
}

impl From<Data> for Frame {
    fn from(data: Data) -> Frame {
        Frame::Data(data)
    }
}

impl From<Map<String, Value>> for Frame {
    fn from(record: Map<String, Value>) -> Frame {
        Frame::Json(record)
    }
}

/// Tensors that hold the same number of items, at least one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Data {
    /// Which of several sequences this belongs to; none is the main one, which the head describes and filters work on.
    pub group: Option<String>,
    /// The epoch of training that it comes from.
    pub epoch: Option<u64>,
    /// The tensors by name, in the order of the stream.
    pub tensors: Vec<(String, Tensor)>,
    /// Other keys, passed on as they are.
    pub extra: Map<String, Value>,
}

impl Data {
    /// A frame of the main group.
    pub fn new<N: Into<String>>(tensors: impl IntoIterator<Item = (N, Tensor)>) -> Data {
        Data { tensors: tensors.into_iter().map(|(name, t)| (name.into(), t)).collect(), ..Data::default() }
    }

    /// The frame that holds an embedded model: the bytes of its file. It comes right after the head.
    pub fn model(bytes: &[u8]) -> Data {
        let tensor = Tensor::from_bytes(Dtype::U8, &[bytes.len()], bytes);
        Data { group: Some(MODEL.to_owned()), ..Data::new([(MODEL, tensor)]) }
    }

    /// Whether the frame holds an embedded model.
    pub fn is_model(&self) -> bool {
        self.group.as_deref() == Some(MODEL)
    }

    /// Whether the frame is of the main group.
    pub fn is_main(&self) -> bool {
        self.group.is_none()
    }

    /// How many items each of its tensors holds.
    pub fn items(&self) -> usize {
        self.tensors.first().map_or(0, |(_, t)| t.items())
    }

    /// Some of its items, in order.
    ///
    /// # Panics
    /// If there are not as many.
    pub fn slice(&self, items: Range<usize>) -> Data {
        let tensors = self.tensors.iter().map(|(name, t)| (name.clone(), t.slice(items.clone()))).collect();
        Data { tensors, group: self.group.clone(), epoch: self.epoch, extra: self.extra.clone() }
    }

    /// The items of all `parts`, in order, with the other keys of the first; their tensors must agree in all but number.
    ///
    /// # Errors
    /// [`Error::Data`] where a part lacks a tensor or has another kind of items, or all are beyond a frame's limit.
    pub fn concat(parts: Vec<Data>) -> Result<Data> {
        let Some(first) = parts.first() else { return Ok(Data::default()) };
        let tensors = first.tensors.iter().map(|(name, _)| {
            let same: Vec<Tensor> = parts.iter().map(|part| part.need(name).cloned()).collect::<Result<_>>()?;
            Ok((name.clone(), Tensor::concat(&same)?))
        });
        let tensors = tensors.collect::<Result<_>>()?;
        Ok(Data { tensors, group: first.group.clone(), epoch: first.epoch, extra: first.extra.clone() })
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|(n, _)| n == name).map(|(_, t)| t)
    }

    /// Removes and gives the tensor of this name.
    pub fn take(&mut self, name: &str) -> Option<Tensor> {
        let at = self.tensors.iter().position(|(n, _)| n == name)?;
        Some(self.tensors.remove(at).1)
    }

    /// Adds a tensor, or replaces the one of this name in its place.
    pub fn set(&mut self, name: &str, tensor: Tensor) {
        match self.tensors.iter_mut().find(|(n, _)| n == name) {
            Some((_, t)) => *t = tensor,
            None => self.tensors.push((name.to_owned(), tensor)),
        }
    }

    /// The tensor of this name, which must be there.
    ///
    /// # Errors
    /// [`Error::Data`], with the names there are.
    pub fn need(&self, name: &str) -> Result<&Tensor> {
        self.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.tensors.iter().map(|(n, _)| n.as_str()).collect();
            Error::Data(format!("no tensor {name} in the stream: expected it among {}", names.join(", ")))
        })
    }

    /// [`Tensor::to_f32`] of the tensor of this name, which errors name.
    ///
    /// # Errors
    /// [`Error::Data`] where there is none, or its values do not fit.
    pub fn f32(&self, name: &str) -> Result<ArrayD<f32>> {
        self.need(name)?.to_f32().map_err(|e| e.within(format!("tensor {name}")))
    }

    /// [`Tensor::to_u8`] of the tensor of this name, which errors name.
    ///
    /// # Errors
    /// [`Error::Data`] where there is none, or its values do not fit.
    pub fn u8(&self, name: &str) -> Result<ArrayD<u8>> {
        self.need(name)?.to_u8().map_err(|e| e.within(format!("tensor {name}")))
    }

    /// [`Tensor::to_i64`] of the tensor of this name, which errors name.
    ///
    /// # Errors
    /// [`Error::Data`] where there is none, or its values do not fit.
    pub fn i64(&self, name: &str) -> Result<ArrayD<i64>> {
        self.need(name)?.to_i64().map_err(|e| e.within(format!("tensor {name}")))
    }

    /// The frame's line, without its crc.
    pub(crate) fn line(&self) -> Map<String, Value> {
        let mut map = Map::new();
        map.insert("type".into(), "data".into());
        if let Some(group) = &self.group {
            map.insert("group".into(), group.as_str().into());
        }
        if let Some(epoch) = self.epoch {
            map.insert("epoch".into(), epoch.into());
        }
        let tensors = self.tensors.iter().map(
            |(name, t)| json!({"name": name, "dtype": t.dtype().name(), "shape": t.shape(), "nbytes": t.bytes().len()}),
        );
        map.insert("tensors".into(), tensors.collect());
        for (key, value) in &self.extra {
            map.entry(key.as_str()).or_insert_with(|| value.clone());
        }
        map
    }

    /// What the line of a data frame announces, and the frame that its payloads will fill.
    pub(crate) fn parse(mut map: Map<String, Value>) -> Result<(Data, Vec<Payload>)> {
        let group = match map.shift_remove("group") {
            None => None,
            Some(Value::String(group)) => Some(check_name(&group).map(|()| group)?),
            Some(other) => return Err(bad("a name as group", &other)),
        };
        let epoch = match map.shift_remove("epoch") {
            None => None,
            Some(epoch) => Some(epoch.as_u64().ok_or_else(|| bad("a whole number as epoch", &epoch))?),
        };
        let list = map.shift_remove("tensors").unwrap_or_default();
        let Some(list) = list.as_array().filter(|list| !list.is_empty()) else {
            return Err(bad("a list of tensors", &list));
        };
        let payloads: Vec<Payload> = list.iter().map(Payload::parse).collect::<Result<_>>()?;
        for (i, payload) in payloads.iter().enumerate() {
            if payloads[..i].iter().any(|p| p.name == payload.name) {
                return Err(Error::Data(format!("bad frame: tensor {} appears twice", payload.name)));
            }
        }
        check_items(payloads.iter().map(|p| (p.name.as_str(), p.shape[0])))?;
        check_size(payloads.iter().map(|p| p.nbytes))?;
        map.shift_remove("type");
        Ok((Data { group, epoch, tensors: Vec::with_capacity(payloads.len()), extra: map }, payloads))
    }

    /// Checks a frame that a program made, against the head under which it will be written.
    pub(crate) fn check(&self, schema: &[(String, Spec)]) -> Result<()> {
        check_items(self.tensors.iter().map(|(name, t)| (name.as_str(), t.items())))?;
        check_size(self.tensors.iter().map(|(_, t)| t.bytes().len()))?;
        match &self.group {
            None => check_schema(schema, self.tensors.iter().map(|(n, t)| (n, Spec::of(t)))),
            Some(group) => self.tensors.iter().map(|(name, _)| name).chain([group]).try_for_each(|n| check_name(n)),
        }
    }
}

/// A tensor as the line of a frame announces it.
pub(crate) struct Payload {
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) nbytes: usize,
}

impl Payload {
    fn parse(entry: &Value) -> Result<Payload> {
        let parsed = || {
            let name = entry.get("name")?.as_str()?.to_owned();
            let dtype = Dtype::from_name(entry.get("dtype")?.as_str()?)?;
            let shape = shape_of(entry.get("shape")?).filter(|shape| !shape.is_empty())?;
            let nbytes = usize::try_from(entry.get("nbytes")?.as_u64()?).ok()?;
            Some(Payload { name, dtype, shape, nbytes })
        };
        let payload = parsed().ok_or_else(|| bad(r#"{"name":..,"dtype":"<f4","shape":[N,..],"nbytes":..}"#, entry))?;
        check_name(&payload.name)?;
        let header = npy::data_len(payload.dtype, &payload.shape).and_then(|data| payload.nbytes.checked_sub(data));
        if header.is_none_or(|header| header < Header::MIN) {
            return Err(bad("nbytes that hold the shape", entry));
        }
        Ok(payload)
    }

    /// What its items are.
    pub(crate) fn spec(&self) -> Spec {
        Spec::new(self.dtype, &self.shape[1..])
    }

    /// Checks that the .npy that arrived is the one announced.
    pub(crate) fn check(&self, tensor: &Tensor) -> Result<()> {
        if tensor.dtype() != self.dtype || tensor.shape() != self.shape {
            let announced = describe(self.dtype, &self.shape);
            let arrived = describe(tensor.dtype(), tensor.shape());
            return Err(Error::Data(format!("tensor {}: expected {announced}, got {arrived}", self.name)));
        }
        Ok(())
    }
}

/// Checks that the tensors of a main frame are the ones of the head.
pub(crate) fn check_schema<'a>(
    schema: &[(String, Spec)],
    tensors: impl Iterator<Item = (&'a String, Spec)>,
) -> Result<()> {
    let mut count = 0;
    for (name, spec) in tensors {
        count += 1;
        match schema.iter().find(|(n, _)| n == name) {
            Some((_, expected)) if *expected == spec => {}
            Some((_, expected)) => {
                return Err(Error::Data(format!(
                    "tensor {name}: expected items of {expected} as the head says, got {spec}"
                )));
            }
            None => return Err(Error::Data(format!("tensor {name} is not in the head"))),
        }
    }
    if count != schema.len() {
        return Err(Error::Data(format!("bad frame: expected the {} tensors of the head, got {count}", schema.len())));
    }
    Ok(())
}

fn check_items<'a>(mut tensors: impl Iterator<Item = (&'a str, usize)>) -> Result<()> {
    let Some((first, items)) = tensors.next() else {
        return Err(Error::Data("bad frame: expected at least one tensor, got none".to_owned()));
    };
    if items == 0 {
        return Err(Error::Data(format!("tensor {first}: expected at least one item, got none")));
    }
    match tensors.find(|(_, n)| *n != items) {
        Some((name, n)) => Err(Error::Data(format!("tensor {name}: expected {items} items as in {first}, got {n}"))),
        None => Ok(()),
    }
}

fn check_size(mut sizes: impl Iterator<Item = usize>) -> Result<()> {
    match sizes.try_fold(0usize, |total, size| total.checked_add(size)) {
        Some(0..=MAX_FRAME) => Ok(()),
        _ => Err(Error::Data(format!(
            "bad frame: expected at most {MAX_FRAME} bytes of tensors, got more; put fewer items into a frame"
        ))),
    }
}

fn bad(expected: &str, got: &Value) -> Error {
    Error::Data(format!("bad frame: expected {expected}, got {got}"))
}
