//! IDX, the format of MNIST's files, raw or gzip: two zero bytes, the type of the elements (08: bytes), the number of
//! dimensions, each dimension as a big-endian u32, and the elements, big-endian too.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use byteorder::{BigEndian, ByteOrder, ReadBytesExt};
use flate2::read::MultiGzDecoder;
use vae_cli::{Error, Result};
use vae_stream::{Dtype, Foreign};

/// Pixels of an image at most.
const MAX_PIXELS: u64 = 1 << 26;
/// Bytes that tell the format of a file which is not IDX.
const PREFIX: u64 = 512;
/// Integers for each image in the labels of QMNIST; the first is the label.
const QMNIST: u64 = 8;

/// An IDX file, read sequentially.
pub(crate) struct Idx {
    path: PathBuf,
    reader: Box<dyn Read>,
    element: Dtype,
    /// Its shape, the number of items first.
    pub shape: Vec<u64>,
}

impl Idx {
    /// Opens a file of labels: one dimension, or with QMNIST's integers two.
    pub(crate) fn labels(path: &Path) -> Result<Idx> {
        let idx = Idx::open(path, |dimensions| match dimensions {
            1 | 2 => Ok(()),
            n => Err(format!("expected labels (1 dimension), got {n} dimensions")),
        })?;
        match idx.shape[..] {
            [_, columns] if ![1, QMNIST].contains(&columns) => Err(
                idx.bad(format!("expected labels, one for each image or {QMNIST} numbers as in QMNIST, got {columns}"))
            ),
            _ => Ok(idx),
        }
    }

    /// Opens a file of images: three dimensions, or two of rows that are square images.
    pub(crate) fn images(path: &Path) -> Result<Idx> {
        let mut idx = Idx::open(path, |dimensions| match dimensions {
            2 | 3 => Ok(()),
            1 => Err("expected images (3 dimensions), got labels (1 dimension)".to_owned()),
            n => Err(format!("expected images (3 dimensions), got {n} dimensions")),
        })?;
        if let [items, values] = idx.shape[..] {
            let side = values.isqrt();
            if values < 2 || side * side != values {
                return Err(idx.bad(format!("expected images (3 dimensions), got rows of {values} numbers")));
            }
            idx.shape = vec![items, side, side];
        }
        match idx.shape[..] {
            // No overflow: both were u32.
            [_, height, width] if !(1..=MAX_PIXELS).contains(&(height * width)) => {
                Err(idx.bad(format!("expected images of 1 to {MAX_PIXELS} pixels, got {height} x {width}")))
            }
            _ => Ok(idx),
        }
    }

