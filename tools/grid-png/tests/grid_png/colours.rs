//! `--colormap`.

use std::path::Path;

use image::{ColorType, GrayImage, RgbImage};

use super::{dots, main_frame, picture, run_in, stream};

fn coloured(arguments: &str, input: Vec<u8>) -> RgbImage {
    let output = run_in(Path::new("."), arguments, input);
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    let picture = image::load_from_memory(&output.stdout).unwrap();
    assert_eq!(picture.color(), ColorType::Rgb8);
    picture.into_rgb8()
}

fn levels() -> Vec<u8> {
    stream(&[main_frame(&[("x", dots(&[0, 64, 128, 192, 255]))])])
}

#[test]
fn levels_take_the_colours_of_the_map() {
    let picture = coloured("--padding 0 --colormap viridis", levels());
    let pixels: Vec<[u8; 3]> = picture.pixels().map(|pixel| pixel.0).collect();
    assert_eq!(pixels, [[68, 1, 84], [58, 82, 139], [32, 145, 140], [94, 201, 97], [253, 231, 37]]);
}

#[test]
fn padding_is_coloured_like_the_level_it_stands_for() {
    let picture = coloured("--padding 1 --colormap viridis --pad-value 1", levels());
    assert_eq!(picture.get_pixel(0, 0).0, [253, 231, 37]);
    assert_eq!(coloured("--padding 1 --colormap viridis", levels()).get_pixel(0, 0).0, [68, 1, 84]);
}

#[test]
fn a_name_may_be_reversed_and_in_any_case() {
    let reversed = coloured("--padding 0 --colormap VIRIDIS_R", levels());
    assert_eq!(reversed.get_pixel(0, 0).0, [253, 231, 37]);
    assert_eq!(reversed.get_pixel(4, 0).0, [68, 1, 84]);
}

#[test]
fn gray_is_what_there_is_without_the_option() {
    let of = |arguments| run_in(Path::new("."), arguments, levels()).stdout;
    assert_eq!(of("--colormap gray"), of(""));
}

#[test]
fn normalize_and_scale_come_before_and_after() {
    let input = stream(&[main_frame(&[("x", dots(&[10, 20]))])]);
    let picture = coloured("--padding 0 --normalize --colormap magma --scale 2", input);
    assert_eq!(picture.dimensions(), (4, 2));
    assert_eq!((picture.get_pixel(1, 1).0, picture.get_pixel(2, 0).0), ([0, 0, 4], [252, 253, 191]));
}

#[test]
fn coloured_pictures_differ_from_grey_ones_in_colour_alone() {
    let grey: GrayImage = picture("--nrow 2 --titles i --suptitle {group}", with_indices());
    let colours = coloured("--nrow 2 --titles i --suptitle {group} --colormap Greys_r", with_indices());
    // The ends of this map are black and white, as those of the levels are.
    assert_eq!(colours.dimensions(), grey.dimensions());
    for (grey, coloured) in grey.pixels().zip(colours.pixels()) {
        assert_eq!([grey.0[0]; 3], coloured.0);
    }
}

fn with_indices() -> Vec<u8> {
    stream(&[main_frame(&[("x", dots(&[0, 255, 255])), ("i", super::numbers(&[7, 8, 9]))])])
}

#[test]
fn an_unknown_name_is_a_usage_error_that_suggests_the_nearest() {
    let output = run_in(Path::new("."), "--colormap virdis", levels());
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(message.contains("tip: a similar value exists: 'viridis'"), "{message}");
    assert!(message.contains("BuGn, "), "{message}");
}
