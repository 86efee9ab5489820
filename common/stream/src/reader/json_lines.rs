//! Newline JSON, one item per line: `{"z":[0.5,-1.0],"y":3}`.

use serde_json::{Map, Value};

use super::Input;
use crate::source::Source;
use crate::{BATCH, Data, Dtype, Error, Frame, Head, Result, Tensor, TensorSpec, check_name};

/// Characters of a value in a message, at most.
const MAX_VALUE: usize = 60;

/// An input of newline JSON.
pub(crate) struct JsonLines {
    source: Source,
    head: Head,
    schema: Vec<(String, TensorSpec)>,
    /// The first line, which gave the schema.
    first: Option<Vec<u8>>,
    line: u64,
}

impl JsonLines {
    pub(crate) fn open(mut source: Source) -> Result<JsonLines> {
        let first = source.line()?.unwrap_or_default();
        let head = head_of(&first).map_err(|e| e.within("line 1"))?;
        Ok(JsonLines { source, schema: head.tensors(), head, first: Some(first), line: 0 })
    }

    /// Appends the numbers of one item to the tensors' bytes.
    fn item(&self, line: &[u8], data: &mut [Vec<u8>]) -> Result<()> {
        let item = object(line)?;
        if let Some(name) = item.keys().find(|name| self.schema.iter().all(|(n, _)| n != *name)) {
            return Err(Error::ExtraKey { name: name.clone() });
        }
        for ((name, spec), bytes) in self.schema.iter().zip(data) {
            let Some(value) = item.get(name) else {
                return Err(Error::MissingKey { name: name.clone() });
            };
            push(value, &spec.shape, spec.dtype, bytes).ok_or_else(|| bad(name, &spec.to_string(), value))?;
        }
        Ok(())
    }
}

/// The head that the first line gives: names, types and shapes.
fn head_of(line: &[u8]) -> Result<Head> {
    let mut head = Head::new();
    for (name, value) in &object(line)? {
        check_name(name)?;
        let mut shape = Vec::new();
        let mut innermost = value;
        while let Value::Array(list) = innermost {
            shape.push(list.len());
            innermost = list.first().ok_or_else(|| bad(name, "numbers", value))?;
        }
        let dtype = dtype(name, value);
        push(value, &shape, dtype, &mut Vec::new()).ok_or_else(|| bad(name, "numbers", value))?;
        head.set_tensor(name, TensorSpec { dtype, shape });
    }
    Ok(head)
}

impl Input for JsonLines {
    fn head(&self) -> &Head {
        &self.head
    }

    fn bytes(&self) -> u64 {
        self.source.offset()
    }

    /// All items that are buffered, as one frame; waits for the first of them alone.
    fn next(&mut self) -> Result<Option<Frame>> {
        let mut data = vec![Vec::new(); self.schema.len()];
        let mut items = 0;
        while items < BATCH && (items == 0 || self.source.has_line()) {
            let line = match self.first.take() {
                Some(line) => line,
                None => match self.source.line()? {
                    Some(line) => line,
                    None => break,
                },
            };
            self.line += 1;
            if !line.trim_ascii().is_empty() {
                self.item(&line, &mut data).map_err(|e| e.within(format!("line {}", self.line)))?;
                items += 1;
            }
        }
        if items == 0 {
            return Ok(None);
        }
        let tensors = self.schema.iter().zip(&data).map(|((name, spec), data)| {
            let shape: Vec<usize> = [items].iter().chain(&spec.shape).copied().collect();
            (name.as_str(), Tensor::from_bytes(spec.dtype, &shape, data))
        });
        Ok(Some(Frame::Data(Data::new(tensors))))
    }
}

fn object(line: &[u8]) -> Result<Map<String, Value>> {
    let item: Map<String, Value> = serde_json::from_slice(line).map_err(Error::JsonLine)?;
    if item.is_empty() { Err(Error::EmptyItem) } else { Ok(item) }
}

/// The type of a tensor by its name. Pixels are u8 if all are written as integers.
fn dtype(name: &str, value: &Value) -> Dtype {
    fn is_bytes(value: &Value) -> bool {
        match value {
            Value::Array(list) => list.iter().all(is_bytes),
            number => number.as_u64().is_some_and(|n| n <= 255),
        }
    }
    match name {
        "i" => Dtype::I64,
        "y" => Dtype::U8,
        "x" if is_bytes(value) => Dtype::U8,
        _ => Dtype::F32,
    }
}

/// Appends the numbers of nested lists of this shape; none where `value` has another, or numbers out of range.
fn push(value: &Value, shape: &[usize], dtype: Dtype, bytes: &mut Vec<u8>) -> Option<()> {
    match (value, shape) {
        (Value::Array(list), [len, rest @ ..]) if list.len() == *len => {
            list.iter().try_for_each(|value| push(value, rest, dtype, bytes))
        }
        (number, []) => {
            match dtype {
                Dtype::U8 => bytes.push(u8::try_from(integer(number)?).ok()?),
                Dtype::I64 => bytes.extend(integer(number)?.to_le_bytes()),
                _ => bytes.extend(real(number)?.to_le_bytes()),
            }
            Some(())
        }
        _ => None,
    }
}

/// An integer, written as 3 or as 3.0.
fn integer(value: &Value) -> Option<i64> {
    let real = || value.as_f64().filter(|x| x.fract() == 0.0 && x.abs() < 2f64.powi(53)).map(|x| x as i64);
    value.as_i64().or_else(real)
}

/// A number as f32, rounded; but no integer that f32 does not have, such as 16777217.
fn real(value: &Value) -> Option<f32> {
    match value {
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f32::NAN),
            "inf" => Some(f32::INFINITY),
            "-inf" => Some(f32::NEG_INFINITY),
            _ => None,
        },
        number => {
            let near = number.as_f64()? as f32;
            let kept = number.is_f64() || number.as_i64() == Some(near as i64);
            (near.is_finite() && kept).then_some(near)
        }
    }
}

fn bad(name: &str, expected: &str, value: &Value) -> Error {
    let mut got = value.to_string();
    if got.len() > MAX_VALUE {
        got = got.chars().take(MAX_VALUE - 3).chain("...".chars()).collect();
    }
    Error::Value { name: name.to_owned(), expected: expected.to_owned(), got }
}
