//! Larochelle's text format .amat: one image per line, the numbers of its pixels from 0 to 1, and in sets with classes
//! its label behind them. `binarized_mnist_train.amat` has pixels of 0 or 1 and no labels.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;

use vae_cli::source::InMemory;
use vae_cli::{Error, Result};
use vae_stream::Dtype;

/// Reads a whole file of square images: as bytes of 0 and 255 if all pixels are 0 or 1, or else as f32.
pub(crate) fn read(path: &Path) -> Result<InMemory> {
    let file = File::open(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => Error::NoInput(format!("{}: no such file", path.display())),
        _ => Error::io(format!("cannot read {}", path.display()), e),
    })?;
    let mut file = BufReader::with_capacity(1 << 16, file);
    let (mut images, mut line) = (Images::new(), Vec::new());
    for number in 1.. {
        line.clear();
        let read = file.read_until(b'\n', &mut line);
        if read.map_err(|e| Error::io(format!("cannot read {}", path.display()), e))? == 0 {
            break;
        }
        images.push(&line).map_err(|e| Error::Data(format!("{}: line {number}: {e}", path.display())))?;
    }
    images.finish().map_err(|e| Error::Data(format!("{}: {e}", path.display())))
}

/// The images so far.
struct Images {
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
    fn new() -> Images {
        Images { columns: 0, side: 0, dtype: Dtype::U8, pixels: Vec::new(), labels: Vec::new(), line: Vec::new() }
    }

    /// Appends the image of a line; an empty line is none.
    fn push(&mut self, line: &[u8]) -> Result<(), String> {
        self.line.clear();
        for word in line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
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
            let label = self.line.pop().unwrap_or_default();
            if label.fract() != 0.0 || !(0.0..=255.0).contains(&label) {
                return Err(format!("expected a label from 0 to 255 as its last number, got {label}"));
            }
            self.labels.push(label as u8);
        }
        if let Some(pixel) = self.line.iter().find(|pixel| !(0.0..=1.0).contains(*pixel)) {
            return Err(format!("expected pixels from 0 to 1, got {pixel}"));
        }
        let is_binary = self.line.iter().all(|pixel| [0.0, 1.0].contains(pixel));
        if self.dtype == Dtype::U8 && !is_binary {
            self.dtype = Dtype::F32;
            self.pixels = self.pixels.iter().flat_map(|pixel| f32::from(*pixel / 255).to_le_bytes()).collect();
        }
        match self.dtype {
            Dtype::U8 => self.pixels.extend(self.line.iter().map(|pixel| *pixel as u8 * 255)),
            _ => self.pixels.extend(self.line.iter().flat_map(|pixel| pixel.to_le_bytes())),
        }
        Ok(())
    }

    fn has_labels(&self) -> bool {
        self.columns > self.side * self.side
    }

    fn finish(self) -> Result<InMemory, String> {
        if self.columns == 0 {
            return Err("expected lines of numbers, got none".into());
        }
        let labels = self.has_labels().then_some(self.labels);
        Ok(InMemory { shape: vec![self.side, self.side], dtype: self.dtype, pixels: self.pixels, labels })
    }
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
