//! torchvision's `make_grid` and the rounding of its `save_image`, pixel for pixel.
//!
//! Legend: T tensors (the rows that are interleaved), H x W the size of an image.

use image::{GrayImage, ImageBuffer, Luma, Pixel};
use ndarray::{Array3, ArrayViewMut, Dimension};
use vae_cli::{Error, Result};

use crate::colormap::Colormap;
use crate::page::Page;
use crate::plan::Plan;

/// How images become a picture; `make_grid`'s arguments, and an enlargement.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Look {
    /// Images in a row (with --by, of a class at most)
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) nrow: u32,
    /// Pixels around each image (a lone image has none, as in torchvision)
    #[arg(long, value_name = "PIXELS", default_value_t = 2)]
    pub(crate) padding: u32,
    /// Brightness of the padding, from 0 to 1
    #[arg(long, value_name = "VALUE", default_value_t = 0.0)]
    pub(crate) pad_value: f32,
    /// Stretch the brightness of all images together to 0..1
    #[arg(long)]
    pub(crate) normalize: bool,
    /// What --normalize takes for black and white (torchvision: value_range) [default: the darkest and brightest pixel]
    #[arg(long, value_name = "MIN,MAX", value_parser = range, allow_hyphen_values = true, requires = "normalize")]
    pub(crate) range: Option<(f64, f64)>,
    /// Let --normalize stretch each image by itself
    #[arg(long, requires = "normalize")]
    pub(crate) scale_each: bool,
    /// Enlarge the finished picture N times, each pixel a square
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) scale: u32,
    /// Let rows be columns: --nrow is then the images in a column, and with --by each class is a column
    #[arg(long)]
    pub(crate) transpose: bool,
    /// Colours for the levels, by matplotlib's names, padding included; NAME_r is the reverse
    #[arg(long, value_name = "NAME", default_value = "gray", value_parser = Colormap::parser(), ignore_case = true)]
    pub(crate) colormap: Colormap,
}

/// Draws the images of a page, at least one, as levels from black to white.
pub(crate) fn draw(page: &mut Page, look: &Look, plan: &Plan) -> Result<GrayImage> {
    if look.normalize {
        normalize(&mut page.images, look)?;
    }
    let mut picture = GrayImage::from_pixel(plan.width, plan.height, Luma([to_byte(look.pad_value)]));
    let places = page.places.each();
    for (t, images) in page.images.iter().enumerate() {
        for (image, &place) in images.outer_iter().zip(&places) {
            let (left, top) = plan.image(place, t);
            for ((y, x), &value) in image.indexed_iter() {
                picture.put_pixel(left + x as u32, top + y as u32, Luma([to_byte(value)]));
            }
        }
    }
    Ok(picture)
}

/// `norm_range`: over everything that is shown, or over each image.
fn normalize(tensors: &mut [Array3<f32>], look: &Look) -> Result<()> {
    if look.scale_each {
        for mut image in tensors.iter_mut().flat_map(|images| images.outer_iter_mut()) {
            let (low, high) = match look.range {
                Some(range) => range,
                None => finite(extremes(image.iter()))?,
            };
            stretch(&mut image, low, high);
        }
    } else {
        let (low, high) = match look.range {
            Some(range) => range,
            None => finite(extremes(tensors.iter().flatten()))?,
        };
        tensors.iter_mut().for_each(|images| stretch(&mut images.view_mut(), low, high));
    }
    Ok(())
}

fn extremes<'a>(pixels: impl Iterator<Item = &'a f32>) -> (f64, f64) {
    let (low, high) = pixels.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
    (low.into(), high.into())
}

fn finite((low, high): (f64, f64)) -> Result<(f64, f64)> {
    if low.is_finite() && high.is_finite() {
        return Ok((low, high));
    }
    Err(Error::Data(format!(
        "cannot normalize infinite pixels: expected finite values, got {low} to {high}; name a --range MIN,MAX"
    )))
}

/// `norm_ip`, with its roundings: the span is taken in f64, the rest is f32.
fn stretch<D: Dimension>(pixels: &mut ArrayViewMut<f32, D>, low: f64, high: f64) {
    let span = (high - low).max(1e-5) as f32;
    let (low, high) = (low as f32, high as f32);
    pixels.mapv_inplace(|v| (v.clamp(low, high) - low) / span);
}

/// `save_image`: the nearest of 256 levels, out of range clamped.
pub(crate) fn to_byte(value: f32) -> u8 {
    (value * 255.0 + 0.5).clamp(0.0, 255.0) as u8
}

/// Each pixel a square.
pub(crate) fn enlarge<P: Pixel + 'static>(
    picture: ImageBuffer<P, Vec<P::Subpixel>>,
    scale: u32,
) -> ImageBuffer<P, Vec<P::Subpixel>> {
    match scale {
        1 => picture,
        n => ImageBuffer::from_fn(picture.width() * n, picture.height() * n, |x, y| *picture.get_pixel(x / n, y / n)),
    }
}

fn range(text: &str) -> Result<(f64, f64), String> {
    let number = |part: &str| part.trim().parse().ok().filter(|v: &f64| (*v as f32).is_finite());
    text.split_once(',')
        .and_then(|(low, high)| Some((number(low)?, number(high)?)))
        .filter(|(low, high)| low < high)
        .ok_or_else(|| "expected MIN,MAX with MIN below MAX, for example -1,1".into())
}
