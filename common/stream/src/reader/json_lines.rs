//! Newline JSON, one item per line: `{"z":[0.5,-1.0],"y":3}`.

use std::collections::VecDeque;

use serde_json::Value;

use super::Input;
use super::json_item::{self, Item, Number};
use crate::source::{SEPARATOR, Source};
use crate::{BATCH, Data, Dtype, Error, Frame, Head, MAX_JSON_LINE, Result, Tensor, TensorSpec, check_name};

/// Characters of a value in a message, at most.
const MAX_VALUE: usize = 60;
/// Bytes of the lines that are read before the dtype of the images is settled, at most.
const MAX_AHEAD: u64 = 16 << 20;
/// The tensors of images.
const IMAGES: [&str; 2] = ["x", "x_hat"];

/// An input of newline JSON.
pub(crate) struct JsonLines {
    source: Source,
    head: Head,
    schema: Vec<(String, TensorSpec)>,
    /// The lines that settled the schema.
    ahead: VecDeque<Line>,
    /// Lines read.
    lines: u64,
}

/// A line that is not empty, and its number, from 1.
struct Line {
    number: u64,
    text: Vec<u8>,
}

impl JsonLines {
    pub(crate) fn open(source: Source) -> Result<JsonLines> {
        let (head, schema, ahead) = (Head::new(), Vec::new(), VecDeque::new());
        let mut input = JsonLines { source, head, schema, ahead, lines: 0 };
        let first = input.line()?.ok_or(Error::Empty)?;
        let item = first.item()?;
        let mut pixels = IMAGES.map(|name| Pixels::of(&item, name));
        input.ahead.push_back(first);
        while pixels.contains(&Pixels::Binary)
            && input.ahead.len() < BATCH
            && input.source.offset() < MAX_AHEAD
            && let Some(line) = input.line()?
        {
            let item = line.item()?;
            let unsettled = pixels.iter_mut().zip(IMAGES).filter(|(pixels, _)| **pixels == Pixels::Binary);
            unsettled.for_each(|(pixels, name)| *pixels = Pixels::of(&item, name));
            input.ahead.push_back(line);
        }
        for (name, numbers) in &item.0 {
            check_name(name).map_err(|e| e.within("line 1"))?;
            let pixels = IMAGES.iter().position(|image| image == name).map(|at| pixels[at]);
            let dtype = dtype(name, &numbers.values, pixels);
            input.head.set_tensor(name, TensorSpec::new(dtype, &numbers.shape));
        }
        input.schema = input.head.tensors();
        Ok(input)
    }

    /// The next line that is not empty.
    fn line(&mut self) -> Result<Option<Line>> {
        while let Some(mut text) = self.source.line(MAX_JSON_LINE)? {
            self.lines += 1;
            if let Some(separator @ &mut SEPARATOR) = text.first_mut() {
                *separator = b' ';
            }
            if !text.trim_ascii().is_empty() {
                return Ok(Some(Line { number: self.lines, text }));
            }
        }
        Ok(None)
    }
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
        while items < BATCH && (items == 0 || !self.ahead.is_empty() || self.source.has_line()) {
            let line = match self.ahead.pop_front() {
                Some(line) => line,
                None => match self.line()? {
                    Some(line) => line,
                    None => break,
                },
            };
            line.append(&self.schema, &mut data)?;
            items += 1;
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

impl Line {
    fn item(&self) -> Result<Item> {
        let item = json_item::parse(&self.text).map_err(Error::JsonLine);
        let item = item.and_then(|item| if item.0.is_empty() { Err(Error::EmptyItem) } else { Ok(item) });
        item.map_err(|e| e.within(format_args!("line {}", self.number)))
    }

    /// Appends the numbers of the item to the bytes of the tensors.
    fn append(&self, schema: &[(String, TensorSpec)], data: &mut [Vec<u8>]) -> Result<()> {
        let item = self.item()?;
        let appended = || {
            if let Some((name, _)) = item.0.iter().find(|(name, _)| schema.iter().all(|(n, _)| n != name)) {
                return Err(Error::ExtraKey { name: name.clone() });
            }
            for ((name, spec), bytes) in schema.iter().zip(data) {
                let Some((_, numbers)) = item.0.iter().find(|(n, _)| n == name) else {
                    return Err(Error::MissingKey { name: name.clone() });
                };
                let fits = numbers.shape == spec.shape;
                let fits = fits && numbers.values.iter().all(|number| number.push(spec.dtype, bytes).is_some());
                if !fits {
                    return Err(Error::Value { name: name.clone(), expected: spec.to_string(), got: self.value(name) });
                }
            }
            Ok(())
        };
        appended().map_err(|e: Error| e.within(format_args!("line {}", self.number)))
    }

    /// The beginning of a value, for a message.
    fn value(&self, name: &str) -> String {
        let line: Value = serde_json::from_slice(&json_item::quoted(&self.text)).unwrap_or_default();
        let got = line[name].to_string();
        match got.char_indices().nth(MAX_VALUE) {
            Some(_) => got.chars().take(MAX_VALUE - 3).chain("...".chars()).collect(),
            None => got,
        }
    }
}

/// What the pixels of a tensor are, as far as lines have told: programs such as jq write 1.0 as 1.
#[derive(Clone, Copy, PartialEq)]
enum Pixels {
    /// Nothing but 0 and 1 so far: black and white, as floats or as the darkest of bytes.
    Binary,
    /// Integers from 0 to 255, and one above 1.
    Bytes,
    /// Others.
    Floats,
}

impl Pixels {
    /// Those of an item. One without the tensor leaves nothing to settle.
    fn of(item: &Item, name: &str) -> Pixels {
        let Some((_, numbers)) = item.0.iter().find(|(n, _)| n == name) else { return Pixels::Floats };
        if !numbers.values.iter().all(|n| matches!(n, Number::Whole(0..=255))) {
            Pixels::Floats
        } else if numbers.values.iter().any(|n| !matches!(n, Number::Whole(0 | 1))) {
            Pixels::Bytes
        } else {
            Pixels::Binary
        }
    }
}

/// The dtype of a tensor, by its name and its first values.
fn dtype(name: &str, first: &[Number], pixels: Option<Pixels>) -> Dtype {
    let beyond_f64 = first.iter().any(|n| matches!(n, Number::Whole(_)) && n.double().is_none());
    match name {
        _ if first.iter().all(|n| matches!(n, Number::Bool(_))) => Dtype::Bool,
        "i" | "y" => Dtype::I64,
        _ if pixels == Some(Pixels::Bytes) => Dtype::U8,
        _ if pixels.is_some() => Dtype::F32,
        "z" | "mu" | "logvar" => Dtype::F32,
        _ if beyond_f64 && first.iter().any(|n| n.whole() > Some(i64::MAX.into())) => Dtype::U64,
        _ if beyond_f64 => Dtype::I64,
        _ => Dtype::F64,
    }
}
