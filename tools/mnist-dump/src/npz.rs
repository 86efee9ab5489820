//! The arrays of an .npz: `x_train` and `y_train` of Keras, `train_images` and `train_labels` of MedMNIST.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

use vae_cli::source::InMemory;
use vae_cli::{Error, Result};
use vae_stream::images::Pixels;
use vae_stream::{Data, Dtype, Tensor};
use zip::ZipArchive;

/// Bytes of an array at most.
const MAX_BYTES: u64 = 1 << 30;
/// The names of images and of their labels, for training and for test.
const NAMES: [[[&str; 2]; 2]; 2] = [
    [["x_train", "y_train"], ["train_images", "train_labels"]],
    [["x_test", "y_test"], ["test_images", "test_labels"]],
];

/// Reads the images of a split, 0 for training and 1 for test, and their labels if there are any.
pub(crate) fn read(path: &Path, split: usize) -> Result<InMemory> {
    source(path, split).map_err(|e| e.within(path.display()))
}

fn source(path: &Path, split: usize) -> Result<InMemory> {
    let file = File::open(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => Error::NoInput(format!("{}: no such file", path.display())),
        _ => Error::io(format!("cannot read {}", path.display()), e),
    })?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(bad)?;
    let has = |archive: &ZipArchive<_>, name: &str| archive.index_for_name(&format!("{name}.npy")).is_some();
    let Some([images, labels]) = NAMES[split].iter().find(|[images, _]| has(&archive, images)) else {
        let expected = NAMES[split].map(|[images, _]| images).join(" or ");
        return Err(Error::Data(format!(
            "expected {expected}, got none; numpy.save one array, or join two with vae-cat"
        )));
    };
    let x = array(&mut archive, images)?;
    let y = if has(&archive, labels) { Some(array(&mut archive, labels)?) } else { None };
    let within = |e: vae_stream::Error| Error::from(e).within(images);
    let pixels = Pixels::from_tensor(&x, None).map_err(within)?;
    let (items, height, width) = pixels.dim();
    let labels = y.map(|y| {
        let got = y.items();
        let values = Data::new([(*labels, y)]).integers(labels)?;
        if got != items {
            return Err(Error::Data(format!("{labels}: expected {items} labels, one for each image, got {got}")));
        }
        let label = |value: i64| {
            u8::try_from(value)
                .map_err(|_| Error::Data(format!("{labels}: expected labels from 0 to 255, got {value}")))
        };
        values.into_iter().map(label).collect()
    });
    let (dtype, pixels) = match pixels {
        Pixels::U8(bytes) => (Dtype::U8, bytes.into_raw_vec_and_offset().0),
        Pixels::F32(values) => (Dtype::F32, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
    };
    Ok(InMemory { shape: vec![height, width], dtype, pixels, labels: labels.transpose()? })
}

fn array(archive: &mut ZipArchive<BufReader<File>>, name: &str) -> Result<Tensor> {
    let entry = archive.by_name(&format!("{name}.npy")).map_err(bad)?;
    let mut npy = Vec::new();
    entry.take(MAX_BYTES + 1).read_to_end(&mut npy).map_err(|e| Error::Data(format!("{name}: {e}; fetch it anew")))?;
    if npy.len() as u64 > MAX_BYTES {
        return Err(Error::Data(format!("{name}: expected at most {MAX_BYTES} bytes")));
    }
    Tensor::from_npy(&npy).map_err(|e| Error::from(e).within(name))
}

fn bad(error: impl std::fmt::Display) -> Error {
    Error::Data(format!("not an .npz: {error}; fetch it anew"))
}
