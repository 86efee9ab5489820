//! What is shown of a stream without epochs.

use std::io::Write;
use std::process::Stdio;

use ndarray::{Array, Array3};
use vae_stream::{Frame, Tensor};

use super::{
    complaint, dots, dots_f32, main_frame, picture, picture_and_words, preview, program, rows, run_in, stream,
};

#[test]
fn x_hat_is_shown_rather_than_x() {
    let input = stream(&[main_frame(&[("x", dots(&[1, 2])), ("x_hat", dots_f32(&[3, 4]))])]);
    assert_eq!(rows(&picture("--padding 0", input.clone())), [[3, 4]]);
    assert_eq!(rows(&picture("--padding 0 --tensor x", input)), [[1, 2]]);
}

#[test]
fn rows_of_several_tensors_alternate() {
    let input = stream(&[
        main_frame(&[("x", dots(&[1, 2])), ("x_hat", dots_f32(&[11, 12]))]),
        main_frame(&[("x", dots(&[3, 4, 5])), ("x_hat", dots_f32(&[13, 14, 15]))]),
    ]);
    let picture = picture("--tensor x --tensor x_hat --nrow 3 --padding 0 --pad-value 1", input.clone());
    assert_eq!(rows(&picture), [[1, 2, 3], [11, 12, 13], [4, 5, 255], [14, 15, 255]]);
    let picture = super::picture("--tensor x --tensor x_hat --nrow 3 --padding 0 --max 3", input);
    assert_eq!(rows(&picture), [[1, 2, 3], [11, 12, 13]]);
}

#[test]
fn one_item_of_two_tensors_is_padded_like_two_images() {
    let input = stream(&[main_frame(&[("x", dots(&[7])), ("x_hat", dots(&[8]))])]);
    let picture = picture("--tensor x --tensor x_hat --padding 1", input);
    assert_eq!(rows(&picture), [[0, 0, 0], [0, 7, 0], [0, 0, 0], [0, 8, 0], [0, 0, 0]]);
}

#[test]
fn the_most_items_are_64_unless_told_and_0_shows_all() {
    let levels: Vec<u8> = (0..100).collect();
    let input = stream(&[main_frame(&[("x", dots(&levels))]), main_frame(&[("x", dots(&levels))])]);
    assert_eq!(picture("--padding 0", input.clone()).dimensions(), (8, 8));
    assert_eq!(picture("--padding 0 --max 120 --nrow 10", input.clone()).dimensions(), (10, 12));
    assert_eq!(picture("--padding 0 --max 0 --nrow 10", input).dimensions(), (10, 20));
}

#[test]
fn the_finished_picture_is_enlarged() {
    let input = stream(&[main_frame(&[("x", dots(&[1, 2]))])]);
    let enlarged = picture("--padding 1 --pad-value 1 --scale 2", input);
    let row = [255, 255, 1, 1, 255, 255, 2, 2, 255, 255];
    assert_eq!(rows(&enlarged), [[255; 10], [255; 10], row, row, [255; 10], [255; 10]]);
}

#[test]
fn what_lies_outside_0_to_1_is_clamped_and_so_is_infinity_which_is_said() {
    let values = [-0.5, 1.5, f32::INFINITY, f32::NEG_INFINITY]; // near enough to say nothing
    let images = Tensor::from_array(&Array::from_iter(values).to_shape((4, 1, 1)).unwrap());
    let (clamped, said) = picture_and_words("--padding 0", stream(&[main_frame(&[("x_hat", images)])]));
    assert_eq!(rows(&clamped), [[0, 255, 255, 0]]);
    assert_eq!(said, "grid-png: infinite pixels are drawn as black and white\n");
}

