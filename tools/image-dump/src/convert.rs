//! Pictures to images of one size and one number of channels, with bytes as pixels.

use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageBuffer, Luma, Pixel, Rgb, RgbImage};
use vae_stream::images::ImageShape;

/// The conversion of pictures.
#[derive(clap::Args, Debug, Clone)]
pub(crate) struct ConvertArgs {
    /// The size of the images, height and width; without it all pictures must have one size
    ///
    /// Pixels are interpolated linearly, and averaged where a picture becomes smaller: a triangle filter, as Pillow's
    /// BILINEAR and torchvision's Resize have it. A picture of this size keeps its pixels.
    #[arg(long, value_name = "HxW", value_parser = size)]
    size: Option<(u32, u32)>,
    /// What becomes of a picture of other proportions: its middle is taken, or it is padded, or stretched
    #[arg(long, value_enum, default_value_t = Fit::Crop, requires = "size")]
    fit: Fit,
    /// Make all images grey, `[H,W]`: 0.299 R + 0.587 G + 0.114 B
    #[arg(long, conflicts_with = "rgb")]
    grey: bool,
    /// Make all images colour, `[H,W,3]`
    #[arg(long)]
    rgb: bool,
    /// The colour behind transparent pixels and of padding: black, white, grey, or RRGGBB in hexadecimal digits [default:
    /// transparency is an error, padding is black]
    #[arg(long, value_name = "COLOUR", value_parser = colour)]
    background: Option<[u8; 3]>,
}

/// How a picture of other proportions becomes an image.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    Crop,
    Pad,
    Stretch,
}

/// An image: bytes `[H, W]` or `[H, W, 3]`.
pub(crate) struct Image {
    pub(crate) shape: ImageShape,
    pub(crate) pixels: Vec<u8>,
}

impl ConvertArgs {
    /// Converts a picture, and mirrors it if `flip`.
    pub(crate) fn convert(&self, picture: DynamicImage) -> Result<Image, String> {
        let has_alpha = picture.color().has_alpha();
        let is_grey = !picture.color().has_color();
        match (is_grey && !self.rgb, has_alpha) {
            (true, false) => Ok(self.finish(picture.into_luma8())),
            (false, false) if self.grey => Ok(self.finish(grey(&picture.into_rgb8()))),
            (false, false) => Ok(self.finish(picture.into_rgb8())),
            (to_grey, true) => {
                let colours = self.opaque(picture)?;
                Ok(if to_grey || self.grey { self.finish(grey(&colours)) } else { self.finish(colours) })
            }
        }
    }

    /// A picture in front of the background.
    fn opaque(&self, picture: DynamicImage) -> Result<RgbImage, String> {
        let picture = picture.into_rgba8();
        if picture.pixels().all(|pixel| pixel.0[3] == u8::MAX) {
            return Ok(DynamicImage::ImageRgba8(picture).into_rgb8());
        }
        let Some(background) = self.background else {
            return Err(
                "the picture has transparent pixels: expected --background with the colour behind them, such as white"
                    .into(),
            );
        };
        Ok(ImageBuffer::from_fn(picture.width(), picture.height(), |x, y| {
            let [r, g, b, alpha] = picture.get_pixel(x, y).0.map(u32::from);
            let mix = |front: u32, back: u8| ((front * alpha + u32::from(back) * (255 - alpha) + 127) / 255) as u8;
            Rgb([mix(r, background[0]), mix(g, background[1]), mix(b, background[2])])
        }))
    }

    fn finish<P: FromColour>(&self, picture: ImageBuffer<P, Vec<u8>>) -> Image {
        let background = P::from_colour(self.background.unwrap_or_default());
        let picture = match self.size {
            Some(size) if size != (picture.height(), picture.width()) => fit(picture, size, self.fit, background),
            _ => picture,
        };
        let (height, width) = (picture.height() as usize, picture.width() as usize);
        let shape = ImageShape { height, width, channels: usize::from(P::CHANNEL_COUNT) };
        Image { shape, pixels: picture.into_raw() }
    }
}

