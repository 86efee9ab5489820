//! What can go wrong with a stream.
//!
//! A message is one line, lower case, and reads `what happened: expected X, got Y; what to do`.

use std::io;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with a stream.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program that uses this crate asked for what cannot be.
    #[error("{0}")]
    Failed(String),
    /// A tensor is asked for that the stream does not have.
    #[error("{0}")]
    Usage(String),
    /// Input that is not what it should be.
    #[error("{0}")]
    Data(String),
    /// A stage before this one failed, and said so in the stream.
    #[error("{origin} failed: {message}")]
    Upstream {
        /// The tool that met the fault.
        origin: String,
        /// What it said.
        message: String,
    },
    /// The same, passed on down the stream: the tool at the end will say it.
    #[error("a stage before this one failed")]
    Relayed,
    /// The system refused to read or write.
    #[error("{what}: {source}")]
    Io {
        /// What was being done, and to which file.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// Whoever read our output has closed it: they have enough.
    #[error("the reader of the output closed it")]
    Closed,
}

impl Error {
    /// An [`Error::Io`], or [`Error::Closed`] for a broken pipe.
    pub fn io(what: impl Into<String>, source: io::Error) -> Error {
        match source.kind() {
            io::ErrorKind::BrokenPipe => Error::Closed,
            _ => Error::Io { what: what.into(), source },
        }
    }

    /// The same error with the place named before it, say a file or a tensor. Only [`Error::Data`] has a place.
    pub fn within(self, place: impl std::fmt::Display) -> Error {
        match self {
            Error::Data(message) => Error::Data(format!("{place}: {message}")),
            other => other,
        }
    }
}

/// An error of a program, with which a [`Writer`](crate::Writer) can end its stream.
pub trait Failure: From<Error> + std::fmt::Display {
    /// Whether it says no more than that the reader of the output has closed it.
    fn is_closed(&self) -> bool;

    /// The program that met the fault and what it said, if the fault came in with a stream.
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
