//! The images and titles of one picture.

use ndarray::{Array3, Axis};
use vae_cli::{Error, Result};
use vae_stream::Data;
use vae_stream::images::{PixelType, Pixels};
use vae_stream::record::Epoch;

use crate::cells::Cells;
use crate::layout::{Layout, TextSpace};
use crate::options::GridOptions;
use crate::selection::Selection;

/// The images of one picture, T tensors [N, H, W].
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) group: String,
    pub(crate) epoch: Option<u64>,
    /// The record of the epoch, once it has arrived.
    pub(crate) record: Option<Epoch>,
    /// The names of the tensors.
    pub(crate) names: Vec<String>,
    pub(crate) images: Vec<Array3<f32>>,
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
            Some(_) if selection.titles_classes() => {
                self.class_titles = self.cells.classes().iter().map(i64::to_string).collect();
            }
            Some(titles) => self.titles.extend(titles.of(data, first, &items)?),
            None => {}
        }
        for (t, name) in self.names.iter().enumerate() {
            let within = |e: Error| e.within(format_args!("tensor {name}"));
            let tensor = data.need(name)?;
            let size = selection.images.size(name, &tensor.shape()[1..]).map_err(within)?;
            let pixels = Pixels::from_tensor(&tensor.slice(0..last + 1), Some(size));
            let pixels = pixels.map_err(|e| within(e.numbered(|n| first + n).into()))?;
            self.is_bytes &= pixels.pixel_type() == PixelType::U8;
            let (_, height, width) = pixels.dim();
            if let Some((_, h, w)) = self.images.first().map(Array3::dim).filter(|&(_, h, w)| (h, w) != (height, width))
            {
                return Err(within(Error::Data(format!(
                    "images of another size: expected {h} x {w} as before, got {height} x {width}; draw one --tensor \
                     at a time"
                ))));
            }
            // Too many images are an error before they fill the memory.
            Layout::new(self.cells.shape(), self.names.len(), (height, width), options, TextSpace::default())?;
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
