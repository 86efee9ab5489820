//! The finished picture: images, colours and text.

use image::{DynamicImage, GrayImage, ImageBuffer, Luma, Pixel, Rgb};
use vae_cli::Result;

use crate::grid::{self, Look};
use crate::page::Page;
use crate::plan::{Plan, Room};
use crate::text::{self, Anchor, Font, Label};

/// Pixels above a headline, and below it.
const GAP: usize = 3;

/// Pixels above a title, which belongs to the image below it.
const ABOVE: usize = 2;

/// Pixels from one title to the next in a row.
const BETWEEN: usize = 4;

/// The levels of a page without text, for a terminal.
pub(crate) fn draw_plain(mut page: Page, look: &Look) -> Result<GrayImage> {
    let plan = plan(&page, look, Room::default())?;
    Ok(grid::enlarge(grid::draw(&mut page, look, &plan)?, look.scale))
}

/// The picture of a page: grey, or in the colours of a map.
pub(crate) fn draw(mut page: Page, look: &Look, headline: Option<&str>) -> Result<DynamicImage> {
    let (font, mut room) = room(&page, look);
    let mut labels = Vec::new();
    if let Some(headline) = headline {
        let width = plan(&page, look, room)?.width as usize;
        let (font, lines) = break_lines(headline, width);
        for (k, line) in lines.into_iter().enumerate() {
            let at = ((width / 2) as u32, (GAP + k * text::height(font)) as u32);
            labels.push(Label { text: line, font, at, anchor: Anchor::TopCentre });
        }
        room.top += labels.len() * text::height(font) + 2 * GAP - look.padding.min(GAP as u32) as usize;
    }
    let plan = plan(&page, look, room)?;
    let levels = grid::draw(&mut page, look, &plan)?;
    labels.extend(title(page, look, &plan, font));

    let [r, g, b] = look.colormap.colour(grid::to_byte(look.pad_value)).map(u32::from);
    let ink = if 299 * r + 587 * g + 114 * b < 128_000 { 255 } else { 0 };
    if look.colormap.is_gray() {
        return Ok(finish(levels, &labels, Luma([ink]), look.scale).into());
    }
    let picture = ImageBuffer::from_fn(levels.width(), levels.height(), |x, y| {
        Rgb(look.colormap.colour(levels.get_pixel(x, y).0[0]))
    });
    Ok(finish(picture, &labels, Rgb([ink; 3]), look.scale).into())
}

fn finish<P: Pixel<Subpixel = u8> + 'static>(
    mut picture: ImageBuffer<P, Vec<u8>>,
    labels: &[Label],
    ink: P,
    scale: u32,
) -> ImageBuffer<P, Vec<u8>> {
    text::write(&mut picture, labels, ink);
    grid::enlarge(picture, scale)
}

fn plan(page: &Page, look: &Look, room: Room) -> Result<Plan> {
    let (_, height, width) = page.images[0].dim();
    Plan::new(page.places.size(), page.images.len(), (height, width), look, room)
}

/// The font of titles and heads, and the room that they take.
fn room(page: &Page, look: &Look) -> (&'static Font, Room) {
    let (_, _, width) = page.images[0].dim();
    let padding = look.padding as usize;
    let longest = text::longest(&page.titles).max(text::longest(&page.heads));
    let font = text::small(longest, (width + padding).saturating_sub(BETWEEN));
    let (wide, high) = (text::width(font, longest), text::height(font) + ABOVE);
    let across = (wide + BETWEEN).saturating_sub(padding);
    let room = match (page.titles.is_empty(), page.heads.is_empty()) {
        (true, true) => Room::default(),
        (false, _) => Room { above: high, across, ..Room::default() },
        (true, false) if look.transpose => Room { top: high, across, ..Room::default() },
        (true, false) => Room { left: wide + padding, ..Room::default() },
    };
    (font, room)
}

/// A title above each item, or at the head of each class.
fn title(page: Page, look: &Look, plan: &Plan, font: &'static Font) -> Vec<Label> {
    let above = |place, text| {
        let top = plan.image(place, 0).1.saturating_sub(text::height(font) as u32);
        Label { text, font, at: (plan.middle(place).0, top), anchor: Anchor::TopCentre }
    };
    let left_of = |place, text| {
        let at = (plan.image(place, 0).0.saturating_sub(look.padding + 1), plan.middle(place).1);
        Label { text, font, at, anchor: Anchor::RightMiddle }
    };
    let titles = page.places.each().into_iter().zip(page.titles).map(|(place, title)| above(place, title));
    let heads = page.heads.into_iter().enumerate().map(|(class, head)| match look.transpose {
        true => above((class, 0), head),
        false => left_of((class, 0), head),
    });
    titles.chain(heads).collect()
}

/// A headline in one line if a font lets it, or else in several.
fn break_lines(headline: &str, width: usize) -> (&'static Font, Vec<String>) {
    let lines: Vec<&str> = headline.lines().collect();
    let font = text::large(text::longest(&lines), width);
    let most = (width / text::width(font, 1)).max(1);
    (font, textwrap::wrap(headline, most).into_iter().map(|line| line.into_owned()).collect())
}
