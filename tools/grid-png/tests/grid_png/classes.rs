//! `--by` and `--transpose`.

use ndarray::Array2;
use vae_stream::Tensor;

use super::{complaint, dots, main_frame, numbers, picture, preview, rows, run_in, stream};

/// Levels and their classes, in two frames.
fn mixed() -> Vec<u8> {
    stream(&[
        main_frame(&[("x", dots(&[31, 11, 32, 21])), ("y", numbers(&[3, 1, 3, 2]))]),
        main_frame(&[("x", dots(&[33, 12, 22])), ("y", numbers(&[3, 1, 2]))]),
    ])
}

#[test]
fn each_class_has_a_row_in_the_order_of_the_classes() {
    assert_eq!(rows(&picture("--padding 0 --by y", mixed())), [[11, 12, 0], [21, 22, 0], [31, 32, 33]]);
}

#[test]
fn what_is_missing_is_padding() {
    let picture = picture("--padding 0 --pad-value 1 --by y --transpose", mixed());
    assert_eq!(rows(&picture), [[11, 21, 31], [12, 22, 32], [255, 255, 33]]);
}

#[test]
fn nrow_is_the_most_of_a_class_and_max_the_most_of_all_of_them() {
    assert_eq!(rows(&picture("--padding 0 --by y --nrow 1", mixed())), [[11], [21], [31]]);
    assert_eq!(rows(&picture("--padding 0 --by y --nrow 2", mixed())), [[11, 12], [21, 22], [31, 32]]);
    assert_eq!(rows(&picture("--padding 0 --by y --max 4", mixed())), [[11, 0], [21, 0], [31, 32]]);
    // What finds no place does not count.
    assert_eq!(rows(&picture("--padding 0 --by y --nrow 1 --max 2", mixed())), [[11], [31]]);
}

#[test]
fn all_items_are_looked_at_unless_told() {
    let (levels, classes): (Vec<u8>, Vec<i64>) = ((0..100).collect(), (0..100).map(|k| k / 50).collect());
    let input = stream(&[main_frame(&[("x", dots(&levels)), ("y", numbers(&classes))])]);
    assert_eq!(picture("--padding 0 --by y --nrow 50", input.clone()).dimensions(), (50, 2));
    assert_eq!(picture("--padding 0 --by y --nrow 50 --max 64", input).dimensions(), (50, 2));
}

#[test]
fn a_full_picture_reads_no_further() {
    let whole = stream(&vec![main_frame(&[("x", dots(&[1, 2, 3])), ("y", numbers(&[0, 0, 1]))]); 3]);
    let cut = whole[..whole.len() - 1].to_vec();
    assert_eq!(picture("--padding 0 --by y --max 6", cut.clone()).dimensions(), (4, 2));
    complaint("--padding 0 --by y", cut, 65);
}

#[test]
fn rows_of_several_tensors_alternate_in_each_class() {
    let frame = main_frame(&[("x", dots(&[1, 2, 3])), ("x_hat", dots(&[11, 12, 13])), ("y", numbers(&[5, 0, 5]))]);
    let input = stream(&[frame]);
    let two = "--padding 0 --tensor x --tensor x_hat --by y";
    assert_eq!(rows(&picture(two, input.clone())), [[2, 0], [12, 0], [1, 3], [11, 13]]);
    assert_eq!(rows(&picture(&format!("{two} --transpose"), input)), [[2, 12, 1, 11], [0, 0, 3, 13]]);
}

#[test]
fn transpose_fills_columns_without_classes_too() {
    let input = stream(&[main_frame(&[("x", dots(&[1, 2, 3, 4, 5]))])]);
    assert_eq!(rows(&picture("--padding 0 --nrow 2 --transpose", input)), [[1, 3, 5], [2, 4, 0]]);
}

#[test]
fn classes_may_be_any_whole_numbers() {
    let classes = Tensor::from_array(&ndarray::arr1(&[2.0f32, -1.0, 2.0]));
    let input = stream(&[main_frame(&[("x", dots(&[1, 2, 3])), ("c", classes)])]);
    assert_eq!(rows(&picture("--padding 0 --by c", input)), [[2, 0], [1, 3]]);
}

#[test]
fn groups_without_classes_are_passed_over() {
    let sample = preview("sample", 1, &[("x_hat", dots(&[2, 1])), ("y", numbers(&[1, 0]))]);
    let input = stream(&[preview("recon", 1, &[("x", dots(&[9]))]), sample]);
    assert_eq!(rows(&picture("--padding 0 --by y", input)), [[1], [2]]);
}

#[test]
fn classes_that_are_not_there() {
    let message = complaint("--by y", stream(&[main_frame(&[("x", dots(&[3]))])]), 65);
    assert!(message.contains("expected x_hat or x with y, got main with x;"), "{message}");
}

#[test]
fn classes_that_are_no_whole_numbers_or_more_than_one() {
    let halves = Tensor::from_array(&ndarray::arr1(&[0.5f32]));
    let message = complaint("--by c", stream(&[main_frame(&[("x", dots(&[3])), ("c", halves)])]), 65);
    assert!(message.contains("tensor c") && message.contains("whole numbers"), "{message}");
    let pair = Tensor::from_array(&Array2::<u8>::zeros((1, 2)));
    let message = complaint("--by c", stream(&[main_frame(&[("x", dots(&[3])), ("c", pair)])]), 65);
    assert!(message.contains("tensor c: expected one number for each item, got items [2]"), "{message}");
}

#[test]
fn more_classes_than_can_be_drawn_are_refused() {
    let many: Vec<i64> = (0..40_000).collect();
    let frame = main_frame(&[("x", dots(&vec![1; many.len()])), ("y", numbers(&many))]);
    let folder = tempfile::tempdir().unwrap();
    let output = run_in(folder.path(), "--by y --padding 50 -o out.png", stream(&[frame]));
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
