//! An input that comes in pieces, as from a slow pipe.

use std::io::{Error, ErrorKind, Read, Result};

/// Gives the bytes in pieces, after an interrupted read (EINTR) each.
pub struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    piece: usize,
    interrupted: bool,
}

impl Pieces {
    /// Sizes of pieces that any reader must not mind; the first is the whole.
    pub const SIZES: [usize; 5] = [usize::MAX, 1, 2, 7, 64];

    /// Pieces of this many bytes.
    pub fn new(bytes: &[u8], piece: usize) -> Pieces {
        Pieces { bytes: bytes.to_vec(), at: 0, piece, interrupted: false }
    }

    /// What `read` makes of the bytes, which must be the same for every size.
    pub fn read_alike<T: PartialEq + std::fmt::Debug>(bytes: &[u8], read: impl Fn(Pieces) -> T) -> T {
        let [whole, pieces @ ..] = Pieces::SIZES;
        let expected = read(Pieces::new(bytes, whole));
        for size in pieces {
            assert_eq!(read(Pieces::new(bytes, size)), expected, "in pieces of {size}");
        }
        expected
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.interrupted = !self.interrupted && self.piece != usize::MAX;
        if self.interrupted {
            return Err(Error::from(ErrorKind::Interrupted));
        }
        let n = buffer.len().min(self.piece).min(self.bytes.len() - self.at);
        buffer[..n].copy_from_slice(&self.bytes[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}
