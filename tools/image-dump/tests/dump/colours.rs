//! Formats, bits, palettes, transparency, orientation.

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgb, Rgba};

use crate::util::*;

#[test]
fn all_formats_are_read() {
    let place = Place::new();
    for (k, format) in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP, ImageFormat::Jpeg]
        .into_iter()
        .enumerate()
    {
        place.write(format!("{k}"), &encode(&colour(8, 8, [10, 200, 90]), format));
    }
    let dump = place.dump(".");
    assert_eq!((dump.shape, dump.i.len()), (vec![8, 8, 3], 5));
    let near = |pixel: &[u8]| pixel.iter().zip([10u8, 200, 90]).all(|(a, b)| a.abs_diff(b) <= 2);
    assert!(dump.x.chunks(3).all(near), "{:?}", &dump.x[4 * 192..][..3]);
}

#[test]
fn sixteen_bits_become_eight() {
    let place = Place::new();
    let grey: ImageBuffer<Luma<u16>, Vec<u16>> = ImageBuffer::from_pixel(1, 1, Luma([200 * 257]));
    place.write("a.png", &png(&DynamicImage::ImageLuma16(grey)));
    assert_eq!(place.dump("a.png").x, [200]);
    let colour: ImageBuffer<Rgb<u16>, Vec<u16>> = ImageBuffer::from_pixel(1, 1, Rgb([257, 128, 65535]));
    place.write("b.png", &png(&DynamicImage::ImageRgb16(colour)));
    assert_eq!(place.dump("b.png").x, [1, 0, 255]);
}

#[test]
fn grey_is_the_brightness_that_pillow_gives() {
    let place = Place::new();
    for (k, rgb) in [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [12, 34, 56]].into_iter().enumerate() {
        place.write(format!("{k}.png"), &png(&colour(1, 1, rgb)));
    }
    assert_eq!(place.dump(". --grey").x, [76, 150, 29, 255, 30]); // Image.new("RGB", (1, 1), rgb).convert("L")
}

#[test]
fn grey_pictures_become_colour_with_rgb() {
    let place = Place::with(&[("1.png", 7)]);
    place.write("2.png", &png(&colour(1, 1, [1, 2, 3])));
    assert_eq!(place.dump(". --rgb").x, [7, 7, 7, 1, 2, 3]);
    assert_eq!(place.dump(". --grey").x, [7, 2]);
    place.refuses(65, ".", &["2.png", "expected grey", "1.png", "--grey or --rgb"]);
}

#[test]
fn transparent_pixels_need_a_background() {
    let place = Place::new();
    let picture = ImageBuffer::from_fn(2, 1, |x, _| Rgba([100, 0, 200, if x == 0 { 0 } else { 128 }]));
    place.write("a.png", &png(&DynamicImage::ImageRgba8(picture)));
    place.refuses(65, ".", &["a.png", "transparent", "--background"]);
    assert_eq!(place.dump(". --background white").x, [255, 255, 255, 177, 127, 227]);
    assert_eq!(place.dump(". --background 00ff00").x, [0, 255, 0, 50, 127, 100]);
    let opaque = ImageBuffer::from_pixel(1, 1, Rgba([1, 2, 3, 255]));
    place.write("a.png", &png(&DynamicImage::ImageRgba8(opaque)));
    assert_eq!(place.dump(".").x, [1, 2, 3]);
}

#[test]
fn a_palette_gives_its_colours() {
    // A PNG with one pixel, number 1 of two colours.
    let place = Place::new();
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let body = [&kind[..], data].concat();
        [&(data.len() as u32).to_be_bytes()[..], &body, &crc32(&body).to_be_bytes()].concat()
    };
    let header = [0, 0, 0, 1, 0, 0, 0, 1, 8, 3, 0, 0, 0];
    let data = [0x78, 0x01, 0x01, 2, 0, 0xfd, 0xff, 0, 1, 0, 3, 0, 2]; // zlib, stored: filter 0, index 1
    let chunks =
        [chunk(b"IHDR", &header), chunk(b"PLTE", &[9, 9, 9, 10, 20, 30]), chunk(b"IDAT", &data), chunk(b"IEND", &[])];
    place.write("a.png", &[b"\x89PNG\r\n\x1a\n".to_vec(), chunks.concat()].concat());
    assert_eq!(place.dump(".").x, [10, 20, 30]);
}

/// A JPEG of 16 x 8 pixels, the left half black and the right half white, with a segment behind its start.
fn jpeg(marker: u8, segment: &[u8]) -> Vec<u8> {
    let picture = ImageBuffer::from_fn(16, 8, |x, _| Luma([if x < 8 { 0u8 } else { 255 }]));
    let bytes = encode(&DynamicImage::ImageLuma8(picture), ImageFormat::Jpeg);
    let length = (segment.len() as u16 + 2).to_be_bytes();
    [&bytes[..2], &[0xff, marker], &length, segment, &bytes[2..]].concat()
}

#[test]
fn pictures_are_turned_upright_as_exif_says() {
    let place = Place::new();
    // One entry: tag 0x112, type 3, count 1, orientation 6: the camera was turned to the left.
    let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    place.write("a.jpg", &jpeg(0xe1, exif));
    let dump = place.dump(".");
    assert_eq!(dump.shape, [16, 8]);
    assert!(dump.x[0] < 10 && dump.x[7] < 10 && dump.x[8 * 15] > 245, "{:?}", dump.x);
}

#[test]
fn a_colour_profile_is_ignored_which_is_said_once() {
    let place = Place::new();
    for name in ["a.jpg", "b.jpg"] {
        place.write(name, &jpeg(0xe2, b"ICC_PROFILE\0\x01\x01profile"));
    }
    let (dump, messages) = place.dump_and_messages(".");
    assert_eq!(dump.i, [0, 1]);
    assert!(messages.contains("ICC") && messages.lines().count() == 1, "{messages}");
}
