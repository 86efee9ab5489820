//! A set of images in memory, with source indices and optional labels. Bytes stay bytes.

use crate::backend::Backend;
use crate::plan::{PixelType, Table};
use crate::{DataError, Result};
use ndarray::Array3;
use sha2::{Digest, Sha256};
use vae_stream::images::{DARK, ImageShape, PixelSlice, Pixels};
use vae_stream::{Data, Frame, Reader};

/// N images, their source indices, and optional labels.
#[derive(Clone, PartialEq, Debug)]
pub struct Dataset {
    pixels: Pixels,
    ids: Vec<u32>,
    labels: Option<Vec<u8>>,
}

impl Dataset {
    /// Pixels `[N, H, W]`, and the source index of each image, which keys its noise.
    pub fn new(pixels: Pixels, ids: Vec<u32>) -> Dataset {
        let data = Dataset { pixels, ids, labels: None };
        assert_eq!(data.shape()[0], data.ids.len(), "an index for each image");
        data
    }

    /// The same with a label for each image.
    pub fn labelled(self, labels: Vec<u8>) -> Dataset {
        assert_eq!(labels.len(), self.ids.len(), "a label for each image");
        Dataset { labels: Some(labels), ..self }
    }

    /// The images `tensor` of a frame; `first` is the index of its first item where the frame has no `i`.
    ///
    /// # Errors
    /// A frame without images.
    pub fn of_frame(data: &Data, tensor: &str, size: Option<ImageShape>, first: usize) -> Result<Dataset> {
        let images = data.need(tensor)?;
        let ids = ids(data, first)?;
        let pixels = Pixels::from_tensor(images, size).map_err(|e| e.numbered(|n| ids[n] as usize))?;
        Ok(Dataset::new(pixels, ids))
    }

    /// Reads all images of this size of the main group of a stream, and with `classes` their labels `y`.
    ///
    /// # Errors
    /// No image; images of another size; missing labels, or a label that is no class.
    pub fn read(reader: &mut Reader, tensor: &str, size: ImageShape, classes: Option<usize>) -> Result<Dataset> {
        Dataset::read_with(reader, tensor, size, classes, |_| Ok(()))
    }

    /// The same; `see` sees each frame of the main group.
    ///
    /// # Errors
    /// Those of [`read`](Dataset::read) and of `see`.
    pub fn read_with(
        reader: &mut Reader,
        tensor: &str,
        size: ImageShape,
        classes: Option<usize>,
        mut see: impl FnMut(&Data) -> Result<()>,
    ) -> Result<Dataset> {
        let (mut bytes, mut floats, mut all, mut labels) = (vec![], vec![], vec![], vec![]);
        while let Some(frame) = reader.next_frame()? {
            let Frame::Data(data) = frame else { continue };
            if !data.is_main() {
                continue;
            }
            let part = Dataset::of_frame(&data, tensor, Some(size), all.len())?;
            match part.values(0, part.items()) {
                Pixels::U8(values) => bytes.extend_from_slice(values),
                Pixels::F32(values) => floats.extend_from_slice(values),
            }
            if let Some(classes) = classes {
                labels.extend(self::labels(&data, classes, all.len())?);
            }
            see(&data)?;
            all.extend_from_slice(&part.ids);
        }
        if all.is_empty() {
            return Err(DataError::NoImages.into());
        }
        tell_dark(tensor, &bytes);
        let shape = (all.len(), size.height, size.width);
        const FIT: &str = "a stream has one dtype, and every part fits its shape";
        let pixels = if floats.is_empty() {
            Pixels::U8(Array3::from_shape_vec(shape, bytes).expect(FIT))
        } else {
            Pixels::F32(Array3::from_shape_vec(shape, floats).expect(FIT))
        };
        let data = Dataset::new(pixels, all);
        Ok(if classes.is_some() { data.labelled(labels) } else { data })
    }

