//! Drawings as PNG.

use std::error::Error;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, ImageFormat, RgbImage, imageops};
use kuva::backend::raster::RasterBackend;
use kuva::render::render::{Primitive, Scene};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Rasterises a scene at one pixel per unit of length.
///
/// kuva antialiases horizontal text but not vertical text, the labels of y axes. So vertical text is rasterised
/// horizontally in a scene of its own, rotated, and composed with the rest by the darker pixel.
pub(crate) fn encode(mut scene: Scene) -> Result<Vec<u8>> {
    let mut vertical = Scene::new(scene.height, scene.width);
    let mut origins = vec![(0.0, 0.0)];
    scene.elements.retain_mut(|element| {
        let (left, top) = origins.last().copied().unwrap_or_default();
        match element {
            Primitive::GroupStart { transform, .. } => {
                let (dx, dy) = transform.as_deref().and_then(translation).unwrap_or_default();
                origins.push((left + dx, top + dy));
            }
            Primitive::GroupEnd => drop(origins.pop()),
            Primitive::Text { x, y, rotate, .. } if *rotate == Some(-90.0) => {
                (*x, *y, *rotate) = (vertical.width - (top + *y), left + *x, None);
                vertical.add(std::mem::replace(element, Primitive::GroupEnd));
                return false;
            }
            _ => {}
        }
        true
    });
    let mut picture = pixels(&scene)?;
    let vertical = imageops::rotate270(&pixels(&vertical)?);
    for (pixel, ink) in picture.pixels_mut().zip(vertical.pixels()) {
        pixel.0.iter_mut().zip(ink.0).for_each(|(level, ink)| *level = (*level).min(ink));
    }
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::NoFilter).write_image(
        picture.as_raw(),
        picture.width(),
        picture.height(),
        ExtendedColorType::Rgb8,
    )?;
    Ok(png)
}

/// The origin of a group: `translate(x,y)`.
fn translation(transform: &str) -> Option<(f64, f64)> {
    let (x, y) = transform.strip_prefix("translate(")?.strip_suffix(')')?.split_once(',')?;
    Some((x.trim().parse().ok()?, y.trim().parse().ok()?))
}

fn pixels(scene: &Scene) -> Result<RgbImage> {
    let png = RasterBackend::new().with_scale(1.0).render_scene(scene)?;
    Ok(image::load_from_memory_with_format(&png, ImageFormat::Png)?.into_rgb8())
}
