//! Text on a picture, in small fonts that are part of the program. What they lack (beyond Latin-1) becomes `?`.

use std::convert::Infallible;

use embedded_graphics::mono_font::iso_8859_1::{FONT_4X6, FONT_5X8, FONT_6X10, FONT_7X13};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::{DrawTarget, Drawable, OriginDimensions, Pixel as Dot, Point, Size};
use embedded_graphics::text::{Alignment, Baseline, Text, TextStyleBuilder};
use image::{ImageBuffer, Pixel};

/// For what stands at an image, the largest first.
const SMALL: [&Font; 3] = [&FONT_6X10, &FONT_5X8, &FONT_4X6];

/// For what stands above them all.
const LARGE: [&Font; 3] = [&FONT_7X13, &FONT_6X10, &FONT_5X8];

pub(crate) type Font = MonoFont<'static>;

/// A line of text and where it stands.
pub(crate) struct Label {
    pub(crate) text: String,
    pub(crate) font: &'static Font,
    pub(crate) at: (u32, u32),
    /// Which point of the text lies there.
    pub(crate) anchor: Anchor,
}

/// A point of a line of text.
#[derive(Clone, Copy)]
pub(crate) enum Anchor {
    TopCentre,
    RightMiddle,
}

/// The largest font for titles in which so many characters fit, or else the smallest.
pub(crate) fn small(characters: usize, room: usize) -> &'static Font {
    fitting(&SMALL, characters, room)
}

/// The same for a headline.
pub(crate) fn large(characters: usize, room: usize) -> &'static Font {
    fitting(&LARGE, characters, room)
}

fn fitting(fonts: &[&'static Font; 3], characters: usize, room: usize) -> &'static Font {
    fonts.iter().find(|font| width(font, characters) <= room).unwrap_or(&fonts[2])
}

/// The pixels that a line of so many characters takes, the space behind the last one included.
pub(crate) fn width(font: &Font, characters: usize) -> usize {
    characters * (font.character_size.width + font.character_spacing) as usize
}

/// The pixels from one line to the next.
pub(crate) fn height(font: &Font) -> usize {
    font.character_size.height as usize
}

/// Characters of the longest text.
pub(crate) fn longest<T: AsRef<str>>(texts: &[T]) -> usize {
    texts.iter().map(|text| text.as_ref().chars().count()).max().unwrap_or(0)
}

/// Writes text over a picture; what would stand outside is left out.
pub(crate) fn write<P: Pixel>(picture: &mut ImageBuffer<P, Vec<P::Subpixel>>, labels: &[Label], ink: P) {
    let mut sheet = Sheet { picture, ink };
    for label in labels {
        let at = Point::new(label.at.0 as i32, label.at.1 as i32);
        let style = match label.anchor {
            Anchor::TopCentre => (Alignment::Center, Baseline::Top),
            Anchor::RightMiddle => (Alignment::Right, Baseline::Middle),
        };
        let style = TextStyleBuilder::new().alignment(style.0).baseline(style.1).build();
        let font = MonoTextStyle::new(label.font, BinaryColor::On);
        let Ok(_) = Text::with_text_style(&label.text, at, font, style).draw(&mut sheet);
    }
}

/// A picture as `embedded-graphics` draws on it.
struct Sheet<'a, P: Pixel> {
    picture: &'a mut ImageBuffer<P, Vec<P::Subpixel>>,
    ink: P,
}

impl<P: Pixel> OriginDimensions for Sheet<'_, P> {
    fn size(&self) -> Size {
        Size::new(self.picture.width(), self.picture.height())
    }
}

impl<P: Pixel> DrawTarget for Sheet<'_, P> {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Dot<BinaryColor>>>(&mut self, dots: I) -> Result<(), Infallible> {
        for Dot(at, colour) in dots {
            let pixel = u32::try_from(at.x).ok().zip(u32::try_from(at.y).ok());
            if let Some(pixel) = pixel.and_then(|(x, y)| self.picture.get_pixel_mut_checked(x, y))
                && colour.is_on()
            {
                *pixel = self.ink;
            }
        }
        Ok(())
    }
}
