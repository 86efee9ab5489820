//! Writing: a stream, one .npy, or newline JSON.

mod frames;
mod json_lines;
#[cfg(feature = "npy")]
mod npy_output;

use std::fmt;

use serde_json::{Map, Value};

use crate::sink::cannot_write;
use crate::{Data, Error, Failure, Frame, Head, ModelRef, Result, Sink, TensorSpec, one_line};

/// Writes frames as a stream, as one .npy, or as newline JSON.
///
/// Dropped without [`finish`](Writer::finish), it leaves a stream without its end, which every reader refuses, and no file.
pub struct Writer {
    sink: Box<dyn Sink>,
    schema: Vec<(String, TensorSpec)>,
    output: Box<dyn Output>,
    /// Whether the frame of an embedded model is yet to come.
    awaits_model: bool,
    /// The program that error frames name.
    origin: String,
}

/// An output format.
trait Output: Send {
    /// Writes a data frame, if the format has its group.
    fn data(&mut self, data: &Data, sink: &mut dyn Sink) -> Result<()>;

    /// Writes a record, if the format has records.
    fn record(&mut self, _record: Map<String, Value>, _sink: &mut dyn Sink) -> Result<()> {
        Ok(())
    }

    /// Writes what comes after the last frame.
    fn end(&mut self, _sink: &mut dyn Sink) -> Result<()> {
        Ok(())
    }

    /// Writes an error frame in place of the end; tells whether it was written.
    fn error(&mut self, _origin: &str, _message: &str, _sink: &mut dyn Sink) -> bool {
        false
    }
}

impl Writer {
    /// Writes a stream, of which the head is written at once.
    ///
    /// # Errors
    /// [`Error::Closed`] where the reader of the output has closed it, and [`Error::Io`].
    pub fn framed(sink: impl Sink + 'static, head: &Head) -> Result<Writer> {
        let mut sink: Box<dyn Sink> = Box::new(sink);
        let output = frames::Frames::open(head, &mut *sink)?;
        Ok(Writer::new(sink, head, Box::new(output)))
    }

    /// Collects the tensor `name` of the main group, and writes it as one .npy at the end.
    ///
    /// # Errors
    /// [`Error::MissingTensor`] where the head has no such tensor.
    #[cfg(feature = "npy")]
    pub fn npy(sink: impl Sink + 'static, head: &Head, name: &str) -> Result<Writer> {
        let output = npy_output::NpyOutput::new(name, head.need(name)?);
        Ok(Writer::new(Box::new(sink), head, Box::new(output)))
    }

    /// Writes the items of the main group as newline JSON.
    pub fn jsonl(sink: impl Sink + 'static, head: &Head) -> Writer {
        Writer::new(Box::new(sink), head, Box::new(json_lines::JsonLines))
    }

    fn new(sink: Box<dyn Sink>, head: &Head, output: Box<dyn Output>) -> Writer {
        let awaits_model = matches!(head.model(), Some(ModelRef::Embedded { .. }));
        Writer { sink, schema: head.tensors(), output, awaits_model, origin: "unknown".to_owned() }
    }

    /// The writer of the program `origin`, which error frames name.
    pub fn by(self, origin: impl Into<String>) -> Writer {
        Writer { origin: origin.into(), ..self }
    }

    /// Writes a frame, and flushes it, so that a live reader sees it.
    ///
    /// A frame of the main group must have the tensors of the head. The model is written once, and only if the head
    /// announces it, so that a filter may pass on all that it reads. One .npy and newline JSON leave out other groups and
    /// records.
    ///
    /// # Errors
    /// [`Error::Closed`] where the reader of the output has closed it, [`Error::Io`], and those of a frame that the head does
    /// not describe.
    pub fn write(&mut self, frame: impl Into<Frame>) -> Result<()> {
        match frame.into() {
            Frame::Json(record) => self.output.record(record, &mut *self.sink),
            Frame::Data(data) => {
                data.check(&self.schema)?;
                if data.is_model() && !std::mem::take(&mut self.awaits_model) {
                    return Ok(());
                }
                self.output.data(&data, &mut *self.sink)
            }
        }
    }

    /// Writes the end, or the one .npy, and gives a file its name.
    ///
    /// # Errors
    /// [`Error::Closed`] where the reader of the output has closed it, and [`Error::Io`].
    pub fn finish(mut self) -> Result<()> {
        self.output.end(&mut *self.sink)?;
        let name = self.sink.name().to_owned();
        self.sink.commit().map_err(|e| cannot_write(&name, e))
    }

    /// Ends a stream with an error frame. Gives the error for the program to end with.
    ///
    /// An error that came from upstream and went on through a pipe becomes [`Error::Relayed`], which is silent: the last
    /// program of the pipe prints it.
    pub fn fail<E: Failure>(mut self, error: E) -> E {
        if !self.sink.is_direct() || error.is_closed() {
            return error;
        }
        let (origin, message) = match error.upstream() {
            Some((origin, message)) => (origin, message.to_owned()),
            None => (&*self.origin, error.to_string()),
        };
        let message = one_line(&message);
        let passed_on = self.output.error(origin, &message, &mut *self.sink) && self.sink.is_pipe();
        match error.upstream() {
            Some(_) if passed_on => Error::Relayed.into(),
            _ => error,
        }
    }

    /// Runs `body`, which writes the frames; then [`finish`](Writer::finish) or, if it failed, [`fail`](Writer::fail).
    ///
    /// # Errors
    /// Those of `body`, as `fail` gives them, and those of `finish`.
    pub fn run<E: Failure>(mut self, body: impl FnOnce(&mut Writer) -> Result<(), E>) -> Result<(), E> {
        match body(&mut self) {
            Ok(()) => Ok(self.finish()?),
            Err(e) => Err(self.fail(e)),
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer({})", self.sink.name())
    }
}
