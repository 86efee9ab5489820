//! A stream: lines with checksums, and payloads.

use std::io::IoSlice;

use serde_json::{Map, Value};

use super::Output;
use crate::checksum::Checksum;
use crate::{Data, Head, Result, Sink};

/// An output that is a stream.
#[derive(Default)]
pub(super) struct Frames {
    checksum: Checksum,
    frames: u64,
    items: u64,
}

impl Frames {
    /// Writes the head.
    pub(super) fn open(head: &Head, sink: &mut dyn Sink) -> Result<Frames> {
        let mut frames = Frames::default();
        frames.line(head.as_json().clone(), &[], sink)?;
        Ok(frames)
    }

    fn line(&mut self, map: Map<String, Value>, payloads: &[&[u8]], sink: &mut dyn Sink) -> Result<()> {
        let line = self.checksum.sign(map)?;
        payloads.iter().for_each(|p| self.checksum.payload(p));
        let mut slices: Vec<IoSlice<'_>> = Vec::with_capacity(1 + payloads.len());
        slices.push(IoSlice::new(&line));
        slices.extend(payloads.iter().map(|p| IoSlice::new(p)));
        sink.send(&mut slices)
    }
}

impl Output for Frames {
    fn data(&mut self, data: &Data, sink: &mut dyn Sink) -> Result<()> {
        self.frames += 1;
        self.items += if data.is_main() { data.items() as u64 } else { 0 };
        let payloads: Vec<&[u8]> = data.tensors.iter().map(|(_, t)| t.bytes()).collect();
        self.line(data.line(), &payloads, sink)
    }

    fn record(&mut self, record: Map<String, Value>, sink: &mut dyn Sink) -> Result<()> {
        self.frames += 1;
        let mut line = object([("type", "json".into())]);
        line.extend(record.into_iter().filter(|(key, _)| key != "type"));
        self.line(line, &[], sink)
    }

    fn end(&mut self, sink: &mut dyn Sink) -> Result<()> {
        let end = [("type", "end".into()), ("frames", self.frames.into()), ("items", self.items.into())];
        self.line(object(end), &[], sink)
    }

    fn error(&mut self, origin: &str, message: &str, sink: &mut dyn Sink) -> bool {
        let line = object([("type", "error".into()), ("origin", origin.into()), ("message", message.into())]);
        self.line(line, &[], sink).is_ok()
    }
}

fn object<const N: usize>(entries: [(&str, Value); N]) -> Map<String, Value> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
