//! Where everything lies on a picture.

use vae_cli::{Error, Result};

use crate::grid::Look;

/// The largest picture, in pixels: 8192 x 8192, or all 60,000 images of MNIST.
const MOST_PIXELS: f64 = (1 << 26) as f64;

/// The room that text takes, in pixels.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Room {
    /// Above the whole grid.
    pub(crate) top: usize,
    /// Left of the whole grid.
    pub(crate) left: usize,
    /// Above each item.
    pub(crate) above: usize,
    /// The width that an image takes at least.
    pub(crate) across: usize,
}

/// Where the images lie: in a row or column of blocks, each the T images of an item.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) width: u32,
    pub(crate) height: u32,
    transpose: bool,
    padding: usize,
    image: (usize, usize),
    room: Room,
    /// From one image of an item to the next, and from one item to the next: across, down.
    step: (usize, usize),
    block: (usize, usize),
}

impl Plan {
    /// Plans `rows` of `columns` items with T images of H x W each, once it is known that the picture has a size to allocate.
    pub(crate) fn new(
        (rows, columns): (usize, usize),
        tensors: usize,
        (height, width): (usize, usize),
        look: &Look,
        room: Room,
    ) -> Result<Plan> {
        let padding = if rows * columns * tensors == 1 { 0 } else { look.padding as usize };
        let ((columns, rows), (across, down)) = match look.transpose {
            false => ((columns, rows), (1, tensors)),
            true => ((rows, columns), (tensors, 1)),
        };

        // In f64 no claim overflows, and what is small enough is exact.
        let side = |blocks: usize, images: usize, size: usize, above: usize, before: usize| {
            let block = images as f64 * (size as f64 + padding as f64) + above as f64;
            before as f64 + padding as f64 + blocks as f64 * block
        };
        let wide = side(columns, across, width.max(room.across), 0, room.left);
        let high = side(rows, down, height, room.above, room.top);
        let scale = look.scale as f64;
        if wide * high * scale * scale > MOST_PIXELS {
            let titles = if room.across > width { ", or shorten the titles" } else { "" };
            return Err(Error::Usage(format!(
                "the picture is too large: expected at most {MOST_PIXELS} pixels, got {} x {}; show fewer or \
                 smaller images (--max), or lower --scale or --padding{titles}",
                wide * scale,
                high * scale,
            )));
        }
        let step = (width.max(room.across) + padding, height + padding);
        Ok(Plan {
            width: wide as u32,
            height: high as u32,
            transpose: look.transpose,
            padding,
            image: (width, height),
            room,
            step,
            block: (across * step.0, down * step.1 + room.above),
        })
    }

    /// The left upper corner of an item's image of tensor t.
    pub(crate) fn image(&self, place: (usize, usize), t: usize) -> (u32, u32) {
        let (left, top) = self.corner(place);
        let (across, down) = if self.transpose { (t, 0) } else { (0, t) };
        let centred = (self.step.0 - self.padding - self.image.0) / 2;
        ((left + across * self.step.0 + centred) as u32, (top + self.room.above + down * self.step.1) as u32)
    }

    /// The middle of the images of an item: from the left, and from the top.
    pub(crate) fn middle(&self, place: (usize, usize)) -> (u32, u32) {
        let (left, top) = self.corner(place);
        let (width, height) = (self.block.0 - self.padding, self.block.1 - self.padding - self.room.above);
        ((left + width / 2) as u32, (top + self.room.above + height / 2) as u32)
    }

    /// The left upper corner of an item, where its title begins.
    fn corner(&self, (row, column): (usize, usize)) -> (usize, usize) {
        let (down, across) = if self.transpose { (column, row) } else { (row, column) };
        let Room { top, left, .. } = self.room;
        (left + self.padding + across * self.block.0, top + self.padding + down * self.block.1)
    }
}