impl Image {
    /// The mirror image, left for right.
    pub(crate) fn mirrored(&self) -> Vec<u8> {
        let ImageShape { width, channels, .. } = self.shape;
        let rows = self.pixels.chunks_exact(width * channels);
        rows.flat_map(|row| row.chunks_exact(channels).rev().flatten().copied()).collect()
    }
}

/// Pixels that a colour can become.
trait FromColour: Pixel<Subpixel = u8> + 'static {
    fn from_colour(colour: [u8; 3]) -> Self;
}

impl FromColour for Luma<u8> {
    fn from_colour(colour: [u8; 3]) -> Luma<u8> {
        Luma([luma(colour)])
    }
}

impl FromColour for Rgb<u8> {
    fn from_colour(colour: [u8; 3]) -> Rgb<u8> {
        Rgb(colour)
    }
}

/// The brightness of a colour after ITU-R BT.601, in the fixed point of Pillow.
fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471 + 0x8000) >> 16) as u8
}

fn grey(picture: &RgbImage) -> GrayImage {
    ImageBuffer::from_fn(picture.width(), picture.height(), |x, y| Luma([luma(picture.get_pixel(x, y).0)]))
}

/// A picture in a size of height and width.
fn fit<P: FromColour>(
    picture: ImageBuffer<P, Vec<u8>>,
    (height, width): (u32, u32),
    fit: Fit,
    background: P,
) -> ImageBuffer<P, Vec<u8>> {
    let (h, w) = (picture.height(), picture.width());
    // The side that `of` has in the proportions of `to`, rounded, at least one pixel.
    let side = |of: u32, to: u32, by: u32| {
        ((2 * u64::from(of) * u64::from(to) + u64::from(by)) / (2 * u64::from(by))).max(1) as u32
    };
    let is_wider = u64::from(w) * u64::from(height) > u64::from(h) * u64::from(width);
    let resize = |picture: &ImageBuffer<P, Vec<u8>>, height, width| {
        imageops::resize(picture, width, height, FilterType::Triangle)
    };
    match fit {
        Fit::Stretch => resize(&picture, height, width),
        Fit::Crop => {
            let (ch, cw) =
                if is_wider { (h, side(h, width, height).min(w)) } else { (side(w, height, width).min(h), w) };
            let middle = imageops::crop_imm(&picture, (w - cw) / 2, (h - ch) / 2, cw, ch).to_image();
            resize(&middle, height, width)
        }
        Fit::Pad => {
            let (ph, pw) =
                if is_wider { (side(h, width, w).min(height), width) } else { (height, side(w, height, h).min(width)) };
            let mut padded = ImageBuffer::from_pixel(width, height, background);
            let (left, top) = (i64::from((width - pw) / 2), i64::from((height - ph) / 2));
            imageops::replace(&mut padded, &resize(&picture, ph, pw), left, top);
            padded
        }
    }
}

/// Parses HxW, as in 64x64.
fn size(text: &str) -> Result<(u32, u32), String> {
    let side = |text: &str| text.trim().parse().ok().filter(|side| (1..=1 << 13).contains(side));
    let sides = text.split_once(['x', ',']).and_then(|(height, width)| Some((side(height)?, side(width)?)));
    sides.ok_or_else(|| "expected height and width up to 8192, as in 64x64".to_owned())
}

/// Parses a colour.
fn colour(text: &str) -> Result<[u8; 3], String> {
    let digits = match text {
        "black" => "000000",
        "white" => "ffffff",
        "grey" | "gray" => "808080",
        text => text.strip_prefix('#').unwrap_or(text),
    };
    let number = u32::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 6 && !digits.starts_with('+'));
    let [_, r, g, b] = number.ok_or("expected black, white, grey or RRGGBB, as in ff8000")?.to_be_bytes();
    Ok([r, g, b])
}
