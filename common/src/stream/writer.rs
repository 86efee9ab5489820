//! Writing: a stream, one .npy, or newline JSON.

use std::io::{self, IoSlice, Read, Seek, Write};

use serde_json::{Map, Value};
use tempfile::SpooledTempFile;

use super::seal::Seal;
use super::{Data, Frame, Head, ModelRef, Spec, jsonl, npy};
use crate::cli::{self, OutputArgs};
use crate::output::{Kind, Output};
use crate::{Error, Result};

/// Bytes of a single .npy that are kept in memory before they go to a file.
const IN_MEMORY: usize = 64 << 20;
/// Characters of an error frame's message at most.
const MAX_MESSAGE: usize = 4096;

/// Writes frames in the form that the command line asks for.
///
/// Dropped without [`finish`](Writer::finish), it leaves a stream without its end, which every reader refuses, and no file.
#[derive(Debug)]
pub struct Writer {
    output: Output,
    schema: Vec<(String, Spec)>,
    form: Form,
    /// Whether the frame of an embedded model is still to come.
    awaits_model: bool,
}

#[derive(Debug)]
enum Form {
    Framed { seal: Seal, frames: u64, items: u64 },
    Npy { name: String, spec: Spec, data: Box<SpooledTempFile>, items: usize },
    JsonLines,
}

impl Writer {
    /// Opens the output of the command line for the frames that `head` describes, and signs the head's history.
    ///
    /// # Errors
    /// Those of [`Output::open`], of [`npy`](Writer::npy) and of writing the head.
    pub fn create(args: &OutputArgs, mut head: Head) -> Result<Writer> {
        head.sign();
        let kind = if args.jsonl { Kind::Text } else { Kind::Binary };
        let output = Output::open(args.output.as_deref(), kind)?;
        match &args.npy {
            Some(name) => Writer::npy(output, &head, name),
            None if args.jsonl => Ok(Writer::jsonl(output, &head)),
            None => Writer::framed(output, &head),
        }
    }

    /// Writes a stream.
    ///
    /// # Errors
    /// Those of [`Output::write_slices`].
    pub fn framed(output: Output, head: &Head) -> Result<Writer> {
        let form = Form::Framed { seal: Seal::default(), frames: 0, items: 0 };
        let mut writer = Writer::new(output, head, form);
        writer.line(head.as_json().clone(), &[])?;
        Ok(writer)
    }

    /// Collects the tensor `name` of the main group, and writes it as one .npy when everything has arrived.
    ///
    /// # Errors
    /// [`Error::Usage`] where the head has no such tensor.
    pub fn npy(output: Output, head: &Head, name: &str) -> Result<Writer> {
        let schema = head.tensors();
        let Some((_, spec)) = schema.iter().find(|(n, _)| n == name).cloned() else {
            let names: Vec<&str> = schema.iter().map(|(n, _)| n.as_str()).collect();
            return Err(Error::Usage(format!("--npy {name}: expected a tensor of the stream: {}", names.join(", "))));
        };
        let form = Form::Npy { name: name.to_owned(), spec, data: Box::new(SpooledTempFile::new(IN_MEMORY)), items: 0 };
        Ok(Writer::new(output, head, form))
    }

    /// Writes the items of the main group as newline JSON.
    pub fn jsonl(output: Output, head: &Head) -> Writer {
        Writer::new(output, head, Form::JsonLines)
    }

    fn new(output: Output, head: &Head, form: Form) -> Writer {
        let awaits_model = matches!(head.model(), Some(ModelRef::Embedded { .. }));
        Writer { output, schema: head.tensors(), form, awaits_model }
    }

    /// Writes a frame, and hands it to the system, so that a live reader sees it.
    ///
    /// A main frame must be what the head says. A model goes into the stream once, and only if the head announces it, so
    /// that a filter may pass on all that it reads. The forms that are no stream leave out other groups and records.
    ///
    /// # Errors
    /// [`Error::Data`] for a frame that the head does not describe, and those of [`Output::write_slices`].
    pub fn write(&mut self, frame: impl Into<Frame>) -> Result<()> {
        match frame.into() {
            Frame::Data(data) => self.write_data(&data),
            Frame::Json(record) => self.write_json(record),
        }
    }

    fn write_json(&mut self, record: Map<String, Value>) -> Result<()> {
        let Form::Framed { frames, .. } = &mut self.form else { return Ok(()) };
        *frames += 1;
        let mut line = object([("type", "json".into())]);
        line.extend(record.into_iter().filter(|(key, _)| key != "type"));
        self.line(line, &[])
    }

