//! Images as text, one per line. Larochelle's .amat: the numbers of the pixels from 0 to 1, and in sets with classes the
//! label behind them; `binarized_mnist_train.amat` has pixels of 0 or 1 and no labels. Tables .csv, such as Kaggle's: the
//! label, if there is one, and then pixels from 0 to 255, with commas between, perhaps below a line of names.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;

use vae_cli::source::InMemory;
use vae_cli::{Error, Result};
use vae_stream::Dtype;

/// Reads a whole file of square images: as bytes of 0 and 255 if all pixels are 0 or 1, or else as f32; whole numbers up to
/// 255 of a table as bytes.
pub(crate) fn read(path: &Path, is_csv: bool) -> Result<InMemory> {
    let file = File::open(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => Error::NoInput(format!("{}: no such file", path.display())),
        _ => Error::io(format!("cannot read {}", path.display()), e),
    })?;
    let mut file = BufReader::with_capacity(1 << 16, file);
    let (mut images, mut line) = (Images::new(is_csv), Vec::new());
    for number in 1.. {
        line.clear();
        let read = file.read_until(b'\n', &mut line);
        if read.map_err(|e| Error::io(format!("cannot read {}", path.display()), e))? == 0 {
            break;
        }
        if number == 1 && is_csv && is_header(&line) {
            continue;
        }
        images.push(&line).map_err(|e| Error::Data(format!("{}: line {number}: {e}", path.display())))?;
    }
    images.finish().map_err(|e| Error::Data(format!("{}: {e}", path.display())))
}

/// The images so far.
struct Images {
    is_csv: bool,
    /// Numbers of a line; 0 before the first.
    columns: usize,
    /// Pixels in a row of an image.
    side: usize,
    dtype: Dtype,
    /// In little endian.
    pixels: Vec<u8>,
    labels: Vec<u8>,
    /// The numbers of the current line.
    line: Vec<f32>,
}

impl Images {
    fn new(is_csv: bool) -> Images {
        let (pixels, labels, line) = (Vec::new(), Vec::new(), Vec::new());
        Images { is_csv, columns: 0, side: 0, dtype: Dtype::U8, pixels, labels, line }
    }

    /// Appends the image of a line; an empty line is none.
    fn push(&mut self, line: &[u8]) -> Result<(), String> {
        self.line.clear();
        let is_between = |byte: &u8| byte.is_ascii_whitespace() || self.is_csv && *byte == b',';
        for word in line.split(is_between).filter(|word| !word.is_empty()) {
            self.line.push(number(word)?);
        }
        let got = self.line.len();
        if got == 0 {
            return Ok(());
        }
        if self.columns == 0 {
            self.columns = got;
            self.side = side(got)?;
        } else if got != self.columns {
            return Err(format!("expected {} numbers, got {got}", self.columns));
        }
        if self.has_labels() {
            let (at, place) = if self.is_csv { (0, "first") } else { (self.line.len() - 1, "last") };
            let label = self.line.remove(at);
            if label.fract() != 0.0 || !(0.0..=255.0).contains(&label) {
                return Err(format!("expected a label from 0 to 255 as its {place} number, got {label}"));
            }
            self.labels.push(label as u8);
        }
        let is_whole = self.line.iter().all(|pixel| pixel.fract() == 0.0);
        let bytes = self.is_csv && self.dtype == Dtype::U8 && is_whole;
        let most = if bytes { 255.0 } else { 1.0 };
        if let Some(pixel) = self.line.iter().find(|pixel| !(0.0..=most).contains(*pixel)) {
            return Err(format!("expected pixels from 0 to {most}, got {pixel}"));
        }
        if self.dtype == Dtype::U8 && !is_whole {
            if let Some(pixel) = self.pixels.iter().find(|pixel| **pixel > 1) {
                return Err(format!("expected whole pixels, as {pixel} before, got fractions"));
            }
            self.dtype = Dtype::F32;
            self.pixels = self.pixels.iter().flat_map(|pixel| f32::from(*pixel).to_le_bytes()).collect();
        }
        match self.dtype {
            Dtype::U8 => self.pixels.extend(self.line.iter().map(|pixel| *pixel as u8)),
            _ => self.pixels.extend(self.line.iter().flat_map(|pixel| pixel.to_le_bytes())),
        }
        Ok(())
    }

    fn has_labels(&self) -> bool {
        self.columns > self.side * self.side
    }

    fn finish(mut self) -> Result<InMemory, String> {
        if self.columns == 0 {
            return Err("expected lines of numbers, got none".into());
        }
        // Black and white.
        if self.dtype == Dtype::U8 && self.pixels.iter().all(|pixel| *pixel <= 1) {
            self.pixels.iter_mut().for_each(|pixel| *pixel *= 255);
        }
        let labels = self.has_labels().then_some(self.labels);
        Ok(InMemory { shape: vec![self.side, self.side], dtype: self.dtype, pixels: self.pixels, labels })
    }
}

/// Whether the first line of a table names its columns.
fn is_header(line: &[u8]) -> bool {
    let first = line.split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
    !first.is_empty() && number(first).is_err()
}

/// The side of the square image in a line of so many numbers, of which the last may be a label.
fn side(columns: usize) -> Result<usize, String> {
    let side = columns.isqrt();
    match columns - side * side {
        0 | 1 => Ok(side),
        _ => Err(format!("expected 784 pixels or another square, and perhaps a label, got {columns} numbers")),
    }
}

fn number(word: &[u8]) -> Result<f32, String> {
    let number = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok());
    number.ok_or_else(|| {
        let got = String::from_utf8_lossy(&word[..word.len().min(16)]).escape_debug().to_string();
        format!("expected numbers, got {got}")
    })
}
