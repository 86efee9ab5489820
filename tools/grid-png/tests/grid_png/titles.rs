//! `--titles`: what is written, and that the images beneath stay as they are.

use std::fs;

use image::{GrayImage, imageops};
use ndarray::Array3;
use vae_stream::Tensor;

use super::{complaint, decode, main_frame, numbers, picture, preview, run_in, stream};

/// Grey images of 28 x 28.
pub(super) fn squares(count: usize) -> Tensor {
    Tensor::from_array(&Array3::from_elem((count, 28, 28), 100u8))
}

pub(super) fn labelled(labels: &[i64]) -> Vec<u8> {
    stream(&[main_frame(&[("x", squares(labels.len())), ("y", numbers(labels))])])
}

pub(super) fn part(picture: &GrayImage, (x, y): (u32, u32), (width, height): (u32, u32)) -> GrayImage {
    imageops::crop_imm(picture, x, y, width, height).to_image()
}

/// White as #, black as a dot.
pub(super) fn art(picture: &GrayImage) -> Vec<String> {
    let dot = |level: u8| match level {
        0 => '.',
        255 => '#',
        other => panic!("{other} is neither black nor white"),
    };
    picture.rows().map(|row| row.map(|pixel| dot(pixel.0[0])).collect()).collect()
}

/// What the picture is with its text taken off: `above` pixels over each of its rows of images, `left` pixels, and `top`.
fn bare(picture: &GrayImage, top: u32, left: u32, above: u32) -> GrayImage {
    let mut kept = Vec::new();
    for y in (top..picture.height()).filter(|y| (y - top) % (30 + above) >= 2 + above || (y - top) % (30 + above) < 2) {
        kept.extend((left..picture.width()).map(|x| picture.get_pixel(x, y).0[0]));
    }
    let width = picture.width() - left;
    GrayImage::from_raw(width, kept.len() as u32 / width, kept).unwrap()
}

/// A 7 and a 4 as titles.
const SEVEN_AND_FOUR: [&str; 7] = [
    "#####............................#.",
    "....#...........................##.",
    "...#...........................#.#.",
    "...#..........................#..#.",
    "..#...........................#####",
    ".#...............................#.",
    ".#...............................#.",
];

#[test]
fn titles_stand_in_the_middle_above_their_images() {
    let titled = picture("--titles y", labelled(&[7, 4]));
    assert_eq!(titled.dimensions(), (62, 44));
    assert_eq!(art(&part(&titled, (14, 5), (35, 7))), SEVEN_AND_FOUR);
    let ink = titled.pixels().filter(|pixel| pixel.0[0] == 255).count();
    assert_eq!(ink, SEVEN_AND_FOUR.concat().matches('#').count());
    assert_eq!(bare(&titled, 0, 0, 12), picture("", labelled(&[7, 4])));
}

#[test]
fn each_row_has_its_titles() {
    let titled = picture("--titles y --nrow 1", labelled(&[7, 7]));
    assert_eq!(titled.dimensions(), (32, 86));
    assert_eq!(part(&titled, (0, 2), (32, 40)), part(&titled, (0, 44), (32, 40)));
    assert_eq!(bare(&titled, 0, 0, 12), picture("--nrow 1", labelled(&[7, 7])));
}

#[test]
fn an_item_of_two_tensors_has_one_title() {
    let frame = main_frame(&[("x", squares(1)), ("x_hat", squares(1)), ("y", numbers(&[7]))]);
    let titled = picture("--tensor x --tensor x_hat --titles y", stream(&[frame]));
    assert_eq!(titled.dimensions(), (32, 74));
    let of_one = picture("--titles y", labelled(&[7, 7]));
    assert_eq!(part(&titled, (0, 0), (30, 42)), part(&of_one, (0, 0), (30, 42)));
    assert!(part(&titled, (0, 42), (32, 32)).pixels().all(|pixel| pixel.0[0] < 255));
}

#[test]
fn text_is_black_on_bright_padding() {
    let (dark, bright) =
        (picture("--titles y", labelled(&[7, 7])), picture("--titles y --pad-value 1", labelled(&[7, 7])));
    assert!(dark.pixels().zip(bright.pixels()).all(|(d, b)| d.0[0] == 100 && b.0[0] == 100 || d.0[0] == 255 - b.0[0]));
}

#[test]
fn text_grows_with_the_picture() {
    let (small, large) = (picture("--titles y", labelled(&[7, 4])), picture("--titles y --scale 3", labelled(&[7, 4])));
    assert_eq!(large.dimensions(), (62 * 3, 44 * 3));
    assert!(large.enumerate_pixels().all(|(x, y, pixel)| pixel == small.get_pixel(x / 3, y / 3)));
}

#[test]
fn titles_may_come_from_any_tensor_of_single_numbers() {
    let frame = |name, tensor| stream(&[main_frame(&[("x", squares(2)), (name, tensor)])]);
    let expected = picture("--titles y", labelled(&[7, 4]));
    assert_eq!(picture("--titles i", frame("i", numbers(&[7, 4]))), expected);
    assert_eq!(picture("--titles t", frame("t", Tensor::from_array(&ndarray::arr2(&[[7.0f32], [4.0]])))), expected);
    let halves = frame("t", Tensor::from_array(&ndarray::arr1(&[0.5f32, -12.34567])));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.txt"), "0.5\n-12.346\n").unwrap();
    let typed = run_in(folder.path(), "--titles t.txt", halves.clone());
    assert_eq!(picture("--titles t", halves), decode(&typed.stdout));
}

