//! What can go wrong in a program, by the exit code that it ends with.
//!
//! A message is one line, lower case, and reads `what happened: expected X, got Y; what to do`. [`main`](crate::main) puts the
//! name of the program before it, once.

use std::fmt;
use std::io;

use vae_stream::Failure;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The exit code of [`Error::Unavailable`].
pub(crate) const UNAVAILABLE: u8 = 69;

/// An error that ends a program.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The run itself failed, say by a loss that is not finite. Exit 1.
    #[error("{0}")]
    Failed(String),
    /// The command line asks for the impossible. Exit 2.
    #[error("{0}")]
    Usage(String),
    /// The input is bad. Exit 65.
    #[error("{0}")]
    Data(String),
    /// A stream, .npy or newline JSON is bad, or lacks a tensor. Exit 65.
    #[error("{}", WithRemedy(.0))]
    Stream(vae_stream::Error),
    /// A stage before this one failed, and its error frame arrived. Exit 65.
    #[error("{origin} failed: {message}")]
    Upstream {
        /// The program that failed.
        origin: String,
        /// Its message.
        message: String,
    },
    /// The error frame went on down the pipe, where the last program prints it. Exit 65, silently.
    #[error("a stage before this one failed")]
    Relayed,
    /// A file is missing. Exit 66.
    #[error("{0}")]
    NoInput(String),
    /// A device, memory or the network is missing. Exit 69.
    #[error("{0}")]
    Unavailable(String),
    /// The system refused to read or write. Exit 74.
    #[error("{what}: {source}")]
    Io {
        /// The operation, and its file.
        what: String,
        /// The system's error.
        source: io::Error,
    },
    /// The reader of the output has closed it. Exit 0, silently.
    #[error("the reader of the output closed it")]
    Closed,
    /// A signal ended the run, in good order. Exit 128 + the signal's number.
    #[error("{message}")]
    Interrupted {
        /// The signal's number.
        signal: i32,
        /// How to resume.
        message: String,
    },
}

impl Error {
    /// An [`Error::Io`], or [`Error::Closed`] for a broken pipe.
    pub fn io(what: impl Into<String>, source: io::Error) -> Error {
        vae_stream::Error::io(what, source).into()
    }

    /// The error with its place in the input, say a file or a tensor. Only errors of the input have one.
    pub fn within(self, place: impl fmt::Display) -> Error {
        match self {
            Error::Data(message) => Error::Data(format!("{place}: {message}")),
            Error::Stream(error) => Error::Stream(error.within(place)),
            other => other,
        }
    }

    /// The exit code, after `sysexits.h`.
    pub fn exit_code(&self) -> u8 {
        use vae_stream::Error::{Panicked, WriteJson, WriteLine};
        match self {
            Error::Closed => 0,
            Error::Failed(_) => 1,
            Error::Stream(e) if matches!(e.cause(), Panicked | WriteJson(_) | WriteLine { .. }) => 1,
            Error::Usage(_) => 2,
            Error::Data(_) | Error::Stream(_) | Error::Upstream { .. } | Error::Relayed => 65,
            Error::NoInput(_) => 66,
            Error::Unavailable(_) => UNAVAILABLE,
            Error::Io { .. } => 74,
            Error::Interrupted { signal, .. } => 128 + *signal as u8,
        }
    }
}

impl From<vae_stream::Error> for Error {
    fn from(error: vae_stream::Error) -> Error {
        match error {
            vae_stream::Error::Upstream { origin, message } => Error::Upstream { origin, message },
            vae_stream::Error::Relayed => Error::Relayed,
            vae_stream::Error::Io { what, source } => Error::Io { what, source },
            vae_stream::Error::Closed => Error::Closed,
            other => Error::Stream(other),
        }
    }
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

/// An error of the stream, with the remedy that names programs and options.
struct WithRemedy<'a>(&'a vae_stream::Error);

impl fmt::Display for WithRemedy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0, crate::remedy::of(self.0).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use vae_stream::Reader;

    use super::*;

    fn message(input: &[u8]) -> String {
        let error = Error::from(Reader::new(Cursor::new(input.to_vec()), "test", "x").expect_err("no input"));
        assert_eq!(error.exit_code(), 65);
        error.to_string()
    }

    #[test]
    fn a_foreign_format_comes_with_its_remedy() {
        for (start, remedy) in [
            (&b"\x1f\x8b\x08"[..], "gzip data; unpack it (gzip -dc), or read MNIST files with mnist-dump --data DIR"),
            (b"\x89PNG\r\n\x1a\n", "a PNG picture; read it with image-dump FILE"),
            (b"\0\0\x08\x03\0\0\0\x01", "an IDX file; read it with mnist-dump --data DIR"),
            (b"PK\x03\x04", "a zip archive; of .npz numpy.save one array, a PyTorch file goes to vae-model"),
            (b"\x80\x04\x95", "a Python pickle; numpy.save the array, a PyTorch file goes to vae-model"),
            (b"[{\"z\":1}]", "a JSON list; put one object on each line (jq -c '.[]')"),
            (b"\x58\0\0\0\0\0\0\0", "a model or another safetensors file; give a model with -m"),
            (
                b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146",
                "a Git LFS pointer in place of the file; fetch the file: git lfs pull",
            ),
            (
                b"<!DOCTYPE html>",
                "a web page (HTML or XML); a login or an error page came in place of the file: download it again",
            ),
            (b"\x28\xb5\x2f\xfd\x04\0\0\0", "zstd data; unpack it (zstd -dc)"),
            (
                b"\x89HDF\r\n\x1a\n",
                "an HDF5 file; load it in Python (h5py) and numpy.save one array, Keras weights go to vae-model",
            ),
            (b"1,0,0,255,0\n", "a text table; load it in Python (numpy.loadtxt) and numpy.save the array"),
            (
                b"\x08\x07\x12\x07pytorch",
                "a network in the format of ONNX; its weights go to vae-model, as .safetensors or .npz",
            ),
            (b"garbage", "bytes that begin with \"garbage\""),
        ] {
            assert_eq!(message(start), format!("test: expected a stream, .npy or newline JSON, got {remedy}"));
        }
    }

    #[test]
    fn an_error_of_the_program_is_no_bad_input() {
        for error in [vae_stream::Error::Panicked, vae_stream::Error::WriteLine { bytes: 1 << 21, most: 1 << 20 }] {
            assert_eq!(Error::from(error.within("test")).exit_code(), 1);
        }
    }

    #[test]
    fn errors_of_the_system_and_of_other_programs_have_no_place() {
        let full = vae_stream::Error::io("cannot write out", io::ErrorKind::StorageFull.into());
        assert_eq!(Error::from(full.within("test")).exit_code(), 74);
        let left = vae_stream::Error::io("cannot write out", io::ErrorKind::BrokenPipe.into());
        assert_eq!(Error::from(left).exit_code(), 0);
        let upstream = vae_stream::Error::Upstream { origin: "vae-encode".into(), message: "no model".into() };
        let upstream = Error::from(upstream.within("test"));
        assert_eq!((upstream.to_string().as_str(), upstream.exit_code()), ("vae-encode failed: no model", 65));
    }

    #[test]
    fn a_place_stands_before_the_message() {
        let error = Error::from(vae_stream::Error::Empty).within("a.vae");
        assert_eq!(error.to_string(), "a.vae: nothing arrived; the file is empty or cut off: make or copy it again");
        assert!(matches!(error, Error::Stream(e) if matches!(e.cause(), vae_stream::Error::Empty)));
    }
}