#[test]
fn flat_images_are_of_the_size_of_image_or_taken_for_square_ones_and_that_is_said() {
    let images = Tensor::from_array(&Array::from_iter(0..8u8).to_shape((2, 4)).unwrap());
    for input in [images.bytes().to_vec(), stream(&[main_frame(&[("x", images)])])] {
        let (square, said) = picture_and_words("--padding 0", input.clone());
        assert_eq!(rows(&square), [[0, 1, 4, 5], [2, 3, 6, 7]]);
        assert!(said.contains("x: items of 4 values are read as images of 2 x 2; --image"), "{said}");
        assert_eq!(rows(&picture("--padding 0 --image 1x4 --nrow 1", input)), [[0, 1, 2, 3], [4, 5, 6, 7]]);
    }
}

#[test]
fn a_square_array_is_one_image_and_that_is_said_and_image_makes_images_of_its_rows() {
    let npy = Tensor::from_array(&Array::from_iter(0..16u8).to_shape((4, 4)).unwrap()).bytes().to_vec();
    let (one, said) = picture_and_words("", npy.clone());
    assert_eq!(one.dimensions(), (4, 4));
    assert!(said.contains("x: the array [4, 4] is read as one image; --image"), "{said}");
    assert_eq!(rows(&one)[3], [12, 13, 14, 15]);
    let four = picture("--padding 0 --nrow 1 --image 2x2", npy.clone());
    assert_eq!(four.dimensions(), (2, 8));
    assert_eq!(rows(&picture("--image 4x4", npy.clone())), rows(&one));
    let two = picture("--padding 0 --nrow 1 --image 4x4", [npy.clone(), npy].concat());
    assert_eq!(two.dimensions(), (4, 8), "each array is an image");
}

#[test]
fn rows_that_are_no_squares_need_a_size() {
    let npy = Tensor::from_array(&Array::from_iter(0..18u8).to_shape((3, 6)).unwrap()).bytes().to_vec();
    let message = complaint("", npy.clone(), 65);
    assert!(message.ends_with("bad images: expected items [H, W], got [6]; give their size: --image HxW"), "{message}");
    assert_eq!(rows(&picture("--padding 0 --nrow 1 --image 2x3", npy.clone()))[..2], [[0, 1, 2], [3, 4, 5]]);
    assert_eq!(rows(&picture("--image 3x6", npy.clone()))[2], [12, 13, 14, 15, 16, 17]);
    assert!(complaint("--image 5x5", npy.clone(), 65).contains("expected items [5, 5], got [6]"));
    assert_eq!(run_in(".".as_ref(), "--image 5", npy).status.code(), Some(2));
}

#[test]
fn bytes_of_0_and_1_alone_are_refused_and_bools_and_black_bytes_are_not() {
    let message = complaint("", dots(&[0, 1, 1]).bytes().to_vec(), 65);
    assert!(message.contains("tensor x: bad images: whole numbers of 0 and 1 alone"), "{message}");
    assert!(message.ends_with("save them as bool or f32"), "{message}");
    assert_eq!(rows(&picture("--padding 0", dots(&[0, 0]).bytes().to_vec())), [[0, 0]]);
    let mask = Tensor::from_array(&Array::from_iter([false, true]).to_shape((2, 1, 1)).unwrap());
    assert_eq!(rows(&picture("--padding 0", mask.bytes().to_vec())), [[0, 255]]);
    assert_eq!(rows(&picture("--padding 0", b"{\"x\":[[false]]}\n{\"x\":[[true]]}\n".to_vec())), [[0, 255]]);
    assert_eq!(rows(&picture("--padding 0", b"{\"x\":[[0]]}\n{\"x\":[[1]]}\n".to_vec())), [[0, 255]]);
}

