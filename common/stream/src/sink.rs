//! Where a stream is written to.

use std::io::{self, IoSlice, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Error, Result};

/// The output of a [`Writer`](crate::Writer): a pipe, a file that takes its name once it is whole, memory.
pub trait Sink: Write + Send {
    /// Its name in messages.
    fn name(&self) -> &str {
        "output"
    }

    /// Whether another program reads the bytes as they come.
    fn is_pipe(&self) -> bool {
        true
    }

    /// Whether the bytes stay without [`commit`](Sink::commit).
    fn is_direct(&self) -> bool {
        true
    }

    /// Flushes what is buffered, and gives a file its name.
    ///
    /// # Errors
    /// Those of the system.
    fn commit(mut self: Box<Self>) -> io::Result<()> {
        self.flush()
    }
}

impl dyn Sink + '_ {
    /// Writes all slices, in one system call where the target can, and flushes them.
    pub(crate) fn send(&mut self, mut slices: &mut [IoSlice<'_>]) -> Result<()> {
        while slices.iter().any(|s| !s.is_empty()) {
            match self.write_vectored(slices) {
                Ok(0) => return Err(cannot_write(self.name(), io::ErrorKind::WriteZero.into())),
                Ok(n) => IoSlice::advance_slices(&mut slices, n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(cannot_write(self.name(), e)),
            }
        }
        self.flush().map_err(|e| cannot_write(self.name(), e))
    }
}

pub(crate) fn cannot_write(name: &str, source: io::Error) -> Error {
    Error::io(format!("cannot write {name}"), source)
}

/// Any [`Write`] as a pipe to another program.
#[derive(Debug)]
pub struct Pipe<W>(pub W);

impl<W: Write> Write for Pipe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write + Send> Sink for Pipe<W> {}

/// A buffer that all clones share.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    /// A copy of all that was written.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Memory {}
