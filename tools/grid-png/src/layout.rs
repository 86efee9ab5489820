//! The layout of a picture: positions of images and text, in pixels.

use vae_cli::{Error, Result};

use crate::options::GridOptions;

/// The largest picture, in pixels: 8192 x 8192, or all 60,000 images of MNIST.
const MAX_PIXELS: f64 = (1 << 26) as f64;

/// The space for text, in pixels.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TextSpace {
    /// Above the whole grid.
    pub(crate) top: usize,
    /// Left of the whole grid.
    pub(crate) left: usize,
    /// Above each item.
    pub(crate) above: usize,
    /// Least width of an image's column.
    pub(crate) column_width: usize,
}

/// A grid of items, each a row or column of T images.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) width: u32,
    pub(crate) height: u32,
    transpose: bool,
    padding: usize,
    /// Width and height of an image.
    image: (usize, usize),
    text: TextSpace,
    /// Horizontal and vertical distance of the images of an item.
    image_step: (usize, usize),
    /// Horizontal and vertical distance of items.
    item_step: (usize, usize),
}

impl Layout {
    /// `rows` of `columns` items with T images of H x W each.
    ///
    /// # Errors
    /// A picture of more than [`MAX_PIXELS`].
    pub(crate) fn new(
        (rows, columns): (usize, usize),
        tensors: usize,
        (height, width): (usize, usize),
        options: &GridOptions,
        text: TextSpace,
    ) -> Result<Layout> {
        let padding = if rows * columns * tensors == 1 { 0 } else { options.padding as usize };
        let ((columns, rows), (across, down)) = match options.transpose {
            false => ((columns, rows), (1, tensors)),
            true => ((rows, columns), (tensors, 1)),
        };

        // f64 does not overflow, and is exact up to the limit.
        let side = |items: usize, images: usize, size: usize, above: usize, before: usize| {
            let item = images as f64 * (size as f64 + padding as f64) + above as f64;
            before as f64 + padding as f64 + items as f64 * item
        };
        let column_width = width.max(text.column_width);
        let wide = side(columns, across, column_width, 0, text.left);
        let high = side(rows, down, height, text.above, text.top);
        let scale = options.scale as f64;
        if wide * high * scale * scale > MAX_PIXELS {
            let titles = if text.column_width > width { ", or shorten the titles" } else { "" };
            return Err(Error::Usage(format!(
                "the picture is too large: expected at most {MAX_PIXELS} pixels, got {} x {}; show fewer or \
                 smaller images (--max), or lower --scale or --padding{titles}",
                wide * scale,
                high * scale,
            )));
        }
        let image_step = (column_width + padding, height + padding);
        Ok(Layout {
            width: wide as u32,
            height: high as u32,
            transpose: options.transpose,
            padding,
            image: (width, height),
            text,
            image_step,
            item_step: (across * image_step.0, down * image_step.1 + text.above),
        })
    }

    /// The top left corner of an item's image of tensor t.
    pub(crate) fn image_origin(&self, cell: (usize, usize), t: usize) -> (u32, u32) {
        let (left, top) = self.item_origin(cell);
        let (across, down) = if self.transpose { (t, 0) } else { (0, t) };
        let centred = (self.image_step.0 - self.padding - self.image.0) / 2;
        (
            (left + across * self.image_step.0 + centred) as u32,
            (top + self.text.above + down * self.image_step.1) as u32,
        )
    }

    /// The centre of the images of an item.
    pub(crate) fn item_centre(&self, cell: (usize, usize)) -> (u32, u32) {
        let (left, top) = self.item_origin(cell);
        let (width, height) = (self.item_step.0 - self.padding, self.item_step.1 - self.padding - self.text.above);
        ((left + width / 2) as u32, (top + self.text.above + height / 2) as u32)
    }

    /// The top left corner of an item, its title included.
    fn item_origin(&self, (row, column): (usize, usize)) -> (usize, usize) {
        let (down, across) = if self.transpose { (column, row) } else { (row, column) };
        let TextSpace { top, left, .. } = self.text;
        (left + self.padding + across * self.item_step.0, top + self.padding + down * self.item_step.1)
    }
}
