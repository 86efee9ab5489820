//! Where images come from, whatever they are kept in.

use std::path::Path;

use vae_cli::{Error, Result};

use crate::amat;
use crate::idx::Idx;

/// Images with a number each, and labels where there are any.
pub(crate) trait Source {
    /// How many there are.
    fn count(&self) -> usize;

    /// Height and width of each.
    fn size(&self) -> [usize; 2];

    /// Whether they have labels.
    fn labelled(&self) -> bool;

    /// The label of image `i`; 0 where there are none.
    fn label(&self, i: usize) -> u8;

    /// The same images, ready to be asked for in any order. Without this they are asked for in rising order.
    fn hold(self: Box<Self>) -> Result<Box<dyn Source>>;

    /// Appends the pixels of image `i`.
    fn image(&mut self, i: usize, pixels: &mut Vec<u8>) -> Result<()>;
}

/// Images of an IDX file, with the labels of another.
pub(crate) struct Files {
    images: Idx,
    labels: Option<Vec<u8>>,
    next: usize,
}

impl Files {
    /// Opens both files, and reads the labels.
    pub(crate) fn open(images: &Path, labels: Option<&Path>) -> Result<Files> {
        let file = Idx::images(images)?;
        let labels = labels.map(|path| read_labels(path, file.shape[0] as usize, images)).transpose()?;
        Ok(Files { images: file, labels, next: 0 })
    }

    fn pixels(&self) -> u64 {
        self.images.shape[1] * self.images.shape[2]
    }
}

fn read_labels(path: &Path, expected: usize, images: &Path) -> Result<Vec<u8>> {
    let mut idx = Idx::labels(path)?;
    let count = idx.shape[0];
    if count != expected as u64 {
        let (path, images) = (path.display(), images.display());
        let message = format!("{path}: expected {expected} labels, one for each image of {images}, got {count}");
        return Err(Error::Data(message + "; take both from one set"));
    }
    let mut labels = Vec::new();
    idx.read(count, &mut labels)?;
    idx.finish()?;
    Ok(labels)
}

impl Source for Files {
    fn count(&self) -> usize {
        self.images.shape[0] as usize
    }

    fn size(&self) -> [usize; 2] {
        [self.images.shape[1] as usize, self.images.shape[2] as usize]
    }

    fn labelled(&self) -> bool {
        self.labels.is_some()
    }

    fn label(&self, i: usize) -> u8 {
        self.labels.as_ref().map_or(0, |labels| labels[i])
    }

    fn hold(mut self: Box<Self>) -> Result<Box<dyn Source>> {
        let mut pixels = Vec::new();
        self.images.read(self.images.shape[0] * self.pixels(), &mut pixels)?;
        self.images.finish()?;
        Ok(Box::new(Memory { size: self.size(), pixels, labels: self.labels }))
    }

    fn image(&mut self, i: usize, pixels: &mut Vec<u8>) -> Result<()> {
        let size = self.pixels();
        self.images.skip((i - self.next) as u64 * size)?;
        self.images.read(size, pixels)?;
        self.next = i + 1;
        if self.next == self.count() { self.images.finish() } else { Ok(()) }
    }
}

/// Images that are held in memory.
pub(crate) struct Memory {
    /// Height and width of each.
    pub size: [usize; 2],
    /// The pixels of all.
    pub pixels: Vec<u8>,
    /// The label of each, if there are labels.
    pub labels: Option<Vec<u8>>,
}

impl Memory {
    /// The images of an .amat file, with the labels of an IDX file.
    pub(crate) fn of_amat(images: &Path, labels: Option<&Path>) -> Result<Memory> {
        let mut memory = amat::read(images)?;
        memory.labels = labels.map(|path| read_labels(path, memory.count(), images)).transpose()?;
        Ok(memory)
    }
}

impl Source for Memory {
    fn count(&self) -> usize {
        self.pixels.len() / (self.size[0] * self.size[1])
    }

    fn size(&self) -> [usize; 2] {
        self.size
    }

    fn labelled(&self) -> bool {
        self.labels.is_some()
    }

    fn label(&self, i: usize) -> u8 {
        self.labels.as_ref().map_or(0, |labels| labels[i])
    }

    fn hold(self: Box<Self>) -> Result<Box<dyn Source>> {
        Ok(self)
    }

    fn image(&mut self, i: usize, pixels: &mut Vec<u8>) -> Result<()> {
        let size = self.size[0] * self.size[1];
        let start = i * size;
        pixels.extend_from_slice(&self.pixels[start..start + size]);
        Ok(())
    }
}

/// One source after another: the numbers count on.
pub(crate) struct Joined {
    first: Box<dyn Source>,
    second: Box<dyn Source>,
}

impl Joined {
    /// Joins two sources of images of one size.
    pub(crate) fn new(first: Box<dyn Source>, second: Box<dyn Source>) -> Result<Joined> {
        let ([h, w], [height, width]) = (first.size(), second.size());
        if (h, w) != (height, width) {
            let message = format!("expected test images of {h} x {w} as the training images, got {height} x {width}");
            return Err(Error::Data(message + "; take one --split at a time"));
        }
        Ok(Joined { first, second })
    }
}

impl Source for Joined {
    fn count(&self) -> usize {
        self.first.count() + self.second.count()
    }

    fn size(&self) -> [usize; 2] {
        self.first.size()
    }

    fn labelled(&self) -> bool {
        self.first.labelled() && self.second.labelled()
    }

    fn label(&self, i: usize) -> u8 {
        match i.checked_sub(self.first.count()) {
            None => self.first.label(i),
            Some(i) => self.second.label(i),
        }
    }

    fn hold(self: Box<Self>) -> Result<Box<dyn Source>> {
        Ok(Box::new(Joined { first: self.first.hold()?, second: self.second.hold()? }))
    }

    fn image(&mut self, i: usize, pixels: &mut Vec<u8>) -> Result<()> {
        match i.checked_sub(self.first.count()) {
            None => self.first.image(i, pixels),
            Some(i) => self.second.image(i, pixels),
        }
    }
}
