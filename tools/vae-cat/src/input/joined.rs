//! Files one after the other, as one stream.

use vae_cli::Result;
use vae_stream::{Frame, Head, Reader};

/// The files, and the one that is being read.
pub(crate) struct Joined {
    current: Reader,
    rest: std::vec::IntoIter<String>,
    /// What the tensor of a bare .npy is called.
    name: String,
    /// Bytes of the files before the current one.
    done: u64,
}

impl Joined {
    /// Opens the first file; the others follow as they are reached.
    pub(crate) fn open(files: Vec<String>, name: &str) -> Result<Joined> {
        let mut rest = files.into_iter();
        let current = super::open(&rest.next().unwrap_or_else(|| "-".to_owned()), name)?;
        Ok(Joined { current, rest, name: name.to_owned(), done: 0 })
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
                    self.head().check_same(next.head()).map_err(|e| e.within(&file))?;
                    self.done += self.current.bytes();
                    self.current = next;
                }
            }
        }
    }
}
