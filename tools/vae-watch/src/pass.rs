//! Bytes on their way through: what is read has been written first.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use vae_cli::output::{self, Kind, Output};
use vae_cli::{Error, Result};
use vae_stream::Sink;

/// As much as a pipe holds.
const BUFFER: usize = 1 << 20;

/// An input whose bytes are passed on as they are read.
pub struct Pass {
    input: File,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    passed: Arc<Mutex<Passed>>,
}

/// Where the bytes go.
pub struct Passed {
    /// None at a terminal, which binary would only confuse, and where a reader went away while the page stays.
    output: Option<Output>,
    /// Whether a reader that goes away ends only the output.
    stay: bool,
    failed: Option<Error>,
}

impl Pass {
    /// Opens the output, and gives both ends.
    pub fn new(input: File, output: Option<&Path>, stay: bool) -> Result<(Pass, Arc<Mutex<Passed>>)> {
        let to_stdout = output.is_none_or(|path| path.as_os_str() == "-");
        let output = match to_stdout && io::stdout().is_terminal() {
            true => None,
            false => Some(Output::open(output, Kind::Binary)?),
        };
        let passed = Arc::new(Mutex::new(Passed { output, stay, failed: None }));
        let pass = Pass { input, buffer: vec![0; BUFFER], at: 0, filled: 0, passed: passed.clone() };
        Ok((pass, passed))
    }

    fn fill(&mut self) -> io::Result<()> {
        self.at = 0;
        self.filled = 0; // what fails leaves nothing
        self.filled = self.input.read(&mut self.buffer)?;
        let passed = &mut *self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        passed.write(&self.buffer[..self.filled]).map_err(|e| {
            passed.failed = Some(e);
            io::Error::other("the output failed")
        })
    }
}

impl Read for Pass {
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

impl Passed {
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

    /// Ends the output once the input has: whoever reads it need not wait for the page. Gives how it all went, and whether
    /// a program after this one reads what went through.
    pub fn finish(passed: &Mutex<Passed>, followed: Result<()>) -> (Result<()>, bool) {
        let passed = &mut *passed.lock().unwrap_or_else(PoisonError::into_inner);
        let output = passed.output.take();
        let read_on = output.as_ref().is_some_and(Sink::is_pipe);
        let done = match (passed.failed.take(), followed, output) {
            (Some(failed), ..) => Err(failed),
            (None, Ok(()), Some(output)) => output.commit(),
            (None, followed, _) => followed,
        };
        (done.and(output::close_stdout()), read_on)
    }
}
