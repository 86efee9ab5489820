//! Writing: a stream, one .npy, or newline JSON.

use std::fmt;
use std::io::{self, IoSlice, Read, Seek, Write};

use serde_json::{Map, Value};
use tempfile::SpooledTempFile;

use crate::seal::Seal;
use crate::{Data, Error, Failure, Frame, Head, ModelRef, Result, Sink, Spec, jsonl, npy, one_line};

/// Bytes of a single .npy that are kept in memory before they go to a file.
const IN_MEMORY: usize = 64 << 20;
/// Characters of an error frame's message at most.
const MAX_MESSAGE: usize = 4096;

/// Writes frames: as a stream, as one .npy, or as newline JSON.
///
/// Dropped without [`finish`](Writer::finish), it leaves a stream without its end, which every reader refuses, and no file.
pub struct Writer {
    output: Box<dyn Sink>,
    schema: Vec<(String, Spec)>,
    form: Form,
    /// Whether the frame of an embedded model is still to come.
    awaits_model: bool,
    /// The program that error frames name.
    origin: String,
}

enum Form {
    Framed { seal: Seal, frames: u64, items: u64 },
    Npy { name: String, spec: Spec, data: Box<SpooledTempFile>, items: usize },
    JsonLines,
}

impl Writer {
    /// Writes a stream.
    ///
    /// # Errors
    /// [`Error::Closed`] where the reader has closed the output, else [`Error::Io`].
    pub fn framed(output: impl Sink + 'static, head: &Head) -> Result<Writer> {
        let form = Form::Framed { seal: Seal::default(), frames: 0, items: 0 };
        let mut writer = Writer::new(output, head, form);
        writer.line(head.as_json().clone(), &[])?;
        Ok(writer)
    }

    /// Collects the tensor `name` of the main group, and writes it as one .npy when everything has arrived.
    ///
    /// # Errors
    /// [`Error::Usage`] where the head has no such tensor.
    pub fn npy(output: impl Sink + 'static, head: &Head, name: &str) -> Result<Writer> {
        let schema = head.tensors();
        let Some((_, spec)) = schema.iter().find(|(n, _)| n == name).cloned() else {
            let names: Vec<&str> = schema.iter().map(|(n, _)| n.as_str()).collect();
            return Err(Error::Usage(format!("--npy {name}: expected a tensor of the stream: {}", names.join(", "))));
        };
        let form = Form::Npy { name: name.to_owned(), spec, data: Box::new(SpooledTempFile::new(IN_MEMORY)), items: 0 };
        Ok(Writer::new(output, head, form))
    }

    /// Writes the items of the main group as newline JSON.
    pub fn jsonl(output: impl Sink + 'static, head: &Head) -> Writer {
        Writer::new(output, head, Form::JsonLines)
    }

    fn new(output: impl Sink + 'static, head: &Head, form: Form) -> Writer {
        let awaits_model = matches!(head.model(), Some(ModelRef::Embedded { .. }));
        Writer { output: Box::new(output), schema: head.tensors(), form, awaits_model, origin: "unknown".to_owned() }
    }

    /// The same, with the name of the running program, which error frames give.
    pub fn by(self, origin: impl Into<String>) -> Writer {
        Writer { origin: origin.into(), ..self }
    }

    /// Writes a frame, and hands it to the system, so that a live reader sees it.
    ///
    /// A main frame must be what the head says. A model goes into the stream once, and only if the head announces it, so
    /// that a filter may pass on all that it reads. The forms that are no stream leave out other groups and records.
    ///
    /// # Errors
    /// [`Error::Data`] for a frame that the head does not describe, [`Error::Closed`] where the reader has closed the output, else [`Error::Io`].
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
                put(&mut *self.output, &mut [IoSlice::new(&text)])?;
                push(&mut *self.output)
            }
        }
    }

    /// Writes the end, or the one .npy, and lets a file appear under its name.
    ///
    /// # Errors
    /// [`Error::Closed`] where the reader has closed the output, else [`Error::Io`].
    pub fn finish(mut self) -> Result<()> {
        match &mut self.form {
            Form::Framed { frames, items, .. } => {
                let end = [("type", "end".into()), ("frames", (*frames).into()), ("items", (*items).into())];
                self.line(object(end), &[])?;
            }
            Form::Npy { spec, data, items, .. } => {
                let shape: Vec<usize> = [*items].iter().chain(&spec.shape).copied().collect();
                let header = npy::header(spec.dtype.name(), false, &shape);
                put(&mut *self.output, &mut [IoSlice::new(&header)])?;
                copy(data, &mut *self.output)?;
            }
            Form::JsonLines => {}
        }
        let name = self.output.name().to_owned();
        self.output.commit().map_err(|e| unwritten(&name, e))
    }

    /// Ends the stream with an `error` frame, and gives the error for the program to end with.
    ///
    /// What came from upstream and goes on through a pipe becomes [`Error::Relayed`], which is silent: the program at the
    /// end of the pipe will say it.
    pub fn fail<E: Failure>(mut self, error: E) -> E {
        if !matches!(self.form, Form::Framed { .. }) || !self.output.is_direct() || error.is_closed() {
            return error;
        }
        let (origin, message) = match error.upstream() {
            Some((origin, message)) => (origin.to_owned(), message.to_owned()),
            None => (self.origin.clone(), error.to_string()),
        };
        let message = one_line(&message.chars().take(MAX_MESSAGE).collect::<String>());
        let line = object([("type", "error".into()), ("origin", origin.into()), ("message", message.into())]);
        let passed_on = self.line(line, &[]).is_ok() && self.output.is_pipe();
        match error.upstream() {
            Some(_) if passed_on => Error::Relayed.into(),
            _ => error,
        }
    }

    /// Runs `body`, which writes the frames; then [`finish`](Writer::finish) or, if it failed, [`fail`](Writer::fail).
    ///
    /// # Errors
    /// That of `body`, as `fail` gives it, or those of `finish`.
    pub fn run<E: Failure>(mut self, body: impl FnOnce(&mut Writer) -> Result<(), E>) -> Result<(), E> {
        match body(&mut self) {
            Ok(()) => Ok(self.finish()?),
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
        put(&mut *self.output, &mut slices)?;
        push(&mut *self.output)
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer({})", self.output.name())
    }
}

/// Writes all slices, in one system call where the target can.
fn put(output: &mut dyn Sink, mut slices: &mut [IoSlice<'_>]) -> Result<()> {
    while slices.iter().any(|s| !s.is_empty()) {
        match output.write_vectored(slices) {
            Ok(0) => return Err(unwritten(output.name(), io::ErrorKind::WriteZero.into())),
            Ok(n) => IoSlice::advance_slices(&mut slices, n),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(unwritten(output.name(), e)),
        }
    }
    Ok(())
}

/// Hands what is buffered to the system, so that a live reader sees it.
fn push(output: &mut dyn Sink) -> Result<()> {
    output.flush().map_err(|e| unwritten(output.name(), e))
}

fn unwritten(name: &str, source: io::Error) -> Error {
    Error::io(format!("cannot write {name}"), source)
}

fn object<const N: usize>(entries: [(&str, Value); N]) -> Map<String, Value> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn copy(file: &mut SpooledTempFile, output: &mut dyn Sink) -> Result<()> {
    let failed = |e: io::Error| Error::io("cannot read a temporary file", e);
    file.rewind().map_err(failed)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(()),
            n => put(output, &mut [IoSlice::new(&buffer[..n])])?,
        }
    }
}