    fn write_data(&mut self, data: &Data) -> Result<()> {
        data.check(&self.schema)?;
        if data.is_model() && !std::mem::take(&mut self.awaits_model) {
            return Ok(());
        }
        match &mut self.form {
            Form::Framed { frames, items, .. } => {
                *frames += 1;
                *items += if data.is_main() { data.items() as u64 } else { 0 };
                let payloads: Vec<&[u8]> = data.tensors.iter().map(|(_, t)| t.bytes()).collect();
                self.line(data.line(), &payloads)
            }
            _ if !data.is_main() => Ok(()),
            Form::Npy { name, data: file, items, .. } => {
                *items += data.items();
                file.write_all(data.need(name)?.data()).map_err(|e| Error::io("cannot write a temporary file", e))
            }
            Form::JsonLines => {
                let mut text = Vec::new();
                jsonl::write(data, &mut text)?;
                self.output.write_slices(&mut [IoSlice::new(&text)])?;
                self.output.push()
            }
        }
    }

    /// Writes the end, or the one .npy, and lets a file appear under its name.
    ///
    /// # Errors
    /// Those of [`Output::commit`].
    pub fn finish(mut self) -> Result<()> {
        match &mut self.form {
            Form::Framed { frames, items, .. } => {
                let end = [("type", "end".into()), ("frames", (*frames).into()), ("items", (*items).into())];
                self.line(object(end), &[])?;
            }
            Form::Npy { spec, data, items, .. } => {
                let shape: Vec<usize> = [*items].iter().chain(&spec.shape).copied().collect();
                let header = npy::header(spec.dtype.name(), false, &shape);
                self.output.write_slices(&mut [IoSlice::new(&header)])?;
                copy(data, &mut self.output)?;
            }
            Form::JsonLines => {}
        }
        self.output.commit()
    }

    /// Ends the stream with an `error` frame, and gives the error for the program to end with.
    ///
    /// What came from upstream and goes on through a pipe becomes [`Error::Relayed`], which is silent: the program at the
    /// end of the pipe will say it.
    pub fn fail(mut self, error: Error) -> Error {
        if !matches!(self.form, Form::Framed { .. }) || !self.output.is_direct() || matches!(error, Error::Closed) {
            return error;
        }
        let (origin, message) = match &error {
            Error::Upstream { origin, message } => (origin.clone(), message.clone()),
            other => (cli::tool_name().to_owned(), other.to_string()),
        };
        let message = cli::one_line(&message.chars().take(MAX_MESSAGE).collect::<String>());
        let line = object([("type", "error".into()), ("origin", origin.into()), ("message", message.into())]);
        let passed_on = self.line(line, &[]).is_ok() && self.output.is_pipe();
        match error {
            Error::Upstream { .. } if passed_on => Error::Relayed,
            other => other,
        }
    }

    /// Runs `body`, which writes the frames; then [`finish`](Writer::finish) or, if it failed, [`fail`](Writer::fail).
    ///
    /// # Errors
    /// That of `body`, as `fail` gives it, or those of `finish`.
    pub fn run(mut self, body: impl FnOnce(&mut Writer) -> Result<()>) -> Result<()> {
        match body(&mut self) {
            Ok(()) => self.finish(),
            Err(e) => Err(self.fail(e)),
        }
    }

    fn line(&mut self, map: Map<String, Value>, payloads: &[&[u8]]) -> Result<()> {
        let Form::Framed { seal, .. } = &mut self.form else { return Ok(()) };
        let line = seal.close(map)?;
        payloads.iter().for_each(|p| seal.payload(p));
        let mut slices: Vec<IoSlice<'_>> = Vec::with_capacity(1 + payloads.len());
        slices.push(IoSlice::new(&line));
        slices.extend(payloads.iter().map(|p| IoSlice::new(p)));
        self.output.write_slices(&mut slices)?;
        self.output.push()
    }
}

fn object<const N: usize>(entries: [(&str, Value); N]) -> Map<String, Value> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn copy(file: &mut SpooledTempFile, output: &mut Output) -> Result<()> {
    let failed = |e: io::Error| Error::io("cannot read a temporary file", e);
    file.rewind().map_err(failed)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(()),
            n => output.write_slices(&mut [IoSlice::new(&buffer[..n])])?,
        }
    }
}
