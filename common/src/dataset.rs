//! Images with the index of each in its source, held as they came: bytes stay bytes.

use crate::backend::Backend;
use crate::images::Pixels;
use crate::plan::{Cell, Table};
use crate::{Error, Result};
use sha2::{Digest, Sha256};

/// N images of `[H, W]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Dataset {
    pixels: Pixels,
    ids: Vec<u32>,
}

impl Dataset {
    /// Pixels `[N, H, W]`, and the index of each image in its source, which keys its noise.
    pub fn new(pixels: Pixels, ids: Vec<u32>) -> Dataset {
        let data = Dataset { pixels, ids };
        assert_eq!(data.shape()[0], data.ids.len(), "an index for each image");
        data
    }
    fn shape(&self) -> &[usize] {
        match &self.pixels {
            Pixels::U8(a) => a.shape(),
            Pixels::F32(a) => a.shape(),
        }
    }
    /// `[H, W]`.
    pub fn image(&self) -> [usize; 2] {
        [self.shape()[1], self.shape()[2]]
    }
    /// N.
    pub fn items(&self) -> usize {
        self.ids.len()
    }
    /// The index of each image in its source.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }
    /// The type of the pixels.
    pub fn cell(&self) -> Cell {
        match self.pixels {
            Pixels::U8(_) => Cell::Byte,
            Pixels::F32(_) => Cell::Float,
        }
    }
    /// The pixels of some images, `[count · H · W]`: bytes or floats.
    pub fn part(&self, first: usize, count: usize) -> Part<'_> {
        let pixels = self.image().iter().product::<usize>();
        let range = first * pixels..(first + count) * pixels;
        const WHOLE: &str = "pixels lie in C order";
        match &self.pixels {
            Pixels::U8(a) => Part::Bytes(&a.as_slice().expect(WHOLE)[range]),
            Pixels::F32(a) => Part::Floats(&a.as_slice().expect(WHOLE)[range]),
        }
    }
    /// The pixels, `[N, H, W]`.
    pub fn pixels(&self) -> &Pixels {
        &self.pixels
    }
    /// Some of the images.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Dataset {
        let rows = ndarray::s![range.clone(), .., ..];
        let pixels = match &self.pixels {
            Pixels::U8(a) => Pixels::U8(a.slice(rows).to_owned()),
            Pixels::F32(a) => Pixels::F32(a.slice(rows).to_owned()),
        };
        Dataset::new(pixels, self.ids[range].to_vec())
    }

    /// SHA-256 of the type, the shape and the pixels, in hexadecimal digits.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        let header = format!("{:?} {:?} ", self.cell(), self.shape());
        hash.update(header);
        match self.part(0, self.items()) {
            Part::Bytes(bytes) => hash.update(bytes),
            Part::Floats(values) => values.iter().for_each(|v| hash.update(v.to_le_bytes())),
        }
        crate::model::hex(&hash.finalize())
    }

    /// # Errors
    /// Images of another size.
    pub fn expect_size(&self, expected: [usize; 2]) -> Result<()> {
        let got = self.image();
        if got == expected {
            return Ok(());
        }
        let ([eh, ew], [gh, gw]) = (expected, got);
        Err(Error::Data(format!("the images are {gh} x {gw} pixels: expected {eh} x {ew}, as the model was made for")))
    }

    /// # Errors
    /// A pixel outside [0, 1], which no Bernoulli variable can have as its mean.
    pub fn expect_unit_range(&self) -> Result<()> {
        let Pixels::F32(pixels) = &self.pixels else { return Ok(()) };
        match pixels.indexed_iter().find(|(_, v)| !(0.0..=1.0).contains(*v)) {
            None => Ok(()),
            Some(((n, y, x), value)) => Err(Error::Data(format!(
                "pixel [{y}, {x}] of image {n} is {value}: expected [0, 1], since a Bernoulli decoder has no other; scale the images"
            ))),
        }
    }

    /// Hands all pixels to a device.
    pub(crate) fn upload(self, backend: &mut dyn Backend, to: Table) -> Vec<u32> {
        match self.pixels {
            Pixels::U8(a) => backend.upload_bytes(to.buf, a.into_raw_vec_and_offset().0),
            Pixels::F32(a) => backend.upload(to.buf, &a.into_raw_vec_and_offset().0),
        }
        self.ids
    }
}

/// Pixels of some images.
pub enum Part<'a> {
    /// 0 to 255, black to white.
    Bytes(&'a [u8]),
    /// 0 to 1.
    Floats(&'a [f32]),
}
