//! Tensors as images.

use ndarray::{Array, Array2, Array3, Array4, array};
use vae_stream::images::{ImageShape, Pixels};
use vae_stream::{Dtype, Tensor};

fn error<T: std::fmt::Debug>(result: vae_stream::Result<T>) -> String {
    let error = result.expect_err("these are no images");
    error.to_string()
}

#[test]
fn images_come_in_three_shapes() {
    for (shape, size) in [(&[2, 3, 4][..], None), (&[2, 1, 3, 4], None), (&[2, 12], Some(ImageShape::grey(3, 4)))] {
        let tensor = Tensor::from_bytes(Dtype::U8, shape, &(0..24).collect::<Vec<u8>>());
        let expected = Array::from_iter(0..24u8).into_shape_with_order((2, 3, 4)).unwrap();
        assert_eq!(Pixels::from_tensor(&tensor, size).unwrap(), Pixels::U8(expected));
    }
}

#[test]
fn flat_images_are_square_unless_told_otherwise() {
    let tensor = Tensor::from_array(&Array2::<f32>::zeros((2, 784)));
    assert_eq!(Pixels::from_tensor(&tensor, None).unwrap().dim(), (2, 28, 28));
    assert_eq!(Pixels::from_tensor(&tensor, Some(ImageShape::grey(14, 56))).unwrap().dim(), (2, 14, 56));
}

#[test]
fn other_shapes_are_an_error() {
    for shape in [&[4][..], &[2, 12], &[2, 3, 2, 2], &[1, 1, 1, 2, 2]] {
        let tensor = Tensor::from_bytes(Dtype::U8, shape, &vec![0; shape.iter().product()]);
        assert!(error(Pixels::from_tensor(&tensor, None)).contains("bad images: expected items [H, W], got ["));
    }
}

#[test]
fn another_width_than_expected_is_an_error() {
    let tensor = Tensor::from_array(&Array3::<u8>::zeros((2, 28, 27)));
    let line = error(Pixels::from_tensor(&tensor, Some(ImageShape::grey(28, 28))));
    assert_eq!(line, "bad images: expected items [28, 28], got [28, 27]");
    error(Pixels::from_tensor(&Tensor::from_array(&Array2::<u8>::zeros((2, 783))), Some(ImageShape::grey(28, 28))));
    error(Pixels::from_tensor(
        &Tensor::from_array(&Array4::<u8>::zeros((2, 3, 28, 28))),
        Some(ImageShape::grey(28, 28)),
    ));
}

#[test]
fn whole_numbers_become_u8_and_others_f32() {
    let u8 = Tensor::from_array(&array![[[0i64, 255]]]);
    assert_eq!(Pixels::from_tensor(&u8, None).unwrap(), Pixels::U8(array![[[0, 255]]]));
    let f32 = Tensor::from_array(&array![[[0.0, 0.25]]]);
    assert_eq!(Pixels::from_tensor(&f32, None).unwrap(), Pixels::F32(array![[[0.0, 0.25]]]));
    let bool = Tensor::from_array(&array![[[false, true]]]);
    assert_eq!(Pixels::from_tensor(&bool, None).unwrap(), Pixels::F32(array![[[0.0, 1.0]]]));
    assert!(error(Pixels::from_tensor(&Tensor::from_array(&array![[[256i64]]]), None)).contains("256"));
}

#[test]
fn nan_is_an_error() {
    let tensor = Tensor::from_array(&array![[[0.0, f32::NAN]]]);
    assert!(error(Pixels::from_tensor(&tensor, None)).contains("pixel [0, 1] of image 0 is NaN: expected numbers"));
}

#[test]
fn the_shape_of_a_grey_image_has_two_dimensions_in_json() {
    for (shape, json) in
        [(ImageShape::grey(28, 27), "[28,27]"), (ImageShape { height: 32, width: 31, channels: 3 }, "[32,31,3]")]
    {
        assert_eq!(serde_json::to_string(&shape).unwrap(), json);
        assert_eq!(serde_json::from_str::<ImageShape>(json).unwrap(), shape);
    }
    assert!(serde_json::from_str::<ImageShape>("[1,2,3,4]").unwrap_err().to_string().contains("[H, W, C]"));
}

#[test]
fn a_row_of_many_pixels_is_a_flat_image_and_a_row_of_few_is_a_row() {
    for (item, shape) in
        [([1, 784], [28, 28]), ([1, 64], [8, 8]), ([1, 49], [1, 49]), ([1, 1], [1, 1]), ([1, 80], [1, 80])]
    {
        assert_eq!(vae_stream::images::size(&item, None).unwrap(), ImageShape::from(shape), "{item:?}");
    }
    let row = ImageShape::grey(1, 64);
    assert_eq!(vae_stream::images::size(&[1, 64], Some(row)).unwrap(), row);
}

#[test]
fn an_array_that_looks_as_if_its_images_came_last_is_a_guess() {
    use vae_stream::Reader;
    use vae_stream::images::Guess;
    let guess = |shape: [usize; 3], expected: Option<ImageShape>| {
        let npy = Tensor::from_array(&Array3::<u8>::zeros(shape)).bytes().to_vec();
        let mut reader = Reader::new(std::io::Cursor::new(npy), "test", "x").unwrap();
        reader.images("x", expected).unwrap().1
    };
    assert_eq!(guess([28, 28, 6], None), Some(Guess::Last { shape: [28, 28, 6] }));
    assert_eq!(guess([28, 28, 6], Some(ImageShape::grey(28, 6))), None);
    assert_eq!((guess([28, 28, 28], None), guess([6, 28, 20], None)), (None, None));
}
