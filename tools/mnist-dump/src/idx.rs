//! IDX, the format of MNIST's files, raw or gzip: two zero bytes, the type of the elements (08: bytes), the number of
//! dimensions, each dimension as a big-endian u32, and the elements.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use byteorder::{BigEndian, ReadBytesExt};
use flate2::read::MultiGzDecoder;
use vae_cli::{Error, Result};

/// Pixels of an image at most.
const MAX_PIXELS: u64 = 1 << 26;

/// An IDX file of bytes, read sequentially.
pub(crate) struct Idx {
    path: PathBuf,
    reader: Box<dyn Read>,
    /// Its shape, the number of items first.
    pub shape: Vec<u64>,
}

impl Idx {
    /// Opens a file of labels: one dimension.
    pub(crate) fn labels(path: &Path) -> Result<Idx> {
        let idx = Idx::open(path)?;
        match idx.shape.len() {
            1 => Ok(idx),
            n => Err(idx.bad(format!("expected labels (1 dimension), got {n} dimensions"))),
        }
    }

    /// Opens a file of images: three dimensions.
    pub(crate) fn images(path: &Path) -> Result<Idx> {
        let idx = Idx::open(path)?;
        match idx.shape[..] {
            // No overflow: both were u32.
            [_, height, width] if (1..=MAX_PIXELS).contains(&(height * width)) => Ok(idx),
            [_, height, width] => {
                Err(idx.bad(format!("expected images of 1 to {MAX_PIXELS} pixels, got {height} x {width}")))
            }
            [_] => Err(idx.bad("expected images (3 dimensions), got labels (1 dimension)".into())),
            _ => Err(idx.bad(format!("expected images (3 dimensions), got {} dimensions", idx.shape.len()))),
        }
    }

    fn open(path: &Path) -> Result<Idx> {
        let mut idx = Idx { path: path.into(), reader: Box::new(io::empty()), shape: Vec::new() };
        let file = File::open(path).map_err(|e| idx.cannot_read(e))?;
        let metadata = file.metadata().map_err(|e| idx.cannot_read(e))?;
        let mut raw = BufReader::with_capacity(1 << 16, file);
        let mut magic = Vec::new();
        raw.by_ref().take(2).read_to_end(&mut magic).map_err(|e| idx.cannot_read(e))?;
        let zipped = magic == [0x1f, 0x8b];
        let raw = Cursor::new(magic).chain(raw);
        idx.reader = if zipped { Box::new(MultiGzDecoder::new(raw)) } else { Box::new(raw) };

        let magic = idx.header_word()?.to_be_bytes();
        match magic {
            [0, 0, 0x08, _] => {}
            [0, 0, 0x09..=0x0e, _] => {
                return Err(idx.bad(format!("expected bytes (IDX type 08), got IDX type {:02x}", magic[2])));
            }
            _ => return Err(idx.bad(format!("expected an IDX file, raw or gzip, got {magic:02x?} first"))),
        }
        for _ in 0..magic[3] {
            let dimension = idx.header_word()?;
            idx.shape.push(dimension.into());
        }
        // A wrong header shows here where the size of the file is known, and while reading where it is not.
        if metadata.is_file() && !zipped {
            let header = 4 + 4 * idx.shape.len() as u128;
            let expected = idx.shape.iter().fold(1u128, |product, &n| product.saturating_mul(n.into())) + header;
            if u128::from(metadata.len()) != expected {
                let shape = idx.shape.iter().map(u64::to_string).collect::<Vec<_>>().join(" x ");
                let (header, got) = (format!("for {shape} as its header says"), metadata.len());
                return Err(idx.bad(format!("expected {expected} bytes {header}, got {got}; fetch it anew")));
            }
        }
        Ok(idx)
    }

    fn header_word(&mut self) -> Result<u32> {
        self.reader.read_u32::<BigEndian>().map_err(|e| self.cannot_read(e))
    }

    /// Appends the next `count` bytes. Memory grows with what arrives, not with what the header claims.
    pub(crate) fn read(&mut self, count: u64, bytes: &mut Vec<u8>) -> Result<()> {
        let got = self.reader.by_ref().take(count).read_to_end(bytes).map_err(|e| self.cannot_read(e))?;
        self.check_length(got as u64, count)
    }

    /// Skips the next `count` bytes.
    pub(crate) fn skip(&mut self, count: u64) -> Result<()> {
        let got = io::copy(&mut self.reader.by_ref().take(count), &mut io::sink()).map_err(|e| self.cannot_read(e))?;
        self.check_length(got, count)
    }

    /// Checks that the file ends here, and the checksum of gzip.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let rest = self.reader.by_ref().take(1).read_to_end(&mut Vec::new());
        match rest.map_err(|e| self.cannot_read(e))? {
            0 => Ok(()),
            _ => Err(self.bad("holds more than its header says; fetch it anew".into())),
        }
    }

    fn check_length(&self, got: u64, expected: u64) -> Result<()> {
        if got == expected { Ok(()) } else { Err(self.cannot_read(io::ErrorKind::UnexpectedEof.into())) }
    }

    fn bad(&self, message: String) -> Error {
        Error::Data(format!("{}: {message}", self.path.display()))
    }

    /// The error of a failed read: a missing file, a damaged one, or the system's.
    fn cannot_read(&self, error: io::Error) -> Error {
        use io::ErrorKind::{InvalidData, InvalidInput, NotFound, UnexpectedEof};
        match error.kind() {
            NotFound => Error::NoInput(format!("{}: no such file", self.path.display())),
            UnexpectedEof => self.bad("ends before what its header says; fetch it anew".into()),
            InvalidData | InvalidInput => self.bad(format!("damaged gzip ({error}); fetch it anew")),
            _ => Error::io(format!("cannot read {}", self.path.display()), error),
        }
    }
}
