//! What can go wrong with a stream: one variant for each cause.
//!
//! A message is one line, lower case: `what happened: expected X, got Y; what to do`. Messages name no program and no
//! option; the programs add those.

use std::fmt;
use std::io;

use crate::foreign::Foreign;
use crate::{Dtype, MAX_FRAME, MAX_NAME, TensorSpec, VERSION};

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with a stream.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // The input as a whole.
    /// The input has no bytes.
    #[error("nothing arrived")]
    Empty,
    /// The input has another format.
    #[error("expected {expected}, got {got}")]
    Format {
        /// The formats that are read.
        expected: &'static str,
        /// The format of the input, as far as its first bytes tell.
        got: Foreign,
    },
    /// The input ends too early.
    #[error("the input stops at byte {offset}: expected {expected}")]
    Truncated {
        /// The length of the input.
        offset: u64,
        /// What is missing.
        expected: String,
    },
    /// The place of an error in the input: a file, a byte, a line or a tensor.
    #[error("{place}: {error}")]
    Within {
        /// The place.
        place: String,
        /// The error.
        error: Box<Error>,
    },

    // Lines of a stream.
    /// A line of the input is longer than [`MAX_LINE`](crate::MAX_LINE), or one of newline JSON than [`MAX_JSON_LINE`](crate::MAX_JSON_LINE).
    #[error("bad line: expected at most {most} bytes, got more")]
    LineTooLong {
        /// The limit.
        most: usize,
    },
    /// A checksum does not agree with the bytes before it.
    #[error("the stream is damaged: expected a line that ends in {expected}, got {got}")]
    Checksum {
        /// The end of the line by the bytes that arrived.
        expected: String,
        /// The end of the line that arrived.
        got: String,
    },
    /// A line of a stream is no JSON object.
    #[error("bad line: expected one JSON object, got an error: {0}")]
    Json(serde_json::Error),
    /// A line of a stream has an unknown type.
    #[error("bad line: expected type data, json, end or error, got {got}")]
    LineType {
        /// Its type.
        got: String,
    },
    /// The last line of a stream counts differently.
    #[error("bad end: expected {announced} {unit} as it says, got {got}")]
    EndCount {
        /// What is counted: frames or items.
        unit: &'static str,
        /// The count of the last line.
        announced: String,
        /// The count of the reader.
        got: u64,
    },
    /// Bytes after the end of a stream that begin no other stream.
    #[error("bytes after the end of the stream: expected nothing or another stream")]
    TrailingBytes,

    /// Bytes after a .npy that begin no other one, such as what a program has printed.
    #[error("bytes after the array that begin with \"{}\": expected nothing or another .npy", .got.escape_ascii())]
    AfterNpy {
        /// The first of them.
        got: Vec<u8>,
    },

    // The head.
    /// A stream of a later version of the format.
    #[error("a stream of version {got}: expected version {VERSION}; it needs programs of a later release")]
    Version {
        /// Its version.
        got: u64,
    },
    /// The first line describes no stream.
    #[error("bad head: expected {expected}, got {got}")]
    Head {
        /// What the line must have.
        expected: String,
        /// What it has, as JSON.
        got: String,
    },
    /// A stream that follows another has other tensors.
    #[error("joined streams differ: expected {expected}, got {got}; join like with like")]
    JoinedTensors {
        /// The tensors of the first stream.
        expected: String,
        /// The tensors of the next.
        got: String,
    },
    /// A stream that follows another has another model.
    #[error("joined streams have different models: expected {expected}, got {got}")]
    JoinedModels {
        /// The SHA-256 of the first stream's model, or `none`.
        expected: String,
        /// The SHA-256 of the next stream's model, or `none`.
        got: String,
    },
    /// A stream that follows another has other classes, so that its labels mean something else.
    #[error("joined streams have different classes: expected {expected}, got {got}")]
    JoinedClasses {
        /// The classes of the first stream, as JSON.
        expected: String,
        /// The classes of the next.
        got: String,
    },

    // Frames.
    /// The line of a data frame lacks what it must have.
    #[error("bad frame: expected {expected}, got {got}")]
    Frame {
        /// What the line must have.
        expected: &'static str,
        /// What it has, as JSON.
        got: String,
    },
    /// The name of a tensor or a group cannot be part of a file name and of an option.
    #[error("bad name: expected up to {MAX_NAME} letters, digits, _, - or ., got {name:?}")]
    Name {
        /// The name.
        name: String,
    },
    /// Two tensors of a frame have one name.
    #[error("bad frame: tensor {name} appears twice")]
    DuplicateTensor {
        /// The name.
        name: String,
    },
    /// A frame, or a list of tensors to join, is empty.
    #[error("bad frame: expected at least one tensor, got none")]
    NoTensors,
    /// A tensor has no items.
    #[error("tensor {name}: expected at least one item, got none")]
    NoItems {
        /// Its name.
        name: String,
    },
    /// The tensors of a frame differ in their number of items.
    #[error("tensor {name}: expected {expected} items as in {first}, got {got}")]
    ItemCount {
        /// The tensor that differs.
        name: String,
        /// The first tensor of the frame.
        first: String,
        /// The number of its items.
        expected: usize,
        /// The number of items of the tensor that differs.
        got: usize,
    },
    /// The tensors of a frame are larger than [`MAX_FRAME`] together.
    #[error("bad frame: expected at most {MAX_FRAME} bytes of tensors, got more; put fewer items into a frame")]
    FrameTooLarge,
    /// A frame of the main group has too few tensors.
    #[error("bad frame: expected the {expected} tensors of the head, got {got}")]
    TensorCount {
        /// The number of tensors in the head.
        expected: usize,
        /// The number of tensors in the frame.
        got: usize,
    },
    /// A tensor of the main group is not in the head.
    #[error("tensor {name} is not in the head")]
    Undeclared {
        /// Its name.
        name: String,
    },
    /// The items of a tensor differ from those of the head.
    #[error("tensor {name}: expected items of {expected} as the head says, got {got}")]
    Declared {
        /// Its name.
        name: String,
        /// Its items by the head.
        expected: TensorSpec,
        /// Its items in the frame.
        got: TensorSpec,
    },
    /// A payload differs from the line that announces it.
    #[error("tensor {name}: expected {expected}, got {got}")]
    Announced {
        /// The tensor's name.
        name: String,
        /// Type and whole shape by the line.
        expected: TensorSpec,
        /// Type and whole shape of the payload.
        got: TensorSpec,
    },
    /// A tensor is asked for that is not there.
    #[error("no tensor {name} in the stream: expected it among {}", list(.available))]
    MissingTensor {
        /// Its name.
        name: String,
        /// The names of the tensors that are there.
        available: Vec<String>,
    },

    // Arrays.
    /// A .npy that breaks the format, or is beyond what is read of it.
    #[error("bad .npy: expected {expected}, got {got}")]
    Npy {
        /// What the array must be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// Elements that are no values of their type.
    #[error("bad .npy: {reason}")]
    Elements {
        /// The reason, as `ndarray-npy` gives it.
        reason: String,
    },
    /// The .npy of a frame is in Fortran order, big endian or without dimensions.
    #[error("bad .npy in a frame: expected C order, little endian and at least one dimension")]
    Layout,
    /// A bare .npy in Fortran order is larger than [`MAX_FRAME`]: its items cannot be read one by one.
    #[error("bad .npy: expected at most {MAX_FRAME} bytes in Fortran order, got {bytes}; save it in C order")]
    FortranTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The items of a bare .npy differ from those of the one before it.
    #[error("the next .npy differs: expected items of {expected} as in the first, got {got}")]
    NextNpy {
        /// The items of the first.
        expected: TensorSpec,
        /// The items of the next.
        got: TensorSpec,
    },
    /// Tensors to join differ in their items.
    #[error("tensors differ: expected items of {expected}, got {got}")]
    Concat {
        /// The items of the first.
        expected: TensorSpec,
        /// The items of the one that differs.
        got: TensorSpec,
    },
    /// The elements have another type.
    #[error("expected numbers of kind {expected}, got {got}")]
    Type {
        /// The type that is asked for.
        expected: Dtype,
        /// The type that is there.
        got: Dtype,
    },
    /// A value that the type which is asked for cannot hold.
    #[error("expected {expected}, got {got}")]
    Range {
        /// The values that fit.
        expected: &'static str,
        /// The one that does not.
        got: String,
    },

    // Newline JSON.
    /// A line that is no JSON object.
    #[error("expected one JSON object per line: {0}")]
    JsonLine(serde_json::Error),
    /// A line whose object has no keys.
    #[error(r#"expected an item such as {{"z":[0.5,-1.0],"y":3}}, got {{}}"#)]
    EmptyItem,
    /// A line that lacks a key of the first.
    #[error("expected the keys of the first line, got no {name}")]
    MissingKey {
        /// The key.
        name: String,
    },
    /// A line with a key that the first lacks.
    #[error("expected the keys of the first line, got {name} too")]
    ExtraKey {
        /// The key.
        name: String,
    },
    /// The value of a key has another shape, or numbers out of range.
    #[error("{name}: expected {expected}, got {got}")]
    Value {
        /// The key.
        name: String,
        /// Type and shape of the first line.
        expected: String,
        /// The value, as JSON.
        got: String,
    },

    // What tensors mean.
    /// A tensor whose items are no images, or images of another size.
    #[error("bad images: expected items {}, got {got:?}", image(.expected))]
    ImageShape {
        /// Their expected shape, if it is known.
        expected: Option<crate::images::ImageShape>,
        /// The shape of the items.
        got: Vec<usize>,
    },
    /// A record of a known kind without its keys.
    #[error("bad {kind} record: {reason}; expected one of vae-train or vae-eval")]
    Record {
        /// The kind.
        kind: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A pixel is NaN, or a whole number that is no byte.
    #[error("pixel {at:?} of image {image} is {got}: expected {}", pixels(*.dtype))]
    Pixel {
        /// Row and column.
        at: [usize; 2],
        /// The number of the image.
        image: usize,
        /// Its value.
        got: String,
        /// The dtype of the images.
        dtype: Dtype,
    },
    /// Images of whole numbers that are 0 and 1 alone: as bytes, of which 255 is white, they would be almost black.
    #[error(
        "bad images: whole numbers of 0 and 1 alone: expected 0 to 255, or bool, or floats from 0 to 1; save them as bool \
         or f32"
    )]
    BinaryBytes,
    /// A tensor with other than one number for each item.
    #[error("tensor {name}: expected one number for each item, got items {got:?}")]
    Scalar {
        /// Its name.
        name: String,
        /// The shape of its items.
        got: Vec<usize>,
    },
    /// The embedded model has another hash than the head says.
    #[error("bad embedded model: expected sha256 {expected}, got {got}")]
    ModelHash {
        /// The SHA-256 in the head.
        expected: String,
        /// The SHA-256 of the model.
        got: String,
    },
    /// The head announces an embedded model, and it does not follow.
    #[error("bad embedded model: expected it right after the head, got another frame")]
    ModelMissing,

    // Other programs, and the system.
    /// A stage before this one failed, and its error frame arrived.
    #[error("{origin} failed: {message}")]
    Upstream {
        /// The program that failed.
        origin: String,
        /// Its message.
        message: String,
    },
    /// The error frame of a stage before this one went on down the pipe, where the last program prints it.
    #[error("a stage before this one failed")]
    Relayed,
    /// The reader of the output has closed it.
    #[error("the reader of the output closed it")]
    Closed,
    /// The system refused to read or write.
    #[error("{what}: {source}")]
    Io {
        /// The operation, and its file.
        what: String,
        /// The system's error.
        source: io::Error,
    },

    // This program.
    /// JSON that cannot be written.
    #[error("cannot write JSON: {0}")]
    WriteJson(serde_json::Error),
    /// A line to write is longer than a reader takes.
    #[error("a line of {bytes} bytes: expected at most {most}")]
    WriteLine {
        /// Its length.
        bytes: usize,
        /// The limit, as in [`Error::LineTooLong`].
        most: usize,
    },
    /// A worker of a filter panicked.
    #[error("it met a bug; see its message")]
    Panicked,
}

