//! The images and titles of one picture.

use ndarray::{Array3, Axis};
use vae_cli::{Error, Result};
use vae_stream::images::{ImageShape, PixelType, Pixels};
use vae_stream::record::Epoch;
use vae_stream::{Data, Tensor};

use crate::cells::Cells;
use crate::layout::{Layout, TextSpace};
use crate::options::GridOptions;
use crate::selection::Selection;

/// The images of one picture, T tensors [N, H, W], or [N, H, 3 W] of colours.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) group: String,
    pub(crate) epoch: Option<u64>,
    /// The record of the epoch, once it has arrived.
    pub(crate) record: Option<Epoch>,
    /// The names of the tensors.
    pub(crate) names: Vec<String>,
    pub(crate) images: Vec<Array3<f32>>,
    /// Values of a pixel: 1, or 3 of red, green and blue.
    pub(crate) channels: usize,
    /// Whether all are of bytes, which are divided by 255.
    pub(crate) is_bytes: bool,
    pub(crate) cells: Cells,
    /// One for each item, or none.
    pub(crate) titles: Vec<String>,
    /// One for each class, or none.
    pub(crate) class_titles: Vec<String>,
    /// Items of the group so far, shown or not.
    items: usize,
}

impl Page {
    /// A page for tensors of these names.
    pub(crate) fn new(
        group: &str,
        epoch: Option<u64>,
        names: &[String],
        selection: &Selection,
        options: &GridOptions,
    ) -> Page {
        Page {
            group: group.to_owned(),
            epoch,
            record: None,
            names: names.to_vec(),
            images: Vec::new(),
            channels: 1,
            is_bytes: true,
            cells: Cells::new(options.nrow as usize, selection.args.by.is_some()),
            titles: Vec::new(),
            class_titles: Vec::new(),
            items: 0,
        }
    }

    /// Adds the items of a frame that have a cell, up to the maximum.
    pub(crate) fn add(&mut self, data: &Data, selection: &Selection, options: &GridOptions) -> Result<()> {
        let items = self.assign_cells(data, selection)?;
        let first = self.items;
        self.items += data.items();
        let Some(&last) = items.last() else { return Ok(()) };
        match &selection.titles {
            Some(titles) if selection.titles_classes() => {
                self.class_titles = self.cells.classes().into_iter().map(|class| titles.class(class)).collect();
            }
            Some(titles) => self.titles.extend(titles.of(data, first, &items)?),
            None => {}
        }
        for (t, name) in self.names.iter().enumerate() {
            let within = |e: Error| e.within(format_args!("tensor {name}"));
            let tensor = data.need(name)?;
            let (image, channels) = image(tensor, |item| selection.images.size(name, item)).map_err(within)?;
            let pixels = image.slice(0..last + 1);
            let pixels = Pixels::from_tensor(&pixels, Some(ImageShape::grey(image.shape()[1], image.shape()[2])));
            let pixels = pixels.map_err(|e| within(e.numbered(|n| first + n).into()))?;
            self.is_bytes &= pixels.pixel_type() == PixelType::U8;
            let (_, height, width) = pixels.dim();
            let got = ImageShape { height, width: width / channels, channels };
            if !self.images.is_empty() && got != self.size() {
                let expected = self.size();
                return Err(within(Error::Data(format!(
                    "images of another size: expected {expected} as before, got {got}; draw one --tensor at a time"
                ))));
            }
            self.channels = channels;
            // Too many images are an error before they fill the memory.
            Layout::new(
                self.cells.shape(),
                self.names.len(),
                (height, width / channels),
                options,
                TextSpace::default(),
            )?;
            let mut values = match pixels {
                Pixels::U8(bytes) => bytes.mapv(|v| f32::from(v) / 255.0),
                Pixels::F32(values) => values,
            };
            if items.len() <= last {
                values = values.select(Axis(0), &items);
            }
            match self.images.get_mut(t) {
                Some(images) => images.append(Axis(0), values.view()).map_err(|e| Error::Failed(e.to_string()))?,
                None => self.images.push(values),
            }
        }
        Ok(())
    }

    /// The size of an image, once there are images.
    pub(crate) fn size(&self) -> ImageShape {
        let (_, height, width) = self.images[0].dim();
        ImageShape { height, width: width / self.channels, channels: self.channels }
    }

    /// Assigns cells to the items of a frame; gives the indices of those that have one.
    fn assign_cells(&mut self, data: &Data, selection: &Selection) -> Result<Vec<usize>> {
        let free = selection.max_items() - self.cells.len();
        if free == 0 {
            return Ok(Vec::new());
        }
        let classes = match &selection.args.by {
            Some(by) => data.integers(by)?,
            None => vec![0; data.items()],
        };
        Ok((0..classes.len()).filter(|&k| self.cells.push(classes[k])).take(free).collect())
    }
}

/// A tensor of images as [N, H, W], with the values of a pixel: those of a colour stand side by side, [N, H, 3 W].
fn image(tensor: &Tensor, size: impl Fn(&[usize]) -> Result<ImageShape>) -> Result<(Tensor, usize)> {
    let n = tensor.items();
    let ([height, width], channels) = match tensor.shape()[1..] {
        [height, width, 3] if height > 1 => ([height, 3 * width], 3),
        ref item => size(item).map(|size| ([size.height, size.width], 1))?,
    };
    Ok((Tensor::from_bytes(tensor.dtype(), &[n, height, width], tensor.data()), channels))
}