#[test]
fn titles_may_come_from_the_lines_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("names"), "7\r\n4\nand more").unwrap();
    let input = stream(&[main_frame(&[("x", squares(1))]), main_frame(&[("x", squares(1))])]);
    let output = run_in(folder.path(), "--titles ./names", input);
    assert_eq!(decode(&output.stdout), picture("--titles y", labelled(&[7, 4])));
}

#[test]
fn lines_belong_to_images_by_their_number_in_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.txt"), "no\n4\n7\n").unwrap();
    let frame = |class| main_frame(&[("x", squares(1)), ("y", numbers(&[class]))]);
    let output = run_in(folder.path(), "--titles t.txt --by y --transpose", stream(&[frame(9), frame(8), frame(3)]));
    let sorted = decode(&output.stdout);
    assert_eq!(part(&sorted, (0, 0), (62, 44)), part(&picture("--titles y", labelled(&[7, 4, 4])), (0, 0), (62, 44)));
}

#[test]
fn long_titles_get_a_smaller_font_and_then_more_room() {
    let of = |label| picture("--titles y", labelled(&[label, label])).dimensions();
    assert_eq!([of(1234), of(12345), of(123456), of(1234567)], [(62, 44), (62, 42), (62, 40), (66, 40)]);
    // The images stay in the middle, 28 wide, 32 apart.
    let wide = picture("--titles y", labelled(&[1234567, 1234567]));
    let grey: Vec<u32> = (0..66).filter(|&x| wide.get_pixel(x, 20).0[0] == 100).collect();
    assert_eq!(grey, (3..31).chain(35..63).collect::<Vec<u32>>());
}

#[test]
fn characters_without_a_shape_become_question_marks() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "é?\n?\u{2728}\n?\t").unwrap();
    fs::write(folder.path().join("b.txt"), b"\xc3\xa9?\n??\n??").unwrap();
    let run =
        |name: &str| run_in(folder.path(), &format!("--titles {name}"), stream(&[main_frame(&[("x", squares(3))])]));
    assert_eq!(decode(&run("a.txt").stdout), decode(&run("b.txt").stdout));
}

#[test]
fn classes_are_titled_at_the_head_of_their_rows_or_columns() {
    let input = labelled(&[4, 7, 4]);
    let rows = picture("--by y --titles y", input.clone());
    assert_eq!(rows.dimensions(), (70, 62));
    assert_eq!(bare(&rows, 0, 8, 0), picture("--by y", input.clone()));
    let four = SEVEN_AND_FOUR.map(|row| &row[30..]);
    assert_eq!(art(&part(&rows, (2, 13), (5, 7))), four);

    let columns = picture("--by y --titles y --transpose", input.clone());
    assert_eq!(columns.dimensions(), (62, 74));
    assert_eq!(bare(&columns, 12, 0, 0), picture("--by y --transpose", input));
    assert_eq!(art(&part(&columns, (14, 5), (5, 7))), four);
}

#[test]
fn a_lone_image_has_its_title_too() {
    assert_eq!(picture("--titles y", labelled(&[7])).dimensions(), (28, 40));
}

#[test]
fn groups_without_titles_are_passed_over() {
    let sample = preview("sample", 1, &[("x_hat", squares(2)), ("y", numbers(&[7, 4]))]);
    let input = stream(&[preview("recon", 1, &[("x", squares(1))]), sample]);
    assert_eq!(picture("--titles y", input), picture("--titles y", labelled(&[7, 4])));
}

#[test]
fn titles_that_are_not_there() {
    let message = complaint("--titles y", stream(&[main_frame(&[("x", squares(1))])]), 65);
    assert!(message.contains("expected x_hat or x with y, got main with x;"), "{message}");
    let message = complaint("--titles y.txt", labelled(&[1]), 66);
    assert!(message.contains("y.txt") && message.contains("a tensor's name"), "{message}");
}

#[test]
fn titles_that_are_no_single_numbers() {
    let message = complaint("--titles x", labelled(&[1]), 65);
    assert!(message.contains("tensor x: expected one number for each item, got items [28, 28]"), "{message}");
}

#[test]
fn fewer_lines_than_images() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.txt"), "one\ntwo\n").unwrap();
    let output = run_in(folder.path(), "--titles t.txt -o out.png", labelled(&[1, 2, 3]));
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(65));
    assert!(message.contains("t.txt: expected a title for every image, got 2 lines for image 3;"), "{message}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(run_in(folder.path(), "--titles t.txt --max 2", labelled(&[1, 2, 3])).status.success());
}

#[test]
fn titles_without_an_end_and_titles_too_long_to_draw() {
    assert!(complaint("--titles /dev/zero", labelled(&[1]), 65).contains("expected titles of at most 16777216 bytes"));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.txt"), "x".repeat(1_000_000)).unwrap();
    let output = run_in(folder.path(), "--titles t.txt -o out.png", labelled(&[1]));
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("shorten the titles"));
}

#[test]
fn titles_that_are_no_text_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, says) in [
        ("latin.txt", &b"z\xe9ro\n"[..], "latin.txt: expected text in UTF-8, got another byte at 1"),
        ("y.npy", b"\x93NUMPY\x01\0", "y.npy: expected lines of text, got a NumPy array (.npy); join it with vae-cat"),
    ] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        let output = run_in(folder.path(), &format!("--titles ./{name}"), labelled(&[1]));
        assert_eq!(output.status.code(), Some(65));
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(says), "{message}");
    }
}
