//! Newline JSON, one item per line: `{"z":[0.5,-1.0],"y":3}`.

use serde_json::{Map, Value};

use crate::source::Source;
use crate::{BATCH, Data, Dtype, Error, Frame, Head, Result, Spec, Tensor, check_name};

/// The items of a newline JSON input.
pub(crate) struct JsonLines {
    source: Source,
    head: Head,
    schema: Vec<(String, Spec)>,
    /// The first item, which told the schema.
    first: Option<Vec<u8>>,
    line: u64,
}

impl JsonLines {
    pub(crate) fn open(mut source: Source) -> Result<JsonLines> {
        let first = source.line()?.unwrap_or_default();
        let item = object(&first).map_err(|e| e.within("line 1"))?;
        let mut head = Head::new();
        for (name, value) in &item {
            check_name(name).map_err(|e| e.within("line 1"))?;
            let mut shape = Vec::new();
            let mut innermost = value;
            while let Value::Array(list) = innermost {
                shape.push(list.len());
                innermost = list.first().ok_or_else(|| bad(name, "numbers", value).within("line 1"))?;
            }
            let dtype = dtype(name, value);
            push(value, &shape, dtype, &mut Vec::new()).ok_or_else(|| bad(name, "numbers", value).within("line 1"))?;
            head.set_tensor(name, Spec { dtype, shape });
        }
        Ok(JsonLines { source, schema: head.tensors(), head, first: Some(first), line: 0 })
    }

    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.source.offset()
    }

    /// The items that are here already as one frame, waiting only for the first of them.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>> {
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

    /// Appends the numbers of one item to the tensors' bytes.
    fn item(&self, line: &[u8], data: &mut [Vec<u8>]) -> Result<()> {
        let item = object(line)?;
        if let Some(name) = item.keys().find(|name| self.schema.iter().all(|(n, _)| n != *name)) {
            return Err(Error::Data(format!("expected the keys of the first line, got {name} too")));
        }
        for ((name, spec), bytes) in self.schema.iter().zip(data) {
            let Some(value) = item.get(name) else {
                return Err(Error::Data(format!("expected the keys of the first line, got no {name}")));
            };
            push(value, &spec.shape, spec.dtype, bytes).ok_or_else(|| bad(name, &spec.to_string(), value))?;
        }
        Ok(())
    }
}

fn object(line: &[u8]) -> Result<Map<String, Value>> {
    let item: Map<String, Value> =
        serde_json::from_slice(line).map_err(|e| Error::Data(format!("expected one JSON object per line: {e}")))?;
    if item.is_empty() {
        return Err(Error::Data(r#"expected an item such as {"z":[0.5,-1.0],"y":3}, got {}"#.to_owned()));
    }
    Ok(item)
}

/// The kind of a tensor's numbers, by its name; pixels that are all written as whole numbers are u8.
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

/// Appends `value`, lists of numbers as deep as `shape`.
fn push(value: &Value, shape: &[usize], dtype: Dtype, bytes: &mut Vec<u8>) -> Option<()> {
    match (value, shape) {
        (Value::Array(list), [len, rest @ ..]) if list.len() == *len => {
            list.iter().try_for_each(|value| push(value, rest, dtype, bytes))
        }
        (number, []) => {
            match dtype {
                Dtype::U8 => bytes.push(u8::try_from(whole(number)?).ok()?),
                Dtype::I64 => bytes.extend(whole(number)?.to_le_bytes()),
                _ => bytes.extend(real(number)?.to_le_bytes()),
            }
            Some(())
        }
        _ => None,
    }
}

/// A whole number, however it is written: 3 or 3.0.
fn whole(value: &Value) -> Option<i64> {
    let real = || value.as_f64().filter(|x| x.fract() == 0.0 && x.abs() < 2f64.powi(53)).map(|x| x as i64);
    value.as_i64().or_else(real)
}

/// A number as f32; whole numbers that would change, such as 16777217, are refused.
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
    if got.len() > 60 {
        got = got.chars().take(57).chain("...".chars()).collect();
    }
    Error::Data(format!("{name}: expected {expected}, got {got}"))
}

/// Writes every item of `frame` as one line.
pub(crate) fn write(frame: &Data, text: &mut Vec<u8>) -> Result<()> {
    let columns = frame.tensors.iter().map(|(name, t)| Column::new(name, t)).collect::<Result<Vec<_>>>()?;
    for item in 0..frame.items() {
        for (i, column) in columns.iter().enumerate() {
            text.push(if i == 0 { b'{' } else { b',' });
            text.push(b'"');
            text.extend_from_slice(column.name.as_bytes()); // names need no escapes
            text.extend_from_slice(b"\":");
            column.write(item, text)?;
        }
        text.extend_from_slice(b"}\n");
    }
    Ok(())
}

/// A tensor of a frame, with its numbers at hand.
struct Column<'a> {
    name: &'a str,
    shape: &'a [usize],
    numbers: Numbers,
}

enum Numbers {
    Whole(Vec<i64>),
    Natural(Vec<u64>),
    Single(Vec<f32>),
    Double(Vec<f64>),
}

impl<'a> Column<'a> {
    fn new(name: &'a str, tensor: &'a Tensor) -> Result<Column<'a>> {
        let numbers = match tensor.dtype() {
            Dtype::F32 | Dtype::F16 => Numbers::Single(tensor.to_f32()?.into_raw_vec_and_offset().0),
            Dtype::F64 => Numbers::Double(tensor.to_array()?.into_raw_vec_and_offset().0),
            Dtype::U64 => Numbers::Natural(tensor.to_array()?.into_raw_vec_and_offset().0),
            _ => Numbers::Whole(tensor.to_i64()?.into_raw_vec_and_offset().0),
        };
        Ok(Column { name, shape: &tensor.shape()[1..], numbers })
    }

    fn write(&self, item: usize, text: &mut Vec<u8>) -> Result<()> {
        let len = self.shape.iter().product::<usize>();
        self.list(self.shape, item * len, text)
    }

    fn list(&self, shape: &[usize], at: usize, text: &mut Vec<u8>) -> Result<()> {
        let [len, rest @ ..] = shape else { return self.number(at, text) };
        let step = rest.iter().product::<usize>();
        for i in 0..*len {
            text.push(if i == 0 { b'[' } else { b',' });
            self.list(rest, at + i * step, text)?;
        }
        text.push(b']');
        Ok(())
    }

    fn number(&self, at: usize, text: &mut Vec<u8>) -> Result<()> {
        let written = match &self.numbers {
            Numbers::Whole(n) => serde_json::to_writer(text, &n[at]),
            Numbers::Natural(n) => serde_json::to_writer(text, &n[at]),
            // JSON has no such numbers.
            Numbers::Single(n) if !n[at].is_finite() => serde_json::to_writer(text, &n[at].to_string()),
            Numbers::Double(n) if !n[at].is_finite() => serde_json::to_writer(text, &n[at].to_string()),
            Numbers::Single(n) => serde_json::to_writer(text, &n[at]),
            Numbers::Double(n) => serde_json::to_writer(text, &n[at]),
        };
        written.map_err(|e| Error::Failed(format!("cannot write JSON: {e}")))
    }
}