#[test]
fn the_units_of_range_are_those_of_the_pixels() {
    let bytes = dots(&[0, 51, 255]).bytes().to_vec();
    assert_eq!(rows(&picture("--padding 0 --normalize --range 0,255", bytes.clone())), [[0, 51, 255]]);
    assert_eq!(rows(&picture("--padding 0 --normalize --range 0,51", bytes.clone())), [[0, 255, 255]]);
    assert_eq!(rows(&picture("--padding 0 --normalize --range 0,1", bytes)), [[0, 51, 255]], "levels, as before");
    let floats = Tensor::from_array(&Array::from_iter([0f32, 51.0, 255.0]).to_shape((3, 1, 1)).unwrap());
    let floats = floats.bytes().to_vec();
    assert_eq!(rows(&picture("--padding 0 --normalize --range 0,255", floats.clone())), [[0, 51, 255]]);
    let (white, said) = picture_and_words("--padding 0", floats);
    assert_eq!(rows(&white), [[0, 255, 255]]);
    assert!(
        said.contains("pixels from 0 to 255 are drawn as if they ended at 0 and 1; --normalize --range 0,255"),
        "{said}"
    );
}

#[test]
fn npy_and_newline_json_are_read_too() {
    let npy = dots(&[5, 6]).bytes().to_vec();
    assert_eq!(rows(&picture("--padding 0", npy.clone())), [[5, 6]]);
    assert_eq!(rows(&picture("--padding 0 -", [npy.clone(), npy].concat())), [[5, 6, 5, 6]]);
    let lines = b"{\"x\":[[5]],\"y\":1}\n{\"x\":[[6]],\"y\":2}\n".to_vec();
    assert_eq!(rows(&picture("--padding 0", lines)), [[5, 6]]);
}

#[test]
fn joined_streams_are_one_picture() {
    let one = stream(&[main_frame(&[("x", dots(&[1]))])]);
    let two = stream(&[main_frame(&[("x", dots(&[2]))])]);
    assert_eq!(rows(&picture("--padding 0", [one, two].concat())), [[1, 2]]);
}

#[test]
fn an_embedded_model_is_no_image() {
    let model = vae_stream::Data::model(&[1, 2, 3, 4]);
    let input = stream(&[Frame::Data(model), main_frame(&[("x", dots(&[3]))])]);
    assert_eq!(rows(&picture("--padding 0", input)), [[3]]);
}

#[test]
fn without_an_option_the_main_group_is_shown_when_it_comes_first() {
    let input = stream(&[main_frame(&[("x", dots(&[3]))]), preview("recon", 1, &[("x", dots(&[2]))])]);
    assert_eq!(rows(&picture("--padding 0 --max 2", input.clone())), [[3]]);
    assert_eq!(rows(&picture("--padding 0 --group recon", input.clone())), [[2]]);
    assert_eq!(rows(&picture("--padding 0 --group main", input)), [[3]]);
}

#[test]
fn reading_stops_when_the_picture_is_full() {
    let mut child = program().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let frame = main_frame(&[("x", Tensor::from_array(&Array3::<u8>::zeros((256, 28, 28))))]);
    // A stream that would go on and on, had it no end in sight.
    let endless = stream(&vec![frame; 400]);
    let stopped = stdin.write_all(&endless).unwrap_err();
    assert_eq!(stopped.kind(), std::io::ErrorKind::BrokenPipe);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(super::decode(&output.stdout).dimensions(), (242, 242));
}

#[test]
fn a_stream_that_breaks_after_what_is_shown_is_fine_and_one_that_breaks_before_is_not() {
    let whole = stream(&vec![main_frame(&[("x", dots(&[1, 2, 3]))]); 3]);
    let cut = whole[..whole.len() - 1].to_vec(); // in the last line, which verifies the third frame
    assert_eq!(picture("--padding 0 --max 6", cut.clone()).dimensions(), (6, 1));
    super::complaint("--padding 0 --max 7", cut, 65);
}

#[test]
fn a_file_appears_whole() {
    let folder = tempfile::tempdir().unwrap();
    let output = run_in(folder.path(), "-o out.png", dots(&[1, 2]).bytes().to_vec());
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty());
    let file = std::fs::read(folder.path().join("out.png")).unwrap();
    assert_eq!(file, run_in(folder.path(), "", dots(&[1, 2]).bytes().to_vec()).stdout);
}
