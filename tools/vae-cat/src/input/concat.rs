//! Several files, end to end, as one stream.

use std::path::PathBuf;

use vae_cli::Result;
use vae_stream::{Frame, Head, Reader};

/// The current file and the rest.
pub(crate) struct Concat {
    current: Reader,
    rest: std::vec::IntoIter<PathBuf>,
    /// The tensor of a bare .npy.
    name: String,
    /// Bytes of the files before the current one.
    done: u64,
}

impl Concat {
    /// Opens the first file. The others are opened as they are reached.
    pub(crate) fn open(files: Vec<PathBuf>, name: &str) -> Result<Concat> {
        let mut rest = files.into_iter();
        let current = super::open(&rest.next().unwrap_or_else(|| "-".into()), name)?;
        Ok(Concat { current, rest, name: name.to_owned(), done: 0 })
    }

    pub(crate) fn head(&self) -> &Head {
        self.current.head()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.done + self.current.bytes()
    }

    pub(crate) fn next(&mut self) -> Result<Option<Frame>> {
        loop {
            match self.current.next_frame()? {
                Some(frame) => return Ok(Some(frame)),
                None => {
                    let Some(file) = self.rest.next() else { return Ok(None) };
                    let next = super::open(&file, &self.name)?;
                    self.head().check_same(next.head()).map_err(|e| e.within(file.display()))?;
                    self.done += self.current.bytes();
                    self.current = next;
                }
            }
        }
    }
}