impl Error {
    /// An [`Error::Io`], or [`Error::Closed`] for a broken pipe.
    pub fn io(what: impl Into<String>, source: io::Error) -> Error {
        match source.kind() {
            io::ErrorKind::BrokenPipe => Error::Closed,
            _ => Error::Io { what: what.into(), source },
        }
    }

    /// The error with its place in the input. Errors of other programs and of the system have none.
    pub fn within(self, place: impl fmt::Display) -> Error {
        match self {
            Error::Upstream { .. } | Error::Relayed | Error::Closed | Error::Io { .. } => self,
            error => Error::Within { place: place.to_string(), error: Box::new(error) },
        }
    }

    /// The error of a pixel with another number for its image, which counted from the first of a frame.
    pub fn numbered(mut self, number: impl FnOnce(usize) -> usize) -> Error {
        if let Error::Pixel { image, .. } = &mut self {
            *image = number(*image);
        }
        self
    }

    /// Its outermost place.
    pub fn place(&self) -> Option<&str> {
        match self {
            Error::Within { place, .. } => Some(place),
            _ => None,
        }
    }

    /// The error without its places.
    pub fn cause(&self) -> &Error {
        match self {
            Error::Within { error, .. } => error.cause(),
            cause => cause,
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn pixels(dtype: Dtype) -> &'static str {
    if dtype.is_whole() { "whole numbers from 0 to 255" } else { "numbers" }
}

fn image(expected: &Option<crate::images::ImageShape>) -> String {
    expected.map_or("[H, W]".to_owned(), |shape| format!("{:?}", shape.dims()))
}

/// An error of a program that writes a stream: a [`Writer`](crate::Writer) ends the stream with it.
pub trait Failure: From<Error> + fmt::Display {
    /// Whether the only cause is that the reader of the output has closed it.
    fn is_closed(&self) -> bool;

    /// The program that failed and its message, if an error frame brought the error.
    fn upstream(&self) -> Option<(&str, &str)>;
}

impl Failure for Error {
    fn is_closed(&self) -> bool {
        matches!(self, Error::Closed)
    }

    fn upstream(&self) -> Option<(&str, &str)> {
        match self {
            Error::Upstream { origin, message } => Some((origin, message)),
            _ => None,
        }
    }
}
