//! Pictures in a terminal, as images or as characters.

use image::{GrayImage, imageops};
use std::io;

use crate::colormap::Colormap;
use crate::kitty;

/// ASCII from dark to bright, for terminals without colour.
const SHADES: &[u8; 10] = b" .:-=+*#%@";

/// Least width of a character, in pixels.
const CHARACTER: u32 = 8;

/// The capabilities of the terminal at standard output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    /// Width in characters.
    pub(crate) columns: u32,
    /// Width in pixels.
    pixels: u32,
    /// Whether it has kitty's graphics protocol.
    pub(crate) has_graphics: bool,
    /// Whether to use 24-bit colours, not shades of ASCII.
    pub(crate) colour: bool,
}

impl Terminal {
    /// The width from the system, the rest from the environment.
    pub(crate) fn at_stdout() -> Terminal {
        let (columns, pixels) = match rustix::termios::tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 => (size.ws_col.into(), size.ws_xpixel.into()),
            _ => (80, 0),
        };
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let colour = set("NO_COLOR").is_none() && set("TERM").is_some_and(|term| term != "dumb");
        let has_graphics =
            colour && kitty::is_supported(|name| set(name).map(|value| value.to_string_lossy().into_owned()));
        // Not every terminal reports pixels.
        let pixels = if pixels > 0 { pixels } else { CHARACTER * columns };
        Terminal { columns, pixels, has_graphics, colour }
    }

    /// The escape sequences of a PNG of this width, scaled down to the terminal.
    pub(crate) fn show(self, png: &[u8], width: u32) -> String {
        kitty::show(png, (width > self.pixels).then_some(self.columns))
    }

    /// The picture as lines of text, two rows of pixels each, scaled down to the terminal.
    pub(crate) fn draw(self, picture: &GrayImage, colormap: &Colormap) -> String {
        let picture = self.fit(picture);
        let mut text = String::new();
        for y in (0..picture.height()).step_by(2) {
            let mut current = None;
            for x in 0..picture.width() {
                let upper = picture.get_pixel(x, y).0[0];
                let lower = picture.get_pixel_checked(x, y + 1).map(|pixel| pixel.0[0]);
                if !self.colour {
                    let shade = (usize::from(upper) + usize::from(lower.unwrap_or(0))) * SHADES.len() / 511;
                    text.push(SHADES[shade].into());
                    continue;
                }
                // Upper half block: the foreground is the upper pixel, the background the lower.
                if current != Some((upper, lower)) {
                    let [r, g, b] = colormap.colour(upper);
                    text += &format!("\x1b[38;2;{r};{g};{b}m");
                    let background = lower.map(|level| colormap.colour(level));
                    text += &background.map_or("\x1b[49m".into(), |[r, g, b]| format!("\x1b[48;2;{r};{g};{b}m"));
                    current = Some((upper, lower));
                }
                text.push('▀');
            }
            text += if self.colour { "\x1b[0m\n" } else { "\n" };
        }
        text
    }

    fn fit(self, picture: &GrayImage) -> GrayImage {
        let (width, height) = picture.dimensions();
        if width <= self.columns {
            return picture.clone();
        }
        let height = (u64::from(height) * u64::from(self.columns)).div_ceil(width.into()) as u32;
        imageops::resize(picture, self.columns, height, imageops::FilterType::Triangle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;

    const COLOUR: Terminal = Terminal { columns: 80, pixels: 640, has_graphics: false, colour: true };
    const PLAIN: Terminal = Terminal { colour: false, ..COLOUR };

    fn gray() -> Colormap {
        Colormap::named("gray")
    }

    fn picture(width: u32, height: u32, bytes: &[u8]) -> GrayImage {
        GrayImage::from_raw(width, height, bytes.to_vec()).unwrap()
    }

    #[test]
    fn two_rows_of_pixels_are_one_line_of_half_blocks() {
        let text = COLOUR.draw(&picture(3, 2, &[1, 1, 2, 3, 3, 4]), &gray());
        assert_eq!(text, "\x1b[38;2;1;1;1m\x1b[48;2;3;3;3m▀▀\x1b[38;2;2;2;2m\x1b[48;2;4;4;4m▀\x1b[0m\n");
    }

    #[test]
    fn a_last_odd_row_leaves_the_background_as_it_is() {
        assert_eq!(COLOUR.draw(&picture(1, 1, &[9]), &gray()), "\x1b[38;2;9;9;9m\x1b[49m▀\x1b[0m\n");
    }

    #[test]
    fn without_colour_shades_of_ascii_are_drawn() {
        assert_eq!(PLAIN.draw(&picture(3, 2, &[0, 128, 255, 0, 128, 255]), &gray()), " +@\n");
        assert_eq!(PLAIN.draw(&picture(2, 3, &[255; 6]), &gray()), "@@\n==\n");
    }

    #[test]
    fn a_colormap_gives_the_colours_and_leaves_shades_as_they_are() {
        let (picture, map) = (picture(1, 2, &[0, 255]), Colormap::named("viridis"));
        assert_eq!(COLOUR.draw(&picture, &map), "\x1b[38;2;68;1;84m\x1b[48;2;253;231;37m▀\x1b[0m\n");
        assert_eq!(PLAIN.draw(&picture, &map), PLAIN.draw(&picture, &gray()));
    }

    #[test]
    fn a_wide_picture_is_made_to_fit() {
        let wide = GrayImage::from_pixel(242, 122, Luma([255]));
        let text = PLAIN.draw(&wide, &gray());
        assert_eq!(text.lines().map(str::len).collect::<Vec<_>>(), [80; 21]);
    }
}