    /// Opens a file whose number of dimensions is accepted.
    fn open(path: &Path, accept: impl FnOnce(u8) -> Result<(), String>) -> Result<Idx> {
        let mut idx = Idx { path: path.into(), reader: Box::new(io::empty()), element: Dtype::U8, shape: Vec::new() };
        let file = File::open(path).map_err(|e| idx.cannot_read(e))?;
        let metadata = file.metadata().map_err(|e| idx.cannot_read(e))?;
        let mut raw = BufReader::with_capacity(1 << 16, file);
        let mut magic = Vec::new();
        raw.by_ref().take(2).read_to_end(&mut magic).map_err(|e| idx.cannot_read(e))?;
        if magic.is_empty() {
            return Err(idx.foreign(&[]));
        }
        let zipped = magic == [0x1f, 0x8b];
        let raw = Cursor::new(magic).chain(raw);
        idx.reader = if zipped { Box::new(MultiGzDecoder::new(raw)) } else { Box::new(raw) };

        let magic = idx.header_word()?.to_be_bytes();
        let [0, 0, code, dimensions] = magic else { return Err(idx.foreign(&magic)) };
        let Some(element) = element(code) else { return Err(idx.foreign(&magic)) };
        idx.element = element;
        accept(dimensions).map_err(|message| idx.bad(message))?;
        for _ in 0..dimensions {
            let dimension = idx.header_word()?;
            idx.shape.push(dimension.into());
        }
        // A wrong header shows here where the size of the file is known, and while reading where it is not.
        if metadata.is_file() && !zipped {
            let header = 4 + 4 * u128::from(dimensions);
            // No overflow: at most three u32.
            let elements: u128 = idx.shape.iter().map(|n| u128::from(*n)).product();
            let expected = header + elements * element.size() as u128;
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

    /// The type of the pixels that [`read`](Idx::read) gives.
    pub(crate) fn dtype(&self) -> Dtype {
        if self.element.is_whole() { Dtype::U8 } else { Dtype::F32 }
    }

    /// Appends the next `count` pixels: integers as bytes, others as f32. Memory grows with what arrives, not with what
    /// the header claims.
    pub(crate) fn read(&mut self, count: u64, pixels: &mut Vec<u8>) -> Result<()> {
        if self.element == Dtype::U8 {
            return self.bytes(count, pixels);
        }
        let (mut elements, whole) = (Vec::new(), self.element.is_whole());
        self.bytes(count * self.element.size() as u64, &mut elements)?;
        for bytes in elements.chunks_exact(self.element.size()) {
            match value(self.element, bytes) {
                pixel if whole && (0.0..=255.0).contains(&pixel) => pixels.push(pixel as u8),
                pixel if !whole && (0.0..=1.0).contains(&pixel) => pixels.extend((pixel as f32).to_le_bytes()),
                pixel if whole => return Err(self.bad(format!("expected pixels from 0 to 255, got {pixel}"))),
                pixel => return Err(self.bad(format!("expected pixels of {} from 0 to 1, got {pixel}", self.element))),
            }
        }
        Ok(())
    }

    /// Reads all labels, to the end of the file.
    pub(crate) fn read_labels(mut self) -> Result<Vec<u8>> {
        let columns = self.shape.get(1).copied().unwrap_or(1);
        let size = self.element.size();
        let mut elements = Vec::new();
        self.bytes(self.shape[0] * columns * size as u64, &mut elements)?;
        self.finish()?;
        let labels = elements.chunks_exact(size * columns as usize).map(|bytes| value(self.element, &bytes[..size]));
        let label = |(i, label): (usize, f64)| match label.fract() == 0.0 && (0.0..=255.0).contains(&label) {
            true => Ok(label as u8),
            false => Err(self.bad(format!("expected labels from 0 to 255, got {label} for image {i}"))),
        };
        labels.enumerate().map(label).collect()
    }

    /// Appends the next `count` bytes.
    fn bytes(&mut self, count: u64, bytes: &mut Vec<u8>) -> Result<()> {
        let got = self.reader.by_ref().take(count).read_to_end(bytes).map_err(|e| self.cannot_read(e))?;
        self.check_length(got as u64, count)
    }

    /// Skips the next `count` pixels.
    pub(crate) fn skip(&mut self, count: u64) -> Result<()> {
        let count = count * self.element.size() as u64;
        let got = io::copy(&mut self.reader.by_ref().take(count), &mut io::sink()).map_err(|e| self.cannot_read(e))?;
        self.check_length(got, count)
    }

    /// Checks that the file ends here, and the checksum of gzip.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let mut rest = Vec::new();
        match self.reader.by_ref().take(1).read_to_end(&mut rest).map_err(|e| self.cannot_read(e))? {
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

    /// The error of a file that begins with `magic` and is not IDX.
    fn foreign(&mut self, magic: &[u8]) -> Error {
        let mut start = magic.to_vec();
        match self.reader.by_ref().take(PREFIX).read_to_end(&mut start) {
            Ok(_) => {
                let got = Foreign::of(&start);
                self.bad(format!("expected an IDX file, raw or gzip, got {got}{}", remedy(&got)))
            }
            Err(e) => self.cannot_read(e),
        }
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

/// What to do with a file in another format.
fn remedy(got: &Foreign) -> Cow<'static, str> {
    match got {
        Foreign::Zip => "; of arrays by name it is read as FILE.npz".into(),
        Foreign::Table { .. } => "; a table of pixels is read as FILE.csv or FILE.amat".into(),
        Foreign::Stream | Foreign::Npy | Foreign::Json => "; the other programs read it as it is".into(),
        Foreign::Pickle | Foreign::Picture(_) => "; load it in Python and numpy.save the array".into(),
        got => vae_cli::remedy::stand_in(got).unwrap_or_default(),
    }
}

/// The type of elements with this code.
fn element(code: u8) -> Option<Dtype> {
    Some(match code {
        0x08 => Dtype::U8,
        0x09 => Dtype::I8,
        0x0b => Dtype::I16,
        0x0c => Dtype::I32,
        0x0d => Dtype::F32,
        0x0e => Dtype::F64,
        _ => return None,
    })
}

/// The value of a big-endian element of a type of IDX.
fn value(element: Dtype, bytes: &[u8]) -> f64 {
    match element {
        Dtype::I8 => f64::from(bytes[0] as i8),
        Dtype::I16 => f64::from(BigEndian::read_i16(bytes)),
        Dtype::I32 => f64::from(BigEndian::read_i32(bytes)),
        Dtype::F32 => f64::from(BigEndian::read_f32(bytes)),
        Dtype::F64 => BigEndian::read_f64(bytes),
        _ => f64::from(bytes[0]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that is interrupted by a signal before each byte.
    struct Interrupted<R>(R, bool);

    impl<R: Read> Read for Interrupted<R> {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let most = bytes.len().min(1);
            self.0.read(&mut bytes[..most])
        }
    }

    #[test]
    fn a_read_that_a_signal_interrupts_is_repeated() {
        let reader = Box::new(Interrupted(Cursor::new([1, 2, 3, 4]), false));
        let mut idx = Idx { path: "images".into(), reader, element: Dtype::U8, shape: vec![2, 1, 2] };
        let mut pixels = Vec::new();
        idx.skip(1).unwrap();
        idx.read(3, &mut pixels).unwrap();
        idx.finish().unwrap();
        assert_eq!(pixels, [2, 3, 4]);
    }
}
