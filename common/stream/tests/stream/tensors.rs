//! Tensors, and what they convert to.

use ndarray::{Array, ArrayD, IxDyn, array};
use ndarray_npy::ReadableElement;
use proptest::prelude::*;
use vae_stream::{Data, Dtype, Element, Frame, Head, Tensor};

use crate::{read, write};

fn error<T: std::fmt::Debug>(result: vae_stream::Result<T>) -> String {
    let error = result.expect_err("it does not fit");
    error.to_string()
}

#[test]
fn whole_numbers_of_any_kind_become_u8_if_they_fit() {
    let expected = array![0u8, 1, 100].into_dyn();
    macro_rules! check {
        ($($type:ty)*) => { $(
            let tensor = Tensor::from_array(&array![0 as $type, 1 as $type, 100 as $type]);
            assert_eq!(tensor.to_u8().unwrap(), expected);
            assert_eq!(tensor.to_i64().unwrap(), expected.mapv(i64::from));
            assert_eq!(tensor.to_f32().unwrap(), expected.mapv(f32::from));
        )* };
    }
    check!(i8 u8 i16 u16 i32 u32 i64 u64 f32 f64);
    let flags = Tensor::from_array(&array![false, true]);
    assert_eq!(flags.to_u8().unwrap(), array![0u8, 1].into_dyn());
    assert_eq!(flags.to_f32().unwrap(), array![0f32, 1.].into_dyn());
}

#[test]
fn what_does_not_fit_u8_is_an_error_that_shows_it() {
    for (tensor, odd) in [
        (Tensor::from_array(&array![1i64, 256]), "256"),
        (Tensor::from_array(&array![1i8, -1]), "-1"),
        (Tensor::from_array(&array![1f64, 0.5]), "0.5"),
        (Tensor::from_array(&array![1f32, f32::NAN]), "NaN"),
    ] {
        assert_eq!(error(tensor.to_u8()), format!("expected whole numbers from 0 to 255, got {odd}"));
    }
}

#[test]
fn what_does_not_fit_i64_is_an_error() {
    assert_eq!(Tensor::from_array(&array![-(2f64.powi(63))]).to_i64().unwrap()[0], i64::MIN);
    error(Tensor::from_array(&array![2f64.powi(63)]).to_i64());
    error(Tensor::from_array(&array![u64::MAX]).to_i64());
    error(Tensor::from_array(&array![f64::INFINITY]).to_i64());
}

#[test]
fn what_does_not_fit_f32_is_an_error_and_nan_is_not() {
    error(Tensor::from_array(&array![1e300]).to_f32());
    let odd = Tensor::from_array(&array![f64::NAN, f64::INFINITY, 1e-300]).to_f32().unwrap();
    assert!(odd[0].is_nan() && odd[1] == f32::INFINITY && odd[2] == 0.0);
}

#[test]
fn half_precision_is_read() {
    let data: Vec<u8> = [0x3c00u16, 0x7c00, 0x0001].into_iter().flat_map(u16::to_le_bytes).collect();
    let halves = Tensor::from_bytes(Dtype::F16, &[3], &data).to_f32().unwrap();
    assert_eq!(halves.into_raw_vec_and_offset().0, [1.0, f32::INFINITY, 2f32.powi(-24)]);
}

#[test]
fn a_bool_that_is_neither_is_an_error() {
    assert!(error(Tensor::from_bytes(Dtype::Bool, &[2], &[1, 2]).to_u8()).contains("bad .npy"));
}

#[test]
fn errors_of_a_frame_name_the_tensor() {
    let data = Data::new([("y", Tensor::from_array(&array![300i64]))]);
    assert_eq!(error(data.u8("y")), "tensor y: expected whole numbers from 0 to 255, got 300");
    assert!(error(data.f32("z")).contains("no tensor z in the stream: expected it among y"));
}

#[test]
fn an_array_of_any_layout_becomes_c_order() {
    let array = Array::from_shape_fn((2, 3), |(i, j)| (10 * i + j) as f32);
    for view in [array.view(), array.t(), array.slice(ndarray::s![.., ..;2]), array.slice(ndarray::s![..;-1, 1..])] {
        let tensor = Tensor::from_array(&view);
        assert_eq!(Tensor::parse(tensor.bytes().to_vec()).unwrap(), tensor);
        assert_eq!(tensor.to_array::<f32>().unwrap(), view.into_dyn());
    }
}

