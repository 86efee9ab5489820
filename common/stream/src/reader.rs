//! Reading: the format of an input, and its frames one by one.

mod frames;
mod json_item;
mod json_lines;
mod npy_input;

use std::fmt;
use std::io::Read;

pub(crate) use frames::Frames;
use json_lines::JsonLines;
use npy_input::NpyInput;

use crate::foreign::{Foreign, is_safetensors};
use crate::images::{self, Guess, ImageShape};
use crate::source::{SEPARATOR, Source};
use crate::{Data, Dtype, Error, Frame, Head, Result, START, npy};

/// Bytes that tell the format. No input is shorter, so waiting for them keeps nobody waiting.
pub(crate) const PREFIX: usize = 8;

/// The frames of an input, each verified before it is given. Memory is one frame.
pub struct Reader {
    input: Box<dyn Input>,
    name: String,
    /// A frame that was read in search of the embedded model.
    ahead: Option<Frame>,
    /// The tensors of images.
    images: Vec<Images>,
}

/// What is known of the images that are read.
struct Images {
    /// Their tensor.
    tensor: String,
    /// The greatest of their values, where these are whole numbers.
    brightest: Option<u8>,
}

/// An input of one format.
trait Input: Send {
    /// The head of the stream, or one that describes the items.
    fn head(&self) -> &Head;

    /// Bytes read so far.
    fn bytes(&self) -> u64;

    /// The next frame; none at the end of the input.
    fn next(&mut self) -> Result<Option<Frame>>;

    /// The shape of a bare .npy.
    fn array(&self) -> Option<&[usize]> {
        None
    }

    /// Makes one item of each array.
    fn join_items(&mut self) {}
}

impl Reader {
    /// Reads a stream, .npy or newline JSON. `name` is the input's name in messages; `bare_name` is the name of the tensor
    /// of a bare .npy, which has none.
    ///
    /// # Errors
    /// [`Error::Format`] for any other format, the error of a bad beginning, and [`Error::Io`].
    pub fn new(input: impl Read + Send + 'static, name: &str, bare_name: &str) -> Result<Reader> {
        let input = open(Source::new(input), bare_name).map_err(|e| locate(e, name))?;
        Ok(Reader { input, name: name.to_owned(), ahead: None, images: Vec::new() })
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
        if let Some(frame) = self.ahead.take() {
            return Ok(Some(frame));
        }
        let frame = self.input.next().map_err(|e| locate(e, &self.name))?;
        match &frame {
            Some(Frame::Data(data)) if data.is_main() => self.images.iter_mut().for_each(|images| images.read(data)),
            None => self.check_images()?,
            _ => {}
        }
        Ok(frame)
    }

    /// Reads a tensor as images, of the `expected` size if that is known: an array `[H,W]` of a bare .npy may become one
    /// item, and whole numbers of 0 and 1 alone become an error at the end of the input. Gives the size, and how it was
    /// guessed.
    ///
    /// To be called before the first [`next_frame`](Reader::next_frame).
    ///
    /// # Errors
    /// [`Error::MissingTensor`] and [`Error::ImageShape`].
    pub fn images(&mut self, tensor: &str, expected: Option<ImageShape>) -> Result<(ImageShape, Option<Guess>)> {
        let array = self.input.array().filter(|_| self.head().tensor(tensor).is_some());
        let is_single = array.is_some_and(|array| images::is_single(array, expected));
        let last: Option<[usize; 3]> = array.and_then(|array| array.try_into().ok());
        if is_single {
            self.input.join_items();
        }
        let item = self.head().need(tensor).map_err(|e| e.within(&self.name))?.shape;
        let size = images::size(&item, expected).map_err(|e| e.within(&self.name))?;
        let guess = match (&item[..], expected) {
            (_, Some(_)) => None,
            (&[values], None) => Some(Guess::Square { values }),
            (&[1, values], None) if size.height > 1 && !is_single => Some(Guess::Square { values }),
            (&[h, w], None) if last == Some([h, h, w]) && h != w => Some(Guess::Last { shape: [h, h, w] }),
            _ => is_single.then_some(Guess::Single { side: size.height }),
        };
        self.images.push(Images { tensor: tensor.to_owned(), brightest: None });
        Ok((size, guess))
    }

    /// Reads an array `[values]` of a bare .npy as one item.
    ///
    /// To be called before the first [`next_frame`](Reader::next_frame).
    pub fn join_vector(&mut self, values: usize) {
        if self.input.array() == Some(&[values]) {
            self.input.join_items();
        }
    }

    /// Checks the images so far, in a program that stops before the end of the input.
    ///
    /// # Errors
    /// [`Error::BinaryBytes`].
    pub fn check_images(&self) -> Result<()> {
        match self.images.iter().find(|images| images.brightest == Some(1)) {
            Some(images) => Err(Error::BinaryBytes.within(format_args!("tensor {}", images.tensor)).within(&self.name)),
            None => Ok(()),
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

impl Images {
    fn read(&mut self, data: &Data) {
        let is_settled = self.brightest.is_some_and(|brightest| brightest > 1);
        let Some(tensor) = data.get(&self.tensor).filter(|t| !is_settled && t.dtype().is_whole()) else { return };
        let brightest = match tensor.dtype() {
            Dtype::U8 => tensor.data().iter().max().copied(),
            // Values beyond bytes are an error of their own.
            _ => tensor.to_u8().ok().and_then(|values| values.into_iter().max()),
        };
        self.brightest = self.brightest.max(brightest);
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({})", self.name)
    }
}

fn open(mut source: Source, bare_name: &str) -> Result<Box<dyn Input>> {
    let mut start = source.peek(PREFIX)?;
    if matches!(start, [b' ' | b'\t' | b'\r' | b'\n' | SEPARATOR | 0xef, ..]) && !is_safetensors(start) {
        source.skip_blank()?;
        start = source.peek(PREFIX)?;
    }
    if start.is_empty() {
        Err(Error::Empty)
    } else if start.starts_with(START) {
        Ok(Box::new(Frames::open(source)?))
    } else if start.starts_with(npy::MAGIC) {
        Ok(Box::new(NpyInput::open(source, bare_name)?))
    } else if start.starts_with(b"{") && !start.starts_with(b"{\0") && !is_safetensors(start) {
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
