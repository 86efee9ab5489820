//! The frames of a stream, between its head and its end.

use std::ops::Range;

use ndarray::ArrayD;
use serde_json::{Map, Value, json};

use crate::head::shape_of;
use crate::npy::{self, Header};
use crate::{Dtype, Error, MAX_FRAME, Result, Tensor, TensorSpec, check_name};

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
    /// The sequence that the frame belongs to; none is the main one, which the head describes and filters work on.
    pub group: Option<String>,
    /// The epoch of training.
    pub epoch: Option<u64>,
    /// The tensors by name, in the order of the stream.
    pub tensors: Vec<(String, Tensor)>,
    /// Other keys, passed on unchanged.
    pub extra: Map<String, Value>,
}

impl Data {
    /// A frame of the main group.
    pub fn new<N: Into<String>>(tensors: impl IntoIterator<Item = (N, Tensor)>) -> Data {
        Data { tensors: tensors.into_iter().map(|(name, t)| (name.into(), t)).collect(), ..Data::default() }
    }

    /// The frame of an embedded model, with the bytes of its file. It comes right after the head.
    pub fn model(bytes: &[u8]) -> Data {
        let tensor = Tensor::from_bytes(Dtype::U8, &[bytes.len()], bytes);
        Data { group: Some(MODEL.to_owned()), ..Data::new([(MODEL, tensor)]) }
    }

    /// Whether this is the frame of an embedded model.
    pub fn is_model(&self) -> bool {
        self.group.as_deref() == Some(MODEL)
    }

    /// Whether the frame is of the main group.
    pub fn is_main(&self) -> bool {
        self.group.is_none()
    }

    /// The number of items in each of its tensors.
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
    /// [`Error::MissingTensor`], [`Error::Concat`] and [`Error::FrameTooLarge`].
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

    /// Removes the tensor of this name, and gives it.
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
    /// [`Error::MissingTensor`].
    pub fn need(&self, name: &str) -> Result<&Tensor> {
        self.get(name).ok_or_else(|| {
            let available = self.tensors.iter().map(|(n, _)| n.clone()).collect();
            Error::MissingTensor { name: name.to_owned(), available }
        })
    }

    /// [`Tensor::to_f32`] of the tensor of this name; errors name it.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], and [`Error::Range`] where a value does not fit.
    pub fn f32(&self, name: &str) -> Result<ArrayD<f32>> {
        self.need(name)?.to_f32().map_err(|e| e.within(format!("tensor {name}")))
    }

    /// [`Tensor::to_u8`] of the tensor of this name; errors name it.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], and [`Error::Range`] where a value does not fit.
    pub fn u8(&self, name: &str) -> Result<ArrayD<u8>> {
        self.need(name)?.to_u8().map_err(|e| e.within(format!("tensor {name}")))
    }

    /// [`Tensor::to_i64`] of the tensor of this name; errors name it.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], and [`Error::Range`] where a value does not fit.
    pub fn i64(&self, name: &str) -> Result<ArrayD<i64>> {
        self.need(name)?.to_i64().map_err(|e| e.within(format!("tensor {name}")))
    }

    /// The tensor of this name, which must have one number for each item: `[N]`, or `[N,1]` as some programs save labels.
    ///
    /// # Errors
    /// [`Error::MissingTensor`] and [`Error::Scalar`].
    pub fn scalar(&self, name: &str) -> Result<&Tensor> {
        let tensor = self.need(name)?;
        let item = &tensor.shape()[1..];
        if item.iter().product::<usize>() == 1 {
            return Ok(tensor);
        }
        Err(Error::Scalar { name: name.to_owned(), got: item.to_vec() })
    }

    /// One integer for each item: the [`scalar`](Data::scalar) of this name.
    ///
    /// # Errors
    /// Those of [`scalar`](Data::scalar), and [`Error::Range`] for a value that is no integer.
    pub fn integers(&self, name: &str) -> Result<Vec<i64>> {
        self.scalar(name)?;
        Ok(self.i64(name)?.into_raw_vec_and_offset().0)
    }

    /// The frame's line, without its CRC.
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

    /// The frame that a line announces, its payloads yet to come.
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
                return Err(Error::DuplicateTensor { name: payload.name.clone() });
            }
        }
        check_items(payloads.iter().map(|p| (p.name.as_str(), p.shape[0])))?;
        check_size(payloads.iter().map(|p| p.nbytes))?;
        map.shift_remove("type");
        Ok((Data { group, epoch, tensors: Vec::with_capacity(payloads.len()), extra: map }, payloads))
    }

    /// Checks a frame to be written against the head.
    pub(crate) fn check(&self, schema: &[(String, TensorSpec)]) -> Result<()> {
        check_items(self.tensors.iter().map(|(name, t)| (name.as_str(), t.items())))?;
        check_size(self.tensors.iter().map(|(_, t)| t.bytes().len()))?;
        match &self.group {
            None => check_schema(schema, self.tensors.iter().map(|(n, t)| (n, TensorSpec::of(t)))),
            Some(group) => self.tensors.iter().map(|(name, _)| name).chain([group]).try_for_each(|n| check_name(n)),
        }
    }
}

/// A tensor, as the line of its frame announces it.
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

    /// Its items.
    pub(crate) fn item(&self) -> TensorSpec {
        TensorSpec::new(self.dtype, &self.shape[1..])
    }

    /// Checks the .npy that arrived.
    pub(crate) fn check(&self, tensor: &Tensor) -> Result<()> {
        if tensor.dtype() != self.dtype || tensor.shape() != self.shape {
            let expected = TensorSpec::new(self.dtype, &self.shape);
            let got = TensorSpec::new(tensor.dtype(), tensor.shape());
            return Err(Error::Announced { name: self.name.clone(), expected, got });
        }
        Ok(())
    }
}

/// Checks that a main frame has the tensors of the head.
pub(crate) fn check_schema<'a>(
    schema: &[(String, TensorSpec)],
    tensors: impl Iterator<Item = (&'a String, TensorSpec)>,
) -> Result<()> {
    let mut count = 0;
    for (name, got) in tensors {
        count += 1;
        match schema.iter().find(|(n, _)| n == name) {
            Some((_, expected)) if *expected == got => {}
            Some((_, expected)) => {
                return Err(Error::Declared { name: name.clone(), expected: expected.clone(), got });
            }
            None => return Err(Error::Undeclared { name: name.clone() }),
        }
    }
    if count != schema.len() {
        return Err(Error::TensorCount { expected: schema.len(), got: count });
    }
    Ok(())
}

fn check_items<'a>(mut tensors: impl Iterator<Item = (&'a str, usize)>) -> Result<()> {
    let Some((first, items)) = tensors.next() else {
        return Err(Error::NoTensors);
    };
    if items == 0 {
        return Err(Error::NoItems { name: first.to_owned() });
    }
    match tensors.find(|(_, n)| *n != items) {
        Some((name, got)) => {
            Err(Error::ItemCount { name: name.to_owned(), first: first.to_owned(), expected: items, got })
        }
        None => Ok(()),
    }
}

fn check_size(mut sizes: impl Iterator<Item = usize>) -> Result<()> {
    match sizes.try_fold(0usize, |total, size| total.checked_add(size)) {
        Some(0..=MAX_FRAME) => Ok(()),
        _ => Err(Error::FrameTooLarge),
    }
}

fn bad(expected: &'static str, got: &Value) -> Error {
    Error::Frame { expected, got: got.to_string() }
}
