//! torchvision's `make_grid` and the rounding of its `save_image`, pixel for pixel.
//!
//! T: tensors of an item (interleaved rows); H, W: size of an image.

use std::ops::RangeInclusive;
use std::sync::Once;

use image::{ImageBuffer, Pixel};
use ndarray::{Array3, ArrayViewMut, Dimension};
use vae_cli::{Error, Result};
use vae_stream::images::DARK;

use crate::layout::Layout;
use crate::options::GridOptions;
use crate::page::Page;

/// Draws the images of a page, at least one, whose pixels have the channels of P.
pub(crate) fn draw<P: Pixel<Subpixel = u8>>(
    page: &mut Page,
    options: &GridOptions,
    layout: &Layout,
) -> Result<ImageBuffer<P, Vec<u8>>> {
    if options.normalize {
        let range = options.range.map(|range| levels(range, page.is_bytes));
        normalize(&mut page.images, range, options.scale_each)?;
    } else {
        tell_levels(&page.images, page.is_bytes);
    }
    let channels = page.channels;
    let padding = vec![to_byte(options.pad_value); channels];
    let mut picture = ImageBuffer::from_pixel(layout.width, layout.height, *P::from_slice(&padding));
    let cells = page.cells.positions();
    for (t, images) in page.images.iter().enumerate() {
        for (image, &cell) in images.outer_iter().zip(&cells) {
            let (left, top) = layout.image_origin(cell, t);
            for (y, row) in image.outer_iter().enumerate() {
                let bytes: Vec<u8> = row.iter().map(|value| to_byte(*value)).collect();
                for (x, pixel) in bytes.chunks_exact(channels).enumerate() {
                    picture.put_pixel(left + x as u32, top + y as u32, *P::from_slice(pixel));
                }
            }
        }
    }
    Ok(picture)
}

/// Says once that pixels far from [0, 1] lose their differences, and that few levels of bytes are nearly black.
fn tell_levels(tensors: &[Array3<f32>], is_bytes: bool) {
    /// A draw of a pixel may lie a little beyond its mean.
    const NEAR: RangeInclusive<f64> = -0.5..=1.5;
    static TOLD: Once = Once::new();
    /// Pixels that say something of all images, at least.
    const MANY: usize = 256;
    let (low, high) = extremes(tensors.iter().flatten().filter(|v| v.is_finite()));
    let brightest = (high * 255.0).round();
    let pixels: usize = tensors.iter().map(Array3::len).sum();
    let message = if is_bytes && pixels >= MANY && (2.0..=f64::from(DARK)).contains(&brightest) {
        format!(
            "the brightest byte is {brightest}, and white is 255: these images are nearly black; --normalize --range \
             0,{brightest} shows them"
        )
    } else if low < high && !(NEAR.contains(&low) && NEAR.contains(&high)) {
        format!(
            "pixels from {low} to {high} are drawn as if they ended at 0 and 1; --normalize --range {low},{high} shows \
             them all"
        )
    } else if tensors.iter().flatten().any(|v| v.is_infinite()) {
        "infinite pixels are drawn as black and white".to_owned()
    } else {
        return;
    };
    TOLD.call_once(|| vae_cli::tell(&message));
}

/// The range of --range in levels from 0 to 1. That of bytes may be in their units.
fn levels((low, high): (f64, f64), is_bytes: bool) -> (f64, f64) {
    if is_bytes && high > 1.0 { (low / 255.0, high / 255.0) } else { (low, high) }
}

/// `norm_range`: over all images, or over each.
fn normalize(tensors: &mut [Array3<f32>], range: Option<(f64, f64)>, scale_each: bool) -> Result<()> {
    if scale_each {
        for mut image in tensors.iter_mut().flat_map(|images| images.outer_iter_mut()) {
            let (low, high) = match range {
                Some(range) => range,
                None => finite(extremes(image.iter()))?,
            };
            stretch(&mut image, low, high);
        }
    } else {
        let (low, high) = match range {
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
        "cannot normalize infinite pixels: expected finite values, got {low} to {high}; add --range MIN,MAX"
    )))
}

/// `norm_ip`, with its roundings: the span is f64, the rest f32.
fn stretch<D: Dimension>(pixels: &mut ArrayViewMut<f32, D>, low: f64, high: f64) {
    let span = (high - low).max(1e-5) as f32;
    let (low, high) = (low as f32, high as f32);
    pixels.mapv_inplace(|v| (v.clamp(low, high) - low) / span);
}

/// `save_image`: the nearest of 256 levels, clamped.
pub(crate) fn to_byte(value: f32) -> u8 {
    (value * 255.0 + 0.5).clamp(0.0, 255.0) as u8
}

/// Enlarges each pixel to a square.
pub(crate) fn enlarge<P: Pixel + 'static>(
    picture: ImageBuffer<P, Vec<P::Subpixel>>,
    scale: u32,
) -> ImageBuffer<P, Vec<P::Subpixel>> {
    match scale {
        1 => picture,
        n => ImageBuffer::from_fn(picture.width() * n, picture.height() * n, |x, y| *picture.get_pixel(x / n, y / n)),
    }
}
