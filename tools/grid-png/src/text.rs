//! Text on a picture, in embedded bitmap fonts of Latin-1; other characters become `?`.

use std::convert::Infallible;

use embedded_graphics::mono_font::iso_8859_1::{FONT_4X6, FONT_5X8, FONT_6X10, FONT_7X13};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::{DrawTarget, Drawable, OriginDimensions, Pixel as Dot, Point, Size};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};
use image::{ImageBuffer, Pixel};

/// Fonts of titles, the largest first.
const TITLE: [&Font; 3] = [&FONT_6X10, &FONT_5X8, &FONT_4X6];

/// Fonts of a headline, the largest first.
const HEADLINE: [&Font; 3] = [&FONT_7X13, &FONT_6X10, &FONT_5X8];

pub(crate) type Font = MonoFont<'static>;

/// A positioned line of text.
pub(crate) struct Label {
    pub(crate) text: String,
    pub(crate) font: &'static Font,
    /// x, y of the anchor.
    pub(crate) at: (u32, u32),
    pub(crate) anchor: Anchor,
}

/// The point of a line of text at its position.
#[derive(Clone, Copy)]
pub(crate) enum Anchor {
    TopCentre,
    RightMiddle,
}

/// The largest font for titles in which this many characters fit into a width, or else the smallest.
pub(crate) fn title_font(characters: usize, max_width: usize) -> &'static Font {
    fitting(&TITLE, characters, max_width)
}

/// The same for a headline.
pub(crate) fn headline_font(characters: usize, max_width: usize) -> &'static Font {
    fitting(&HEADLINE, characters, max_width)
}

fn fitting(fonts: &[&'static Font; 3], characters: usize, max_width: usize) -> &'static Font {
    fonts.iter().find(|font| width(font, characters) <= max_width).unwrap_or(&fonts[2])
}

/// Width of a line of this many characters, with the space after the last.
pub(crate) fn width(font: &Font, characters: usize) -> usize {
    characters * (font.character_size.width + font.character_spacing) as usize
}

/// Line height.
pub(crate) fn height(font: &Font) -> usize {
    font.character_size.height as usize
}

/// Characters in the longest text.
pub(crate) fn longest<T: AsRef<str>>(texts: &[T]) -> usize {
    texts.iter().map(|text| text.as_ref().chars().count()).max().unwrap_or(0)
}

/// Draws labels over a picture, clipped at its edges.
pub(crate) fn draw<P: Pixel>(picture: &mut ImageBuffer<P, Vec<P::Subpixel>>, labels: &[Label], colour: P) {
    let mut target = Target { picture, colour };
    for label in labels {
        let at = Point::new(label.at.0 as i32, label.at.1 as i32);
        let style = match label.anchor {
            Anchor::TopCentre => (Alignment::Center, Baseline::Top),
            Anchor::RightMiddle => (Alignment::Right, Baseline::Middle),
        };
        let style = TextStyleBuilder::new().alignment(style.0).baseline(style.1).build();
        let font = MonoTextStyle::new(label.font, BinaryColor::On);
        let Ok(_) = Text::with_text_style(&label.text, at, font, style).draw(&mut target);
    }
}

/// A draw target of `embedded-graphics`.
struct Target<'a, P: Pixel> {
    picture: &'a mut ImageBuffer<P, Vec<P::Subpixel>>,
    colour: P,
}

impl<P: Pixel> OriginDimensions for Target<'_, P> {
    fn size(&self) -> Size {
        Size::new(self.picture.width(), self.picture.height())
    }
}

impl<P: Pixel> DrawTarget for Target<'_, P> {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Dot<BinaryColor>>>(&mut self, dots: I) -> Result<(), Infallible> {
        for Dot(at, state) in dots {
            let pixel = u32::try_from(at.x).ok().zip(u32::try_from(at.y).ok());
            if let Some(pixel) = pixel.and_then(|(x, y)| self.picture.get_pixel_mut_checked(x, y))
                && state.is_on()
            {
                *pixel = self.colour;
            }
        }
        Ok(())
    }
}
