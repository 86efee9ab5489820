//! What can go wrong, by what the shell is told of it.
//!
//! A message is one line, lower case, and reads `what happened: expected X, got Y; what to do`. The name of the tool is
//! put before it once, by [`main`](crate::main).

use std::io;

use vae_stream::Failure;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure, told apart by the exit code of the program that meets it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The run itself failed, say a loss that is not finite. Exit 1.
    #[error("{0}")]
    Failed(String),
    /// The command line asks for what cannot be. Exit 2.
    #[error("{0}")]
    Usage(String),
    /// Input that is not what it should be. Exit 65.
    #[error("{0}")]
    Data(String),
    /// A stage before this one failed, and said so in the stream. Exit 65.
    #[error("{origin} failed: {message}")]
    Upstream {
        /// The tool that met the fault.
        origin: String,
        /// What it said.
        message: String,
    },
    /// The same, passed on down the stream: the tool at the end will say it. Exit 65, silently.
    #[error("a stage before this one failed")]
    Relayed,
    /// A file that is not there. Exit 66.
    #[error("{0}")]
    NoInput(String),
    /// A device or the network is not there. Exit 69.
    #[error("{0}")]
    Unavailable(String),
    /// The system refused to read or write. Exit 74.
    #[error("{what}: {source}")]
    Io {
        /// What was being done, and to which file.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// Whoever read our output has closed it: they have enough. Exit 0, silently.
    #[error("the reader of the output closed it")]
    Closed,
    /// A signal asked us to stop, and we did, in good order. Exit 128 + the signal's number.
    #[error("{message}")]
    Interrupted {
        /// The signal's number.
        signal: i32,
        /// How to go on.
        message: String,
    },
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

    /// The exit code, after `sysexits.h`.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Closed => 0,
            Error::Failed(_) => 1,
            Error::Usage(_) => 2,
            Error::Data(_) | Error::Upstream { .. } | Error::Relayed => 65,
            Error::NoInput(_) => 66,
            Error::Unavailable(_) => 69,
            Error::Io { .. } => 74,
            Error::Interrupted { signal, .. } => 128 + *signal as u8,
        }
    }
}

impl From<vae_stream::Error> for Error {
    fn from(error: vae_stream::Error) -> Error {
        match error {
            vae_stream::Error::Failed(message) => Error::Failed(message),
            vae_stream::Error::Usage(message) => Error::Usage(message),
            vae_stream::Error::Data(message) => Error::Data(message),
            vae_stream::Error::Upstream { origin, message } => Error::Upstream { origin, message },
            vae_stream::Error::Relayed => Error::Relayed,
            vae_stream::Error::Io { what, source } => Error::Io { what, source },
            vae_stream::Error::Closed => Error::Closed,
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
