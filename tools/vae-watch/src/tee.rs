//! A tee: bytes are written to the output before they are read.

use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use vae_cli::output::{self, Format, Output};
use vae_cli::{Error, Result};
use vae_stream::Sink;

/// Bytes per read: the largest capacity of a pipe.
const BUFFER: usize = 1 << 20;

/// An input whose bytes are copied to an output as they are read.
pub struct Tee {
    input: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    output: Arc<Mutex<TeeOutput>>,
}

/// The output of a tee.
pub struct TeeOutput {
    /// None at a terminal, which would misread binary, and after a broken pipe while the page stays.
    output: Option<Output>,
    /// Whether the run survives a broken pipe.
    stay: bool,
    error: Option<Error>,
}

impl Tee {
    /// Opens the output.
    pub fn new(
        input: impl Read + Send + 'static,
        output: Option<&Path>,
        stay: bool,
    ) -> Result<(Tee, Arc<Mutex<TeeOutput>>)> {
        let to_stdout = output.is_none_or(|path| path.as_os_str() == "-");
        let output = match to_stdout && io::stdout().is_terminal() {
            true => None,
            false => Some(Output::open(output, Format::Copy)?),
        };
        let output = Arc::new(Mutex::new(TeeOutput { output, stay, error: None }));
        let tee = Tee { input: Box::new(input), buffer: vec![0; BUFFER], at: 0, filled: 0, output: output.clone() };
        Ok((tee, output))
    }

    fn fill(&mut self) -> io::Result<()> {
        self.at = 0;
        self.filled = 0; // also if the read fails
        self.filled = self.input.read(&mut self.buffer)?;
        let output = &mut *self.output.lock().unwrap_or_else(PoisonError::into_inner);
        output.write(&self.buffer[..self.filled]).map_err(|e| {
            output.error = Some(e);
            io::Error::other("the output failed")
        })
    }
}

impl Read for Tee {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.at == self.filled {
            self.fill()?;
        }
        let count = bytes.len().min(self.filled - self.at);
        bytes[..count].copy_from_slice(&self.buffer[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

impl TeeOutput {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(output) = &mut self.output else { return Ok(()) };
        let written = output.write_all(bytes).and_then(|()| output.flush()).map_err(|e| output.error(e));
        match written {
            Err(Error::Closed) if self.stay => {
                self.output = None;
                Ok(())
            }
            other => other,
        }
    }

    /// Closes the output at the end of the input: its reader need not wait for the page. Gives the result of the run,
    /// and whether the output is a pipe.
    pub fn finish(tee: &Mutex<TeeOutput>, read: Result<()>) -> (Result<()>, bool) {
        let tee = &mut *tee.lock().unwrap_or_else(PoisonError::into_inner);
        let output = tee.output.take();
        let is_pipe = output.as_ref().is_some_and(Sink::is_pipe);
        let done = match (tee.error.take(), read, output) {
            (Some(error), ..) => Err(error),
            (None, Ok(()), Some(output)) => output.commit(),
            (None, read, _) => read,
        };
        (done.and(output::close_stdout()), is_pipe)
    }
}
