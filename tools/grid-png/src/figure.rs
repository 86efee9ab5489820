//! The picture of a page: grid, colours and text.

use image::{DynamicImage, GrayImage, ImageBuffer, Luma, Pixel, Rgb};
use vae_cli::{Error, Result};
use vae_stream::images::ImageShape;

use crate::grid;
use crate::layout::{Layout, TextSpace};
use crate::options::GridOptions;
use crate::page::Page;
use crate::text::{self, Anchor, Font, Label};

/// Pixels above and below a headline.
const HEADLINE_MARGIN: usize = 3;

/// Pixels above a title.
const TITLE_MARGIN: usize = 2;

/// Pixels between titles in a row.
const TITLE_SPACING: usize = 4;

/// Draws a page without text in grey levels, for a terminal.
pub(crate) fn draw_grey(mut page: Page, options: &GridOptions) -> Result<GrayImage> {
    let layout = layout(&page, options, TextSpace::default())?;
    let picture = match page.channels {
        1 => grid::draw::<Luma<u8>>(&mut page, options, &layout)?,
        _ => DynamicImage::from(grid::draw::<Rgb<u8>>(&mut page, options, &layout)?).into_luma8(),
    };
    Ok(grid::enlarge(picture, options.scale))
}

/// Draws a page in its colours, in grey levels or in the colours of a colormap.
pub(crate) fn draw(mut page: Page, options: &GridOptions, headline: Option<&str>) -> Result<DynamicImage> {
    let (font, mut space) = text_space(&page, options);
    let mut labels = Vec::new();
    if let Some(headline) = headline {
        let width = layout(&page, options, space)?.width as usize;
        let (font, lines) = wrap(headline, width);
        for (k, line) in lines.into_iter().enumerate() {
            let at = ((width / 2) as u32, (HEADLINE_MARGIN + k * text::height(font)) as u32);
            labels.push(Label { text: line, font, at, anchor: Anchor::TopCentre });
        }
        space.top += labels.len() * text::height(font) + 2 * HEADLINE_MARGIN
            - options.padding.min(HEADLINE_MARGIN as u32) as usize;
    }
    let layout = layout(&page, options, space)?;
    let [r, g, b] = options.colormap.colour(grid::to_byte(options.pad_value)).map(u32::from);
    let text_level = if 299 * r + 587 * g + 114 * b < 128_000 { 255 } else { 0 };
    if page.channels == 3 {
        if !options.colormap.is_gray() {
            return Err(Error::Usage("--colormap: expected grey images, got colour; leave it out".into()));
        }
        let picture = grid::draw::<Rgb<u8>>(&mut page, options, &layout)?;
        labels.extend(titles(page, options, &layout, font));
        return Ok(finish(picture, &labels, Rgb([text_level; 3]), options.scale).into());
    }
    let levels = grid::draw::<Luma<u8>>(&mut page, options, &layout)?;
    labels.extend(titles(page, options, &layout, font));
    if options.colormap.is_gray() {
        return Ok(finish(levels, &labels, Luma([text_level]), options.scale).into());
    }
    let picture = ImageBuffer::from_fn(levels.width(), levels.height(), |x, y| {
        Rgb(options.colormap.colour(levels.get_pixel(x, y).0[0]))
    });
    Ok(finish(picture, &labels, Rgb([text_level; 3]), options.scale).into())
}

fn finish<P: Pixel<Subpixel = u8> + 'static>(
    mut picture: ImageBuffer<P, Vec<u8>>,
    labels: &[Label],
    text_colour: P,
    scale: u32,
) -> ImageBuffer<P, Vec<u8>> {
    text::draw(&mut picture, labels, text_colour);
    grid::enlarge(picture, scale)
}

fn layout(page: &Page, options: &GridOptions, text: TextSpace) -> Result<Layout> {
    let ImageShape { height, width, .. } = page.size();
    Layout::new(page.cells.shape(), page.images.len(), (height, width), options, text)
}

/// The font of the titles, and their space.
fn text_space(page: &Page, options: &GridOptions) -> (&'static Font, TextSpace) {
    let width = page.size().width;
    let padding = options.padding as usize;
    let longest = text::longest(&page.titles).max(text::longest(&page.class_titles));
    let font = text::title_font(longest, (width + padding).saturating_sub(TITLE_SPACING));
    let (title_width, title_height) = (text::width(font, longest), text::height(font) + TITLE_MARGIN);
    let column_width = (title_width + TITLE_SPACING).saturating_sub(padding);
    let space = TextSpace::default();
    let space = match (page.titles.is_empty(), page.class_titles.is_empty()) {
        (true, true) => space,
        (false, _) => TextSpace { above: title_height, column_width, ..space },
        (true, false) if options.transpose => TextSpace { top: title_height, column_width, ..space },
        (true, false) => TextSpace { left: title_width + padding, ..space },
    };
    (font, space)
}

/// The titles above each item, or at the head of each class's row or column.
fn titles(page: Page, options: &GridOptions, layout: &Layout, font: &'static Font) -> Vec<Label> {
    let above = |cell, text| {
        let top = layout.image_origin(cell, 0).1.saturating_sub(text::height(font) as u32);
        Label { text, font, at: (layout.item_centre(cell).0, top), anchor: Anchor::TopCentre }
    };
    let left_of = |cell, text| {
        let at = (layout.image_origin(cell, 0).0.saturating_sub(options.padding + 1), layout.item_centre(cell).1);
        Label { text, font, at, anchor: Anchor::RightMiddle }
    };
    let titles = page.cells.positions().into_iter().zip(page.titles).map(|(cell, title)| above(cell, title));
    let class_titles = page.class_titles.into_iter().enumerate().map(|(class, title)| match options.transpose {
        true => above((class, 0), title),
        false => left_of((class, 0), title),
    });
    titles.chain(class_titles).collect()
}

/// A headline in one line if a font fits, or else wrapped.
fn wrap(headline: &str, width: usize) -> (&'static Font, Vec<String>) {
    let lines: Vec<&str> = headline.lines().collect();
    let font = text::headline_font(text::longest(&lines), width);
    let columns = (width / text::width(font, 1)).max(1);
    (font, textwrap::wrap(headline, columns).into_iter().map(|line| line.into_owned()).collect())
}
