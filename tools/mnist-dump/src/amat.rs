//! Larochelle's text format, as in `binarized_mnist_train.amat`: one image per line, 0 or 1 for each pixel.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;

use vae_cli::source::InMemory;
use vae_cli::{Error, Result};

/// Reads a whole file of square images; 1 becomes 255.
pub(crate) fn read(path: &Path) -> Result<InMemory> {
    let file = File::open(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => Error::NoInput(format!("{}: no such file", path.display())),
        _ => Error::io(format!("cannot read {}", path.display()), e),
    })?;
    let mut lines = BufReader::with_capacity(1 << 16, file);
    let (mut pixels, mut line, mut per_image) = (Vec::new(), Vec::new(), 0);
    for number in 1.. {
        let bad = |message: String| Err(Error::Data(format!("{}: line {number}: {message}", path.display())));
        line.clear();
        if lines.read_until(b'\n', &mut line).map_err(|e| Error::io(format!("cannot read {}", path.display()), e))? == 0
        {
            break;
        }
        let before = pixels.len();
        for word in line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
            match word {
                b"0" => pixels.push(0),
                b"1" => pixels.push(255),
                _ => {
                    let got = String::from_utf8_lossy(&word[..word.len().min(16)]).escape_debug().to_string();
                    return bad(format!("expected pixels of 0 or 1, got {got}"));
                }
            }
        }
        match pixels.len() - before {
            got if per_image == 0 => per_image = got,
            got if got != per_image => return bad(format!("expected {per_image} pixels, got {got}")),
            _ => {}
        }
    }
    let side = per_image.isqrt();
    if side == 0 || side * side != per_image {
        let message = format!("expected lines of 784 pixels or another square, got {per_image}");
        return Err(Error::Data(format!("{}: {message}", path.display())));
    }
    Ok(InMemory { shape: vec![side, side], pixels, labels: None })
}
