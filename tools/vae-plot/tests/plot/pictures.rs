//! Kinds and sizes of pictures, and where they go.

use std::fs;

use image::{ImageFormat, RgbImage};

use super::{folder, latents, log, points, run};

fn decode(png: &[u8]) -> RgbImage {
    image::load_from_memory_with_format(png, ImageFormat::Png).expect("a PNG").into_rgb8()
}

#[test]
fn a_png_has_the_size_asked_for_and_so_has_an_svg() {
    let folder = folder(&[]);
    let y: Vec<u8> = (0..30).map(|n| n % 10).collect();
    for (command, input) in [("loss", log(9).into_bytes()), ("latent", latents(&points(30, 3), Some(&y)))] {
        for (width, height) in [(600, 200), (333, 777), (100, 100), (2001, 999)] {
            let size = format!("{command} --size {width}x{height}");
            let output = run(folder.path(), &size, &input);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(decode(&output.stdout).dimensions(), (width, height), "{size}");
            run(folder.path(), &format!("{size} -o out.svg"), &input);
            let svg = fs::read_to_string(folder.path().join("out.svg")).unwrap();
            assert!(svg.contains(&format!(r#"width="{width}" height="{height}""#)), "{size}: {}", &svg[..100]);
        }
    }
}

#[test]
fn the_end_of_the_name_chooses_the_kind() {
    let folder = folder(&[]);
    for (name, start) in
        [("a.png", &b"\x89PNG"[..]), ("a.PNG", b"\x89PNG"), ("a", b"\x89PNG"), ("a.svg", b"<svg"), ("a.SVG", b"<svg")]
    {
        let output = run(folder.path(), &format!("loss -o {name}"), log(3).as_bytes());
        assert!(output.status.success() && output.stdout.is_empty(), "{name}");
        assert!(fs::read(folder.path().join(name)).unwrap().starts_with(start), "{name}");
    }
}

#[test]
fn the_same_picture_has_the_same_bytes() {
    let folder = folder(&[]);
    let picture = || run(folder.path(), "loss", log(9).as_bytes()).stdout;
    assert_eq!(picture(), picture());
}

#[test]
fn the_names_of_upright_axes_are_drawn_and_smooth() {
    let folder = folder(&[]);
    let picture = decode(&run(folder.path(), "loss --show loss", log(9).as_bytes()).stdout);
    // Left of the numbers at the axis there is nothing but the name.
    let name: Vec<u8> = picture.enumerate_pixels().filter(|(x, ..)| *x < 60).map(|(.., pixel)| pixel.0[0]).collect();
    let [dark, between] = [0..64, 64..192].map(|range| name.iter().filter(|level| range.contains(*level)).count());
    assert!(dark > 300 && between > 300, "{dark} dark pixels and {between} between");
}

#[test]
fn points_are_drawn_in_their_colours() {
    let folder = folder(&[]);
    let y: Vec<u8> = (0..30).map(|n| n % 10).collect();
    let picture = decode(&run(folder.path(), "latent", &latents(&points(30, 2), Some(&y))).stdout);
    // In the legend they are opaque.
    for colour in [[0x3f, 0x90, 0xda], [0xff, 0xa9, 0x0e], [0x92, 0xda, 0xdd]] {
        assert!(picture.pixels().filter(|pixel| pixel.0 == colour).count() > 50, "{colour:?}");
    }
}
