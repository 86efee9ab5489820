//! Images from files, read by index, as frames of a stream.

use vae_stream::{Data, Dtype, Head, Tensor, TensorSpec, Writer};

use crate::indices::Indices;
use crate::{Error, Result};

/// Bytes of pixels in a frame at most, unless a single image has more.
const FRAME: usize = 16 << 20;

/// Images of one shape, with labels or without.
pub trait Source {
    /// The number of images.
    fn count(&self) -> usize;

    /// The shape of an image: [H, W].
    fn shape(&self) -> Vec<usize>;

    /// The type of the pixels: bytes, or f32 from 0 to 1.
    fn dtype(&self) -> Dtype {
        Dtype::U8
    }

    /// Whether the images have labels.
    fn has_labels(&self) -> bool;

    /// The label of image `i`; 0 without labels.
    fn label(&self, i: usize) -> u8;

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

    fn label(&self, i: usize) -> u8 {
        self.labels.as_ref().map_or(0, |labels| labels[i])
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

    fn label(&self, i: usize) -> u8 {
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

/// The head of the frames of a source: images `x`, labels `y` if there are any, and indices `i`.
pub fn head(source: &dyn Source) -> Head {
    let mut head = Head::new();
    head.set_tensor("x", item(source));
    if source.has_labels() {
        head.set_tensor("y", TensorSpec::new(Dtype::U8, &[]));
    }
    head.set_tensor("i", TensorSpec::new(Dtype::I64, &[]));
    head
}

/// Writes the images at `indices`, `batch` to a frame.
///
/// # Errors
/// Those of the source and of the output.
pub fn write(source: &mut dyn Source, indices: &Indices, batch: usize, output: &mut Writer) -> Result<()> {
    let (shape, dtype) = (source.shape(), source.dtype());
    let batch = batch.min(FRAME / item_bytes(source)).max(1);
    for start in (0..indices.len()).step_by(batch) {
        let (mut x, mut y, mut i) = (Vec::new(), Vec::new(), Vec::new());
        for k in start..indices.len().min(start + batch) {
            let index = indices.get(k);
            source.read(index, &mut x)?;
            y.push(source.label(index));
            i.extend_from_slice(&(index as i64).to_le_bytes());
        }
        let n = y.len();
        let shape: Vec<usize> = [n].iter().chain(&shape).copied().collect();
        let mut data = Data::new([("x", Tensor::from_bytes(dtype, &shape, &x))]);
        if source.has_labels() {
            data.set("y", Tensor::from_bytes(Dtype::U8, &[n], &y));
        }
        data.set("i", Tensor::from_bytes(Dtype::I64, &[n], &i));
        output.write(data)?;
    }
    Ok(())
}
