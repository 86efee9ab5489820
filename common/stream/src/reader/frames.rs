//! The frames of a stream, or of several joined end to end.

use serde_json::{Map, Value};

use super::Input;
use crate::checksum::Checksum;
use crate::frame::check_schema;
use crate::source::Source;
use crate::{Data, Error, Frame, Head, MAX_LINE, Result, START, Tensor, TensorSpec};

/// Characters of the name of a program at most; a longer one is cut.
const MAX_ORIGIN: usize = 64;

/// An input that is a stream.
pub(crate) struct Frames {
    source: Source,
    head: Head,
    schema: Vec<(String, TensorSpec)>,
    checksum: Checksum,
    /// The verified line after a data frame. Its CRC also covers the payloads before it.
    ahead: Option<Map<String, Value>>,
    frames: u64,
    items: u64,
}

impl Frames {
    pub(crate) fn open(mut source: Source) -> Result<Frames> {
        let mut checksum = Checksum::default();
        let head = Head::parse(line(&mut source, &mut checksum)?)?;
        let schema = head.tensors();
        Ok(Frames { source, head, schema, checksum, ahead: None, frames: 0, items: 0 })
    }

    pub(crate) fn next(&mut self) -> Result<Option<Frame>> {
        loop {
            let mut map = match self.ahead.take() {
                Some(map) => map,
                None => line(&mut self.source, &mut self.checksum)?,
            };
            match map.get("type").and_then(Value::as_str) {
                Some("data") => {
                    let data = self.payloads(map)?;
                    self.ahead = Some(line(&mut self.source, &mut self.checksum)?);
                    self.frames += 1;
                    if data.is_main() {
                        self.items += data.items() as u64;
                    }
                    return Ok(Some(Frame::Data(data)));
                }
                Some("json") => {
                    self.frames += 1;
                    map.shift_remove("type");
                    return Ok(Some(Frame::Json(map)));
                }
                Some("end") => {
                    self.check_counts(&map)?;
                    if self.source.peek(1)?.is_empty() {
                        return Ok(None);
                    }
                    self.join()?;
                }
                Some("error") => return Err(upstream(&map)),
                other => return Err(Error::LineType { got: other.unwrap_or("none").to_owned() }),
            }
        }
    }

    /// Keeps what is not verified yet, for [`recover`](Frames::recover).
    pub(crate) fn keep(&mut self) {
        self.source.keep();
    }

    /// After an error, begins the stream that follows one which was cut off; false where none does.
    pub(crate) fn recover(&mut self) -> Result<bool> {
        if !self.source.back_to(START) {
            return Ok(false);
        }
        self.checksum = Checksum::default();
        self.head = Head::parse(line(&mut self.source, &mut self.checksum)?)?;
        self.schema = self.head.tensors();
        (self.ahead, self.frames, self.items) = (None, 0, 0);
        Ok(true)
    }

    /// Reads the payloads that a line announces. They are verified by the next line.
    fn payloads(&mut self, map: Map<String, Value>) -> Result<Data> {
        let (mut data, payloads) = Data::parse(map)?;
        if data.is_main() {
            check_schema(&self.schema, payloads.iter().map(|p| (&p.name, p.item())))?;
        }
        for payload in payloads {
            let mut bytes = Vec::new();
            self.source.read_into(&mut bytes, payload.nbytes)?;
            self.checksum.payload(&bytes);
            let tensor = Tensor::parse(bytes).map_err(|e| e.within(format_args!("tensor {}", payload.name)))?;
            payload.check(&tensor)?;
            data.tensors.push((payload.name, tensor));
        }
        Ok(data)
    }

    fn check_counts(&self, map: &Map<String, Value>) -> Result<()> {
        for (unit, got) in [("frames", self.frames), ("items", self.items)] {
            if map.get(unit).and_then(Value::as_u64) != Some(got) {
                let announced = map.get(unit).map_or("nothing".to_owned(), Value::to_string);
                return Err(Error::EndCount { unit, announced, got });
            }
        }
        Ok(())
    }

    /// Begins the stream that follows an end.
    fn join(&mut self) -> Result<()> {
        if self.source.peek(START.len())? != START {
            return Err(Error::TrailingBytes);
        }
        self.checksum = Checksum::default();
        let next = Head::parse(line(&mut self.source, &mut self.checksum)?)?;
        self.head.check_same(&next)?;
        (self.frames, self.items) = (0, 0);
        Ok(())
    }
}

impl Input for Frames {
    fn head(&self) -> &Head {
        &self.head
    }

    fn bytes(&self) -> u64 {
        self.source.offset()
    }

    fn next(&mut self) -> Result<Option<Frame>> {
        self.next()
    }
}

/// The next line, verified.
fn line(source: &mut Source, checksum: &mut Checksum) -> Result<Map<String, Value>> {
    let offset = source.offset();
    match source.line(MAX_LINE)? {
        Some(line) if line.ends_with(b"\n") => {
            let map = checksum.verify(&line).map_err(|e| e.within(format_args!("byte {offset}")))?;
            source.forget();
            Ok(map)
        }
        _ => Err(source.truncated("frames up to the end of the stream".to_owned())),
    }
}

fn upstream(map: &Map<String, Value>) -> Error {
    let text = |key| map.get(key).and_then(Value::as_str).unwrap_or("unknown").chars();
    Error::Upstream { origin: text("origin").take(MAX_ORIGIN).collect(), message: text("message").collect() }
}
