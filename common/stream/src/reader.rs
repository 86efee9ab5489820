//! Reading: what the input is, and its frames one by one.

use std::fmt;
use std::io::Read;

use crate::bare::Bare;
use crate::frame::MODEL;
use crate::framed::Framed;
use crate::jsonl::JsonLines;
use crate::source::Source;
use crate::{Error, Frame, Head, ModelRef, Result, START, npy};

/// The frames of an input, each given only once it is verified. Memory is one frame.
pub struct Reader {
    frames: Frames,
    name: String,
    /// A frame that was read to find the embedded model.
    ahead: Option<Frame>,
}

enum Frames {
    Framed(Framed),
    Bare(Bare),
    JsonLines(JsonLines),
}

impl Reader {
    /// Reads from anything; `name` is what messages call it. A bare .npy, which names nothing, is called `bare_name`.
    ///
    /// # Errors
    /// [`Error::Data`] for all that is no stream, .npy or newline JSON, [`Error::Io`] where the system refuses.
    pub fn new(input: impl Read + Send + 'static, name: &str, bare_name: &str) -> Result<Reader> {
        let frames = Frames::open(Source::new(input), bare_name).map_err(|e| locate(e, name))?;
        Ok(Reader { frames, name: name.to_owned(), ahead: None })
    }

    /// The head of the stream; of several, the first. Bare .npy and newline JSON get one that describes them.
    pub fn head(&self) -> &Head {
        match &self.frames {
            Frames::Framed(frames) => frames.head(),
            Frames::Bare(frames) => frames.head(),
            Frames::JsonLines(frames) => frames.head(),
        }
    }

    /// Bytes read so far, up to the end of the last line or payload.
    pub fn bytes(&self) -> u64 {
        match &self.frames {
            Frames::Framed(frames) => frames.bytes(),
            Frames::Bare(frames) => frames.bytes(),
            Frames::JsonLines(frames) => frames.bytes(),
        }
    }

    /// The next frame; none after a verified end and the end of the input. It waits for nothing after the line that
    /// verifies the frame.
    ///
    /// # Errors
    /// [`Error::Upstream`] for an `error` frame, [`Error::Data`] for anything else that is wrong, [`Error::Io`] where the
    /// system refuses. No frame follows an error.
    pub fn next_frame(&mut self) -> Result<Option<Frame>> {
        if let Some(frame) = self.ahead.take() {
            return Ok(Some(frame));
        }
        let next = match &mut self.frames {
            Frames::Framed(frames) => frames.next(),
            Frames::Bare(frames) => frames.next(),
            Frames::JsonLines(frames) => frames.next(),
        };
        next.map_err(|e| locate(e, &self.name))
    }

    /// The bytes of the model that the stream embeds, checked against the hash in its head; none if it embeds none.
    ///
    /// To be called before the first [`next_frame`](Reader::next_frame), which still gives the model's frame afterwards, so
    /// that it is passed on.
    ///
    /// # Errors
    /// As [`next_frame`](Reader::next_frame), and [`Error::Data`] for a model that is not there or has another hash.
    pub fn embedded_model(&mut self) -> Result<Option<&[u8]>> {
        let Some(ModelRef::Embedded { sha256 }) = self.head().model() else { return Ok(None) };
        self.ahead = self.next_frame()?;
        let bad = |message: &str| Error::Data(format!("{}: bad embedded model: {message}", self.name));
        match &self.ahead {
            Some(Frame::Data(data)) if data.is_model() => {
                let bytes = data.need(MODEL)?.data();
                let hash = crate::sha256(bytes);
                if hash != sha256 {
                    return Err(bad(&format!("expected sha256 {sha256}, got {hash}")));
                }
                Ok(Some(bytes))
            }
            _ => Err(bad("expected it right after the head, got another frame")),
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({})", self.name)
    }
}

impl Frames {
    fn open(mut source: Source, bare_name: &str) -> Result<Frames> {
        // No input in any form is shorter, so this keeps nobody waiting.
        let start = source.peek(8)?;
        if start.is_empty() {
            Err(Error::Data("nothing arrived; see the message of the stage before".to_owned()))
        } else if start.starts_with(START) {
            Framed::open(source).map(Frames::Framed)
        } else if start.starts_with(npy::MAGIC) {
            Bare::open(source, bare_name).map(Frames::Bare)
        } else if start.starts_with(b"{") && !is_safetensors(start) {
            JsonLines::open(source).map(Frames::JsonLines)
        } else {
            Err(Error::Data(format!("expected a stream, .npy or newline JSON, got {}", guess(start))))
        }
    }
}

/// What else the input could be, by its first bytes, and the tool or remedy for it.
pub(super) fn guess(start: &[u8]) -> String {
    let known = match start {
        [0x1f, 0x8b, ..] => "gzip data; unpack it (gzip -dc), or read MNIST files with mnist-dump --data DIR",
        [0x89, b'P', b'N', b'G', ..] => "a PNG picture; load it in Python and numpy.save the array",
        [0, 0, 8..=14, 1..=4, ..] => "an IDX file; read it with mnist-dump --data DIR",
        [b'P', b'K', 3, 4, ..] => "a zip archive; of .npz numpy.save one array, a PyTorch file goes to vae-model",
        [0x80, 2..=5, ..] => "a Python pickle; numpy.save the array, a PyTorch file goes to vae-model",
        [b'[', ..] => "a JSON list; put one object on each line (jq -c '.[]')",
        _ if is_safetensors(start) => "a model or another safetensors file; give a model with -m",
        _ => return format!("bytes that begin with \"{}\"", start.escape_ascii()),
    };
    known.to_owned()
}

/// A length in 8 bytes that a header of JSON could have.
pub(super) fn is_safetensors(start: &[u8]) -> bool {
    start.first_chunk().is_some_and(|&len| (2..100 << 20).contains(&u64::from_le_bytes(len)))
}

/// Names the input in an error about it.
pub(super) fn locate(error: Error, name: &str) -> Error {
    match error {
        Error::Io { what, source } => Error::Io { what: format!("{what} {name}"), source },
        other => other.within(name),
    }
}
