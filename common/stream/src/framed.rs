//! Reading the frames of a stream.

use serde_json::{Map, Value};

use crate::frame::check_schema;
use crate::seal::Seal;
use crate::source::Source;
use crate::{Data, Error, Frame, Head, Result, Spec, Tensor};

/// The frames of one stream, or of several, one after the other.
pub(crate) struct Framed {
    source: Source,
    head: Head,
    schema: Vec<(String, Spec)>,
    seal: Seal,
    /// A verified line that was read ahead, because its crc also covers the payloads before it.
    ahead: Option<Map<String, Value>>,
    frames: u64,
    items: u64,
}

impl Framed {
    pub(crate) fn open(mut source: Source) -> Result<Framed> {
        let mut seal = Seal::default();
        let head = Head::parse(line(&mut source, &mut seal)?)?;
        let schema = head.tensors();
        Ok(Framed { source, head, schema, seal, ahead: None, frames: 0, items: 0 })
    }

    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.source.offset()
    }

    /// Whether the input ended before what was expected of it.
    pub(crate) fn is_cut(&self) -> bool {
        self.source.is_cut()
    }

    pub(crate) fn next(&mut self) -> Result<Option<Frame>> {
        loop {
            let mut map = match self.ahead.take() {
                Some(map) => map,
                None => line(&mut self.source, &mut self.seal)?,
            };
            match map.get("type").and_then(Value::as_str) {
                Some("data") => {
                    let data = self.payloads(map)?;
                    self.ahead = Some(line(&mut self.source, &mut self.seal)?);
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
                other => {
                    let other = other.unwrap_or("none").to_owned();
                    return Err(Error::Data(format!("bad line: expected type data, json, end or error, got {other}")));
                }
            }
        }
    }

    /// Reads the payloads that a line lists. The next line will tell whether they arrived unharmed.
    fn payloads(&mut self, map: Map<String, Value>) -> Result<Data> {
        let (mut data, payloads) = Data::parse(map)?;
        if data.is_main() {
            check_schema(&self.schema, payloads.iter().map(|p| (&p.name, p.spec())))?;
        }
        for payload in payloads {
            let mut bytes = Vec::new();
            self.source.read_into(&mut bytes, payload.nbytes)?;
            self.seal.payload(&bytes);
            let tensor = Tensor::parse(bytes).map_err(|e| e.within(format!("tensor {}", payload.name)))?;
            payload.check(&tensor)?;
            data.tensors.push((payload.name, tensor));
        }
        Ok(data)
    }

    fn check_counts(&self, map: &Map<String, Value>) -> Result<()> {
        for (key, got) in [("frames", self.frames), ("items", self.items)] {
            if map.get(key).and_then(Value::as_u64) != Some(got) {
                let expected = map.get(key).map_or("nothing".to_owned(), Value::to_string);
                return Err(Error::Data(format!("bad end: expected {expected} {key} as it says, got {got}")));
            }
        }
        Ok(())
    }

    /// Begins the stream that follows an end.
    fn join(&mut self) -> Result<()> {
        if self.source.peek(crate::START.len())? != crate::START {
            return Err(Error::Data(
                "bytes after the end of the stream: expected nothing or another stream".to_owned(),
            ));
        }
        self.seal = Seal::default();
        let next = Head::parse(line(&mut self.source, &mut self.seal)?)?;
        self.head.check_same(&next)?;
        (self.frames, self.items) = (0, 0);
        Ok(())
    }
}

/// The next line, verified.
fn line(source: &mut Source, seal: &mut Seal) -> Result<Map<String, Value>> {
    let offset = source.offset();
    match source.line()? {
        Some(line) if line.ends_with(b"\n") => seal.open(&line).map_err(|e| e.within(format!("byte {offset}"))),
        _ => Err(source.cut("frames up to the end of the stream")),
    }
}

fn upstream(map: &Map<String, Value>) -> Error {
    let text = |key| map.get(key).and_then(Value::as_str).unwrap_or("unknown").to_owned();
    Error::Upstream { origin: text("origin"), message: text("message") }
}
