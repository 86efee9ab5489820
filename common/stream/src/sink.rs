//! Where a stream is written to.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Something to write a stream to: a pipe, a file that appears once it is whole, memory.
pub trait Sink: Write + Send {
    /// What messages call it.
    fn name(&self) -> &str {
        "output"
    }

    /// Whether another program reads the bytes as they come.
    fn is_pipe(&self) -> bool {
        true
    }

    /// Whether the bytes stay even without [`commit`](Sink::commit).
    fn is_direct(&self) -> bool {
        true
    }

    /// Ends the output once all has been written.
    ///
    /// # Errors
    /// Those of the system.
    fn commit(mut self: Box<Self>) -> io::Result<()> {
        self.flush()
    }
}

/// Any writer as a pipe to another program.
#[derive(Debug)]
pub struct Pipe<W>(pub W);

impl<W: Write> Write for Pipe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write + Send> Sink for Pipe<W> {}

/// Bytes kept in memory; every clone sees the same ones.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    /// What was written so far.
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