    fn shape(&self) -> &[usize] {
        match &self.pixels {
            Pixels::U8(a) => a.shape(),
            Pixels::F32(a) => a.shape(),
        }
    }
    /// The shape of each image.
    pub fn image(&self) -> ImageShape {
        ImageShape::grey(self.shape()[1], self.shape()[2])
    }
    /// N.
    pub fn items(&self) -> usize {
        self.ids.len()
    }
    /// The source index of each image.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }
    /// The label of each image, if it was read with classes.
    pub fn labels(&self) -> Option<&[u8]> {
        self.labels.as_deref()
    }
    /// The type of the pixels.
    pub fn pixel_type(&self) -> PixelType {
        self.pixels.pixel_type()
    }
    /// The pixels of some images, `[count · D]`.
    pub fn values(&self, first: usize, count: usize) -> PixelSlice<'_> {
        let range = first * self.image().values()..(first + count) * self.image().values();
        const WHOLE: &str = "pixels lie in C order";
        match &self.pixels {
            Pixels::U8(a) => Pixels::U8(&a.as_slice().expect(WHOLE)[range]),
            Pixels::F32(a) => Pixels::F32(&a.as_slice().expect(WHOLE)[range]),
        }
    }
    /// The pixels, `[N, H, W]`.
    pub fn pixels(&self) -> &Pixels {
        &self.pixels
    }
    /// A range of the images.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Dataset {
        let rows = ndarray::s![range.clone(), .., ..];
        let pixels = match &self.pixels {
            Pixels::U8(a) => Pixels::U8(a.slice(rows).to_owned()),
            Pixels::F32(a) => Pixels::F32(a.slice(rows).to_owned()),
        };
        let labels = self.labels.as_ref().map(|labels| labels[range.clone()].to_vec());
        Dataset { pixels, ids: self.ids[range].to_vec(), labels }
    }

    /// The mean of each pixel over the images, `[D]`, in [0, 1].
    pub fn mean_pixels(&self) -> Vec<f64> {
        let mut sums = vec![0.0f64; self.image().values()];
        for n in 0..self.items() {
            sums.iter_mut().zip(self.values(n, 1).to_f64()).for_each(|(sum, v)| *sum += v);
        }
        sums.into_iter().map(|sum| sum / self.items() as f64).collect()
    }

    /// SHA-256, in hexadecimal, of everything that training reads: dtype, shape, indices (u32), pixels and labels, little
    /// endian.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        let dtype = match self.pixel_type() {
            PixelType::U8 => "|u1",
            PixelType::F32 => "<f4",
        };
        hash.update(format!("{dtype} {:?} ", self.shape()));
        self.ids.iter().for_each(|id| hash.update(id.to_le_bytes()));
        match self.values(0, self.items()) {
            Pixels::U8(bytes) => hash.update(bytes),
            Pixels::F32(values) => values.iter().for_each(|v| hash.update(v.to_le_bytes())),
        }
        if let Some(labels) = &self.labels {
            hash.update(labels);
        }
        vae_stream::hex(&hash.finalize())
    }

    /// # Errors
    /// Images of another size.
    pub fn expect_size(&self, expected: ImageShape) -> Result<(), DataError> {
        let got = self.image();
        if got == expected {
            return Ok(());
        }
        Err(DataError::ImageSize { expected, got })
    }

    /// # Errors
    /// A pixel outside [0, 1], the range of the decoder's means.
    pub fn expect_unit_range(&self) -> Result<(), DataError> {
        let Pixels::F32(pixels) = &self.pixels else { return Ok(()) };
        match pixels.indexed_iter().find(|(_, v)| !(0.0..=1.0).contains(*v)) {
            None => Ok(()),
            Some(((n, y, x), value)) => {
                let range = pixels.iter().fold([f32::MAX, f32::MIN], |[low, high], v| [low.min(*v), high.max(*v)]);
                Err(DataError::PixelRange { at: [y, x], image: self.ids[n], value: *value, remedy: remedy(range) })
            }
        }
    }

    /// Uploads all pixels, and the labels if `labels` is given, to a device. Returns the source indices.
    pub(crate) fn upload(self, backend: &mut dyn Backend, to: Table, labels: Option<Table>) -> Result<Vec<u32>> {
        if let Some(table) = labels {
            backend.move_bytes(table.buf, self.labels.expect("labels were asked for"))?;
        }
        match self.pixels {
            Pixels::U8(a) => backend.move_bytes(to.buf, a.into_raw_vec_and_offset().0)?,
            Pixels::F32(a) => backend.upload(to.buf, &a.into_raw_vec_and_offset().0)?,
        }
        Ok(self.ids)
    }
}

/// Says of bytes that their brightest is far from white: numbers of classes, or digits of 16 levels.
fn tell_dark(tensor: &str, bytes: &[u8]) {
    if let Some(&brightest @ 2..=DARK) = bytes.iter().max() {
        vae_cli::tell(&format!(
            "{tensor}: the brightest byte is {brightest}, and white is 255: these images are nearly black; multiply them by \
             {} in Python, or save them as floats from 0 to 1",
            255 / brightest
        ));
    }
}

/// What makes pixels of this range fit into [0, 1].
fn remedy([low, high]: [f32; 2]) -> &'static str {
    /// Overshoot of an interpolation.
    const NEAR: f32 = 1e-3;
    match (low, high) {
        _ if low >= -NEAR && high <= 1.0 + NEAR => "clip them: numpy.clip(x, 0, 1)",
        _ if (-1.0 - NEAR..-0.5).contains(&low) && high <= 1.0 + NEAR => "scale them: (x + 1) / 2",
        _ if low >= 0.0 && (2.0..=255.0).contains(&high) => "divide them by 255, or save them as uint8",
        _ => "scale or clip them, or save whole numbers as uint8",
    }
}

/// The noise key of each item of a frame: its source index `i`, or else its position in the stream; modulo 2^32.
///
/// # Errors
/// An `i` that is not one whole number for each item.
pub fn ids(data: &Data, first: usize) -> Result<Vec<u32>> {
    match data.get("i") {
        None => Ok((first..first + data.items()).map(|i| i as u32).collect()),
        Some(_) => Ok(data.integers("i")?.into_iter().map(|i| i as u32).collect()),
    }
}

/// The label `y` of each item of a frame; `first` is what messages call the first item.
///
/// # Errors
/// No labels, or one that is not a class from 0 to `classes` - 1.
pub fn labels(data: &Data, classes: usize, first: usize) -> Result<Vec<u8>> {
    if data.get("y").is_none() {
        return Err(DataError::NoLabels { classes }.into());
    }
    let label = |(n, y): (usize, i64)| match usize::try_from(y) {
        Ok(label) if label < classes => Ok(label as u8),
        _ => Err(DataError::Label { item: first + n, label: y, classes }.into()),
    };
    data.integers("y")?.into_iter().enumerate().map(label).collect()
}
