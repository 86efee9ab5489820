//! Images from files, read by index, as frames of a stream.

use serde_json::Value;
use vae_stream::{CLASSES, Data, Dtype, Head, Tensor, TensorSpec, Writer};

use crate::indices::Indices;
use crate::{Error, Result};

/// Bytes of pixels in a frame at most, unless a single image has more.
const FRAME: usize = 16 << 20;

/// Images of one shape, with labels or without.
pub trait Source {
    /// The number of images.
    fn count(&self) -> usize;

    /// The images to select from, in order.
    fn indices(&self) -> Indices {
        Indices::Range(0..self.count())
    }

    /// The shape of an image: [H, W] or [H, W, C].
    fn shape(&self) -> Vec<usize>;

    /// The type of the pixels: bytes, or f32 from 0 to 1.
    fn dtype(&self) -> Dtype {
        Dtype::U8
    }

    /// Whether the images have labels.
    fn has_labels(&self) -> bool;

    /// The label of image `i`; 0 without labels.
    fn label(&self, i: usize) -> u16;

    /// The names of the labels, from 0; none where they have no names.
    fn classes(&self) -> &[String] {
        &[]
    }

    /// The same images with random access. Without it, [`read`](Source::read) is called with rising indices.
    ///
    /// # Errors
    /// Those of reading all images.
    fn random_access(self: Box<Self>) -> Result<Box<dyn Source>>;

    /// Appends the pixels of image `i`, in little endian.
    ///
    /// # Errors
    /// Those of reading it.
    fn read(&mut self, i: usize, pixels: &mut Vec<u8>) -> Result<()>;

    /// Appends the pixels of the images at `indices`; gives the indices, without those of images that are left out.
    ///
    /// # Errors
    /// Those of reading them.
    fn read_frame(&mut self, indices: Vec<usize>, pixels: &mut Vec<u8>) -> Result<Vec<usize>> {
        indices.iter().try_for_each(|i| self.read(*i, pixels))?;
        Ok(indices)
    }
}

/// Images in memory.
pub struct InMemory {
    /// The shape of an image.
    pub shape: Vec<usize>,
    /// The type of the pixels.
    pub dtype: Dtype,
    /// The pixels of all images, in little endian.
    pub pixels: Vec<u8>,
    /// The label of each image.
    pub labels: Option<Vec<u8>>,
}

impl Source for InMemory {
    fn count(&self) -> usize {
        self.pixels.len() / item_bytes(self)
    }

    fn shape(&self) -> Vec<usize> {
        self.shape.clone()
    }

    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn has_labels(&self) -> bool {
        self.labels.is_some()
    }

    fn label(&self, i: usize) -> u16 {
        self.labels.as_ref().map_or(0, |labels| labels[i].into())
    }

    fn random_access(self: Box<Self>) -> Result<Box<dyn Source>> {
        Ok(self)
    }

    fn read(&mut self, i: usize, pixels: &mut Vec<u8>) -> Result<()> {
        let size = item_bytes(self);
        pixels.extend_from_slice(&self.pixels[i * size..(i + 1) * size]);
        Ok(())
    }
}

/// Two sources, one after the other; indices count on.
pub struct Concat {
    first: Box<dyn Source>,
    second: Box<dyn Source>,
}

impl Concat {
    /// Joins two sources of images of one shape and dtype.
    ///
    /// # Errors
    /// [`Error::Data`] for different ones.
    pub fn new(first: Box<dyn Source>, second: Box<dyn Source>) -> Result<Concat> {
        let (expected, got) = (item(&*first), item(&*second));
        if expected != got {
            return Err(Error::Data(format!("joined images differ: expected {expected} as in the first, got {got}")));
        }
        Ok(Concat { first, second })
    }
}

impl Source for Concat {
    fn count(&self) -> usize {
        self.first.count() + self.second.count()
    }

    fn shape(&self) -> Vec<usize> {
        self.first.shape()
    }

    fn dtype(&self) -> Dtype {
        self.first.dtype()
    }

    fn has_labels(&self) -> bool {
        self.first.has_labels() && self.second.has_labels()
    }

    fn label(&self, i: usize) -> u16 {
        match i.checked_sub(self.first.count()) {
            None => self.first.label(i),
            Some(i) => self.second.label(i),
        }
    }

    fn random_access(self: Box<Self>) -> Result<Box<dyn Source>> {
        Ok(Box::new(Concat { first: self.first.random_access()?, second: self.second.random_access()? }))
    }

    fn read(&mut self, i: usize, pixels: &mut Vec<u8>) -> Result<()> {
        match i.checked_sub(self.first.count()) {
            None => self.first.read(i, pixels),
            Some(i) => self.second.read(i, pixels),
        }
    }
}

/// The type and shape of an image.
fn item(source: &dyn Source) -> TensorSpec {
    TensorSpec::new(source.dtype(), &source.shape())
}

/// Bytes of an image.
fn item_bytes(source: &dyn Source) -> usize {
    source.shape().iter().product::<usize>() * source.dtype().size()
}

/// The type of the labels: bytes, unless there are more than 256 classes with names.
fn label_type(source: &dyn Source) -> Dtype {
    if source.classes().len() > 256 { Dtype::U16 } else { Dtype::U8 }
}

/// The head of the frames of a source: images `x`, labels `y` if there are any, with their names, and indices `i`.
pub fn head(source: &dyn Source) -> Head {
    let mut head = Head::new();
    head.set_tensor("x", item(source));
    if source.has_labels() {
        head.set_tensor("y", TensorSpec::new(label_type(source), &[]));
    }
    head.set_tensor("i", TensorSpec::new(Dtype::I64, &[]));
    if !source.classes().is_empty() {
        head.set(CLASSES, Value::from(source.classes()));
    }
    head
}

/// Writes the images at `indices`, `batch` to a frame.
///
/// # Errors
/// Those of the source and of the output.
pub fn write(source: &mut dyn Source, indices: &Indices, batch: usize, output: &mut Writer) -> Result<()> {
    let (shape, dtype, label_type) = (source.shape(), source.dtype(), label_type(source));
    let batch = batch.min(FRAME / item_bytes(source)).max(1);
    for start in (0..indices.len()).step_by(batch) {
        let frame = (start..indices.len().min(start + batch)).map(|k| indices.get(k)).collect();
        let mut x = Vec::new();
        let frame = source.read_frame(frame, &mut x)?;
        if frame.is_empty() {
            continue;
        }
        let n = frame.len();
        let shape: Vec<usize> = [n].iter().chain(&shape).copied().collect();
        let mut data = Data::new([("x", Tensor::from_bytes(dtype, &shape, &x))]);
        if source.has_labels() {
            let labels = frame.iter().flat_map(|i| source.label(*i).to_le_bytes().into_iter().take(label_type.size()));
            data.set("y", Tensor::from_bytes(label_type, &[n], &labels.collect::<Vec<_>>()));
        }
        let i: Vec<u8> = frame.iter().flat_map(|i| (*i as i64).to_le_bytes()).collect();
        data.set("i", Tensor::from_bytes(Dtype::I64, &[n], &i));
        output.write(data)?;
    }
    Ok(())
}
