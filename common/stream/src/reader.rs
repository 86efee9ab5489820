//! Reading: the format of an input, and its frames one by one.

mod frames;
mod json_lines;
mod npy_input;

use std::fmt;
use std::io::Read;

pub(crate) use frames::Frames;
use json_lines::JsonLines;
use npy_input::NpyInput;

use crate::foreign::{Foreign, is_safetensors};
use crate::source::Source;
use crate::{Error, Frame, Head, Result, START, npy};

/// Bytes that tell the format. No input is shorter, so waiting for them keeps nobody waiting.
pub(crate) const PREFIX: usize = 8;

/// The frames of an input, each verified before it is given. Memory is one frame.
pub struct Reader {
    input: Box<dyn Input>,
    name: String,
    /// A frame that was read in search of the embedded model.
    ahead: Option<Frame>,
}

/// An input of one format.
trait Input: Send {
    /// The head of the stream, or one that describes the items.
    fn head(&self) -> &Head;

    /// Bytes read so far.
    fn bytes(&self) -> u64;

    /// The next frame; none at the end of the input.
    fn next(&mut self) -> Result<Option<Frame>>;
}

impl Reader {
    /// Reads a stream, .npy or newline JSON. `name` is the input's name in messages; `bare_name` is the name of the tensor
    /// of a bare .npy, which has none.
    ///
    /// # Errors
    /// [`Error::Format`] for any other format, the error of a bad beginning, and [`Error::Io`].
    pub fn new(input: impl Read + Send + 'static, name: &str, bare_name: &str) -> Result<Reader> {
        let input = open(Source::new(input), bare_name).map_err(|e| locate(e, name))?;
        Ok(Reader { input, name: name.to_owned(), ahead: None })
    }

    /// The head of the stream; of joined streams, the first. Bare .npy and newline JSON get one that describes their items.
    pub fn head(&self) -> &Head {
        self.input.head()
    }

    /// Bytes read so far, up to the end of the last line or payload.
    pub fn bytes(&self) -> u64 {
        self.input.bytes()
    }

    /// The next frame; none after the verified end of the input. It is given as soon as the line that verifies it is here.
    ///
    /// # Errors
    /// [`Error::Upstream`] for an error frame, [`Error::Io`], and an error for each way in which an input can be bad. No frame
    /// follows an error.
    pub fn next_frame(&mut self) -> Result<Option<Frame>> {
        match self.ahead.take() {
            Some(frame) => Ok(Some(frame)),
            None => self.input.next().map_err(|e| locate(e, &self.name)),
        }
    }

    /// The bytes of the model that the stream embeds, checked against the hash in its head; none if it embeds none.
    ///
    /// To be called before the first [`next_frame`](Reader::next_frame), which still gives the frame of the model, so that
    /// it is passed on.
    ///
    /// # Errors
    /// Those of [`next_frame`](Reader::next_frame), [`Error::ModelHash`] and [`Error::ModelMissing`].
    #[cfg(feature = "sha256")]
    pub fn embedded_model(&mut self) -> Result<Option<&[u8]>> {
        let Some(crate::ModelRef::Embedded { sha256 }) = self.head().model() else { return Ok(None) };
        self.ahead = self.next_frame()?;
        match &self.ahead {
            Some(Frame::Data(data)) if data.is_model() => {
                let bytes = data.need(crate::frame::MODEL)?.data();
                let got = crate::sha256(bytes);
                if got != sha256 {
                    return Err(Error::ModelHash { expected: sha256, got }.within(&self.name));
                }
                Ok(Some(bytes))
            }
            _ => Err(Error::ModelMissing.within(&self.name)),
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({})", self.name)
    }
}

fn open(mut source: Source, bare_name: &str) -> Result<Box<dyn Input>> {
    let start = source.peek(PREFIX)?;
    if start.is_empty() {
        Err(Error::Empty)
    } else if start.starts_with(START) {
        Ok(Box::new(Frames::open(source)?))
    } else if start.starts_with(npy::MAGIC) {
        Ok(Box::new(NpyInput::open(source, bare_name)?))
    } else if start.starts_with(b"{") && !is_safetensors(start) {
        Ok(Box::new(JsonLines::open(source)?))
    } else {
        Err(Error::Format { expected: "a stream, .npy or newline JSON", got: Foreign::of(source.arrived()) })
    }
}

/// The error with the name of the input.
pub(crate) fn locate(error: Error, name: &str) -> Error {
    match error {
        Error::Io { what, source } => Error::Io { what: format!("{what} {name}"), source },
        other => other.within(name),
    }
}
