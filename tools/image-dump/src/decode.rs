//! Pictures from bytes in PNG, JPEG, WebP, BMP and TIFF, upright.

use std::borrow::Cow;
use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use vae_stream::Foreign;

use crate::cifar::SIDE;
use crate::jpeg::Segments;

/// Bytes of an unpacked picture at most.
pub(crate) const MAX_BYTES: u64 = 512 << 20;

const FORMATS: [(ImageFormat, &str); 5] = [
    (ImageFormat::Png, "PNG"),
    (ImageFormat::Jpeg, "JPEG"),
    (ImageFormat::WebP, "WebP"),
    (ImageFormat::Bmp, "BMP"),
    (ImageFormat::Tiff, "TIFF"),
];

/// A picture, turned upright as its EXIF data says, and whether it had a colour profile, which is ignored.
pub(crate) struct Decoded {
    pub(crate) image: DynamicImage,
    pub(crate) has_profile: bool,
}

/// Decodes a picture of so many bytes at most. Nothing is allocated before its size has been compared with that.
pub(crate) fn decode(bytes: &[u8], most: u64) -> Result<Decoded, String> {
    let guess = image::guess_format(bytes).ok();
    let Some((format, name)) = FORMATS.iter().find(|(format, _)| Some(*format) == guess) else {
        return Err(foreign(bytes));
    };
    let segments = match format {
        ImageFormat::Jpeg => Segments::of(bytes),
        ImageFormat::WebP => Segments { is_complete: is_whole_riff(bytes), ..Segments::ANY },
        _ => Segments::ANY,
    };
    let cannot = |e: ImageError| match e {
        ImageError::Limits(_) => too_large(most, None),
        ImageError::Unsupported(e) => format!("a {name} picture of a kind that is not read ({e}); convert it"),
        e => format!("a damaged {name} picture ({}); copy it anew", innermost(&e)),
    };
    if !segments.is_complete {
        return Err(format!("a damaged {name} picture (it is cut off before its end); copy it anew"));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), *format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(most);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(cannot)?;
    if decoder.total_bytes() > most {
        return Err(too_large(most, Some(decoder.dimensions())));
    }
    let has_profile = segments.has_profile && decoder.icc_profile().is_ok_and(|profile| profile.is_some());
    let orientation = if segments.has_exif { decoder.orientation().ok() } else { None };
    let mut image = DynamicImage::from_decoder(decoder).map_err(cannot)?;
    image.apply_orientation(orientation.unwrap_or(Orientation::NoTransforms));
    Ok(Decoded { image, has_profile })
}

/// An image of CIFAR: [3, 32, 32] bytes.
pub(crate) fn planes(bytes: &[u8]) -> Decoded {
    let plane = (SIDE * SIDE) as usize;
    let pixels = (0..plane).flat_map(|at| [bytes[at], bytes[plane + at], bytes[2 * plane + at]]).collect();
    let image = ImageBuffer::from_raw(SIDE, SIDE, pixels).expect("three planes");
    Decoded { image: DynamicImage::ImageRgb8(image), has_profile: false }
}

/// Whether a RIFF file has as many bytes as it says; its decoder does without the last.
fn is_whole_riff(bytes: &[u8]) -> bool {
    let length = bytes.get(4..).and_then(|rest| rest.first_chunk()).map(|length| u32::from_le_bytes(*length));
    length.is_some_and(|length| bytes.len() as u64 >= 8 + u64::from(length))
}

fn too_large(most: u64, size: Option<(u32, u32)>) -> String {
    let got = size.map_or("more".to_owned(), |(width, height)| format!("{height} x {width}"));
    format!("expected a picture of at most {} MB of pixels, got {got}; make it smaller", most >> 20)
}

/// The message about a file that is no picture, or one in another format.
fn foreign(bytes: &[u8]) -> String {
    let got = Foreign::of(bytes);
    let remedy: Cow<str> = match got {
        Foreign::Picture("HEIC" | "AVIF") => "; convert it, say with heif-convert".into(),
        Foreign::Picture(_) | Foreign::Pdf => "; convert it, say with ImageMagick".into(),
        Foreign::Archive { .. } => "; name an archive itself, or unpack it".into(),
        _ => vae_cli::remedy::stand_in(&got).unwrap_or_default(),
    };
    let names = FORMATS.map(|(_, name)| name).join(", ");
    format!("expected a picture ({names}), got {got}{remedy}")
}

/// The last cause of an error, which says what is wrong.
fn innermost(error: &ImageError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
