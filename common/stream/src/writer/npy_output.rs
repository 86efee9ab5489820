//! One tensor of a stream as a single .npy, whose header counts the items before any of them is written.

use std::io::{self, IoSlice, Read, Seek, Write};

use tempfile::SpooledTempFile;

use super::Output;
use crate::{Data, Error, Result, Sink, TensorSpec, npy};

/// Bytes that are kept in memory; more go to a temporary file.
const IN_MEMORY: usize = 64 << 20;
/// Bytes that are copied at a time.
const CHUNK: usize = 1 << 20;

/// An output that is one .npy.
pub(super) struct NpyOutput {
    name: String,
    item: TensorSpec,
    data: SpooledTempFile,
    items: usize,
}

impl NpyOutput {
    pub(super) fn new(name: &str, item: TensorSpec) -> NpyOutput {
        NpyOutput { name: name.to_owned(), item, data: SpooledTempFile::new(IN_MEMORY), items: 0 }
    }
}

/// The error of a temporary file, with its folder.
fn temporary(action: &str, source: io::Error) -> Error {
    Error::io(format!("cannot {action} a temporary file in {} (TMPDIR)", std::env::temp_dir().display()), source)
}

impl Output for NpyOutput {
    fn data(&mut self, data: &Data, _: &mut dyn Sink) -> Result<()> {
        if !data.is_main() {
            return Ok(());
        }
        self.items += data.items();
        let written = self.data.write_all(data.need(&self.name)?.data());
        written.map_err(|e| temporary("write", e))
    }

    fn end(&mut self, sink: &mut dyn Sink) -> Result<()> {
        let cannot_read = |e: io::Error| temporary("read", e);
        let shape: Vec<usize> = [self.items].iter().chain(&self.item.shape).copied().collect();
        sink.send(&mut [IoSlice::new(&npy::header(self.item.dtype.name(), false, &shape))])?;
        self.data.rewind().map_err(cannot_read)?;
        let mut buffer = vec![0; CHUNK];
        loop {
            match self.data.read(&mut buffer).map_err(cannot_read)? {
                0 => return Ok(()),
                n => sink.send(&mut [IoSlice::new(&buffer[..n])])?,
            }
        }
    }
}
