//! Sizes: crop, pad and stretch.

use image::{DynamicImage, GrayImage, Luma};

use crate::util::*;

/// A folder with a picture whose pixels are these.
fn place(width: u32, pixels: &[u8]) -> Place {
    let place = Place::new();
    let picture = GrayImage::from_raw(width, pixels.len() as u32 / width, pixels.to_vec()).unwrap();
    place.write("a.png", &png(&picture.into()));
    place
}

#[test]
fn crop_takes_the_middle() {
    let place = place(4, &[1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(place.dump(". --size 2x2").x, [2, 3, 6, 7]);
}

#[test]
fn pad_keeps_all_on_the_background() {
    let place = place(4, &[8; 8]);
    let dump = place.dump(". --size 4x4 --fit pad");
    assert_eq!((dump.shape, dump.x), (vec![4, 4], [[0; 4], [8; 4], [8; 4], [0; 4]].concat()));
    assert_eq!(place.dump(". --size 4x4 --fit pad --background white").x[..4], [255; 4]);
}

#[test]
fn stretch_averages_where_it_shrinks() {
    let place = place(4, &[0, 0, 100, 100, 0, 0, 100, 100]);
    let dump = place.dump(". --size 1x2 --fit stretch");
    assert!(dump.x[0] < 20 && dump.x[1] > 80 && dump.x[0] + dump.x[1] == 100, "{:?}", dump.x);
}

#[test]
fn a_picture_of_the_size_keeps_its_pixels_and_others_meet_it() {
    let place = place(2, &[1, 255, 3, 4]);
    place.write("b.png", &png(&grey(5, 9, 77)));
    assert_eq!(place.dump(". --size 2x2").x, [1, 255, 3, 4, 77, 77, 77, 77]);
}

#[test]
fn a_narrow_picture_keeps_a_pixel() {
    let line = GrayImage::from_pixel(1000, 1, Luma([9]));
    let place = Place::new();
    place.write("a.png", &png(&DynamicImage::ImageLuma8(line)));
    for fit in ["crop", "pad", "stretch"] {
        assert!(place.dump(&format!(". --size 3x2 --fit {fit}")).x.contains(&9), "{fit}");
    }
}
