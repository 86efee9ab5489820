//! Images of IDX files, with the labels of others.

use std::path::Path;

use vae_cli::source::{InMemory, Source};
use vae_cli::{Error, Result};
use vae_stream::Dtype;

use crate::idx::Idx;

/// The images of an IDX file, with the labels of another.
pub(crate) struct Files {
    images: Idx,
    labels: Option<Vec<u8>>,
    /// The image at which the file is read on.
    next: usize,
}

impl Files {
    /// Opens both files, and reads the labels.
    pub(crate) fn open(images: &Path, labels: Option<&Path>) -> Result<Files> {
        let mut file = Idx::images(images)?;
        if file.shape[0] == 0 {
            file.finish()?; // as after the last image
        }
        let labels = labels.map(|path| read_labels(path, file.shape[0] as usize, images)).transpose()?;
        Ok(Files { images: file, labels, next: 0 })
    }

    fn pixels(&self) -> u64 {
        self.images.shape[1] * self.images.shape[2]
    }
}

/// The labels of an IDX file, one for each of the `expected` images in `images`.
pub(crate) fn read_labels(path: &Path, expected: usize, images: &Path) -> Result<Vec<u8>> {
    let idx = Idx::labels(path)?;
    let count = idx.shape[0];
    if count != expected as u64 {
        let (path, images) = (path.display(), images.display());
        let message = format!("{path}: expected {expected} labels, one for each image of {images}, got {count}");
        return Err(Error::Data(message + "; take both from one set"));
    }
    idx.read_labels()
}

impl Source for Files {
    fn count(&self) -> usize {
        self.images.shape[0] as usize
    }

    fn shape(&self) -> Vec<usize> {
        self.images.shape[1..].iter().map(|n| *n as usize).collect()
    }

    fn dtype(&self) -> Dtype {
        self.images.dtype()
    }

    fn has_labels(&self) -> bool {
        self.labels.is_some()
    }

    fn label(&self, i: usize) -> u16 {
        self.labels.as_ref().map_or(0, |labels| labels[i].into())
    }

    fn random_access(mut self: Box<Self>) -> Result<Box<dyn Source>> {
        let mut pixels = Vec::new();
        self.images.read(self.images.shape[0] * self.pixels(), &mut pixels)?;
        self.images.finish()?;
        Ok(Box::new(InMemory { shape: self.shape(), dtype: self.images.dtype(), pixels, labels: self.labels }))
    }

    fn read(&mut self, i: usize, pixels: &mut Vec<u8>) -> Result<()> {
        let size = self.pixels();
        self.images.skip((i - self.next) as u64 * size)?;
        self.images.read(size, pixels)?;
        self.next = i + 1;
        if self.next == self.count() { self.images.finish() } else { Ok(()) }
    }
}
