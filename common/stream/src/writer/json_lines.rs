//! Newline JSON, one item per line: `{"z":[0.5,-1.0],"y":3}`.

use std::io::IoSlice;

use super::Output;
use crate::{Data, Dtype, Error, MAX_JSON_LINE, Result, Sink, Tensor};

/// The items of the main group as newline JSON.
pub(super) struct JsonLines;

impl Output for JsonLines {
    fn data(&mut self, data: &Data, sink: &mut dyn Sink) -> Result<()> {
        if !data.is_main() {
            return Ok(());
        }
        let mut text = Vec::new();
        write(data, &mut text)?;
        sink.send(&mut [IoSlice::new(&text)])
    }
}

/// Writes every item of `frame` as one line.
fn write(frame: &Data, text: &mut Vec<u8>) -> Result<()> {
    let columns = frame.tensors.iter().map(|(name, t)| Column::new(name, t)).collect::<Result<Vec<_>>>()?;
    for item in 0..frame.items() {
        let start = text.len();
        for (i, column) in columns.iter().enumerate() {
            text.push(if i == 0 { b'{' } else { b',' });
            text.push(b'"');
            text.extend_from_slice(column.name.as_bytes()); // names need no escapes
            text.extend_from_slice(b"\":");
            column.write(item, text)?;
        }
        text.extend_from_slice(b"}\n");
        let bytes = text.len() - start;
        if bytes > MAX_JSON_LINE {
            return Err(Error::WriteLine { bytes, most: MAX_JSON_LINE });
        }
    }
    Ok(())
}

/// A tensor of a frame, its elements converted to a type that JSON has.
struct Column<'a> {
    name: &'a str,
    shape: &'a [usize],
    numbers: Numbers,
}

enum Numbers {
    Bool(Vec<bool>),
    Signed(Vec<i64>),
    Unsigned(Vec<u64>),
    Single(Vec<f32>),
    Double(Vec<f64>),
}

impl<'a> Column<'a> {
    fn new(name: &'a str, tensor: &'a Tensor) -> Result<Column<'a>> {
        let numbers = match tensor.dtype() {
            Dtype::Bool => Numbers::Bool(tensor.to_array()?.into_raw_vec_and_offset().0),
            Dtype::F32 | Dtype::F16 => Numbers::Single(tensor.to_f32()?.into_raw_vec_and_offset().0),
            Dtype::F64 => Numbers::Double(tensor.to_array()?.into_raw_vec_and_offset().0),
            Dtype::U64 => Numbers::Unsigned(tensor.to_array()?.into_raw_vec_and_offset().0),
            _ => Numbers::Signed(tensor.to_i64()?.into_raw_vec_and_offset().0),
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
            Numbers::Bool(b) => serde_json::to_writer(text, &b[at]),
            Numbers::Signed(n) => serde_json::to_writer(text, &n[at]),
            Numbers::Unsigned(n) => serde_json::to_writer(text, &n[at]),
            // JSON has no such numbers.
            Numbers::Single(n) if !n[at].is_finite() => serde_json::to_writer(text, &n[at].to_string()),
            Numbers::Double(n) if !n[at].is_finite() => serde_json::to_writer(text, &n[at].to_string()),
            Numbers::Single(n) => serde_json::to_writer(text, &n[at]),
            Numbers::Double(n) => serde_json::to_writer(text, &n[at]),
        };
        written.map_err(Error::WriteJson)
    }
}