#[test]
fn a_whole_npy_of_any_layout_is_a_tensor_and_anything_else_is_refused() {
    let file = |header: &str, data: &[u8]| crate::npy(&format!("{header:117}\n"), data);
    let big: Vec<u8> = (0..6).flat_map(|i| f64::from(i).to_be_bytes()).collect();
    let tensor = Tensor::from_npy(&file("{'descr': '>f8', 'fortran_order': True, 'shape': (2, 3), }", &big)).unwrap();
    assert_eq!((tensor.dtype(), tensor.shape()), (Dtype::F64, &[2, 3][..]));
    assert_eq!(tensor.to_f32().unwrap().as_slice().unwrap(), [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
    for (shape, bytes, part) in [("(2, 3)", 23, "expected 24 bytes"), ("()", 4, "a single number")] {
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
        let error = Tensor::from_npy(&file(&header, &vec![0; bytes])).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn both_ways_to_make_a_tensor_write_the_header_that_numpy_writes() {
    // From numpy 2.4.6: buf = io.BytesIO(); np.save(buf, np.zeros((2, 3), "<f4")); buf.getvalue()[:128]
    let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    let expected = crate::npy(&format!("{text:117}\n"), &[0; 24]);
    assert_eq!(Tensor::from_bytes(Dtype::F32, &[2, 3], &[0; 24]).bytes(), expected);
    assert_eq!(Tensor::from_array(&Array::<f32, _>::zeros((2, 3))).bytes(), expected);
}

#[test]
fn slices_and_concatenations_are_inverse() {
    let tensor = Tensor::from_array(&Array::from_shape_fn((5, 2), |(i, j)| (10 * i + j) as i64));
    let parts = [tensor.slice(0..1), tensor.slice(1..4), tensor.slice(4..5)];
    assert_eq!(parts[1].to_array::<i64>().unwrap(), array![[10, 11], [20, 21], [30, 31]].into_dyn());
    assert_eq!(Tensor::concat(&parts).unwrap(), tensor);
    let other = Tensor::from_array(&array![[1i64, 2, 3]]);
    assert!(error(Tensor::concat(&[tensor, other])).contains("expected items of <i8 [2], got <i8 [3]"));
}

/// An array of up to four dimensions.
fn arrays<A: Element + Arbitrary + 'static>() -> impl Strategy<Value = ArrayD<A>> {
    prop::collection::vec(1usize..5, 1..5).prop_flat_map(|shape| {
        let len = shape.iter().product::<usize>();
        prop::collection::vec(any::<A>(), len)
            .prop_map(move |values| ArrayD::from_shape_vec(IxDyn(&shape), values).unwrap())
    })
}

fn round_trip<A: Element + ReadableElement + PartialEq + std::fmt::Debug>(array: &ArrayD<A>) {
    let data = Data::new([("a", Tensor::from_array(array))]);
    let (_, frames) = read(&write(&Head::of(&data), [data.clone().into()])).unwrap();
    let [Frame::Data(back)] = &frames[..] else { panic!("expected one frame, got {frames:?}") };
    assert_eq!(back, &data);
    assert_eq!(&back.need("a").unwrap().to_array::<A>().unwrap(), array);
}

proptest! {
    #[test]
    fn any_bool_comes_back(array in arrays::<bool>()) { round_trip(&array); }
    #[test]
    fn any_u8_comes_back(array in arrays::<u8>()) { round_trip(&array); }
    #[test]
    fn any_i16_comes_back(array in arrays::<i16>()) { round_trip(&array); }
    #[test]
    fn any_u32_comes_back(array in arrays::<u32>()) { round_trip(&array); }
    #[test]
    fn any_i64_comes_back(array in arrays::<i64>()) { round_trip(&array); }
    #[test]
    fn any_f32_comes_back(array in arrays::<f32>()) { round_trip(&array); }
    #[test]
    fn any_f64_comes_back(array in arrays::<f64>()) { round_trip(&array); }

    #[test]
    fn no_header_makes_a_reader_panic(header in "[{}()\\[\\]',: a-z0-9<>|_\n]{0,80}") {
        let _ = read(&crate::npy(&header, &[0; 16]));
    }

    #[test]
    fn no_changed_header_makes_a_reader_panic(at in 0usize..70, byte: u8) {
        let mut bytes = Tensor::from_bytes(Dtype::F32, &[2, 3], &[0; 24]).bytes().to_vec();
        bytes[at] = byte;
        let _ = read(&bytes);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes: Vec<u8>) {
        let _ = read(&bytes);
    }
}
