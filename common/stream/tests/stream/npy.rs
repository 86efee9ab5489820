//! Bare .npy files.

use std::io::Cursor;

use ndarray::{Array, ArrayD, ShapeBuilder};
use ndarray_npy::WriteNpyExt;
use vae_stream::images::{Guess, ImageShape};
use vae_stream::{Dtype, Frame, Reader, Tensor};

use crate::{fault, npy, read, spec};

const PLAIN: &str = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";

/// The tensor `x` of all frames.
fn tensor(bytes: &[u8]) -> Tensor {
    let (_, frames) = read(bytes).unwrap();
    let parts: Vec<Tensor> = frames
        .into_iter()
        .map(|frame| match frame {
            Frame::Data(mut data) => data.take("x").unwrap(),
            Frame::Json(record) => panic!("expected a tensor, got {record:?}"),
        })
        .collect();
    Tensor::concat(&parts).unwrap()
}

/// `f32` numbers 0 to 5 as bytes.
fn data() -> Vec<u8> {
    (0..6u8).flat_map(|n| f32::from(n).to_le_bytes()).collect()
}

fn fault_of_header(header: &str) -> String {
    fault(&npy(header, &data()))
}

#[test]
fn a_header_may_be_written_in_any_way_that_numpy_allows() {
    for header in [
        PLAIN,
        "{'shape': (2, 3), 'fortran_order': False, 'descr': '<f4'}\n",
        "{\"descr\": \"<f4\", \"fortran_order\": False, \"shape\": (2, 3)}\n",
        "{'descr':'<f4','fortran_order':False,'shape':(2,3)}\n",
        " { 'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 2 , 3 , ) , } \n",
        "{'descr': '<f4',\n 'fortran_order': False,\t'shape': (2, 3)}            \n",
    ] {
        let x = tensor(&npy(header, &data()));
        assert_eq!(x.to_f32().unwrap().shape(), [2, 3], "{header:?}");
        assert_eq!(x.to_f32().unwrap().into_raw_vec_and_offset().0, [0., 1., 2., 3., 4., 5.]);
    }
}

#[test]
fn versions_2_and_3_have_longer_lengths() {
    for version in [2, 3] {
        let mut bytes = vec![0x93, b'N', b'U', b'M', b'P', b'Y', version, 0];
        bytes.extend_from_slice(&(PLAIN.len() as u32).to_le_bytes());
        bytes.extend_from_slice(PLAIN.as_bytes());
        bytes.extend_from_slice(&data());
        assert_eq!(tensor(&bytes).items(), 2);
    }
}

#[test]
fn a_header_that_is_anything_else_is_an_error() {
    for header in [
        "",
        "\n",
        "{}\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } x\n",
        "{'descr': '<f4', 'fortran_order': False}\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'more': 1}\n",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}\n",
        "{'descr': '<f4' 'fortran_order': False, 'shape': (2, 3)}\n",
        "{'descr': '<f4',, 'fortran_order': False, 'shape': (2, 3)}\n",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3)}\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': [2, 3]}\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (,)}\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6)}\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,, 3)}\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3)}\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (02, 3)}\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2.0, 3)}\n",
        "{'descr': '\\x3cf4', 'fortran_order': False, 'shape': (2, 3)}\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 3)}\n",
        "{'descr': 'f4', 'fortran_order': False, 'shape': (2, 3)}\n",
        "{'descr': '|f4', 'fortran_order': False, 'shape': (2, 3)}\n",
        "{'descr': '|O', 'fortran_order': False, 'shape': (2, 3)}\n",
        "{'descr': '<c8', 'fortran_order': False, 'shape': (2, 3)}\n",
        "{'descr': '<U1', 'fortran_order': False, 'shape': (2, 3)}\n",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3)}\n",
    ] {
        let line = fault_of_header(header);
        assert!(line.contains("bad .npy: expected"), "{header:?}: {line}");
    }
}

#[test]
fn nested_brackets_end_at_once() {
    // Each level doubles the time of ndarray-npy's own parser.
    for open in ["[", "(", "{'a': ", "[(", "{("] {
        let header = format!("{{'descr': {}\n", open.repeat(2000));
        fault_of_header(&header[..header.len().min(9000)]);
    }
}

#[test]
fn a_header_past_numpys_limit_is_an_error() {
    let long = format!("{}{:10000}\n", PLAIN.trim_end(), "");
    assert!(fault_of_header(&long).contains("a .npy header of 2 to 10000 bytes"));
}

#[test]
fn a_version_of_the_future_is_an_error() {
    let mut bytes = npy(PLAIN, &data());
    bytes[6] = 4;
    assert!(fault(&bytes).contains("expected version 1.0, 2.0 or 3.0 of .npy, got 4.0"));
}

#[test]
fn two_to_the_sixty_elements_do_not_arrive() {
    for (order, shape) in [("False", "(1152921504606846976,)"), ("True", "(67108864, 4)"), ("False", "(2, 268435456)")]
    {
        let line = fault_of_header(&format!("{{'descr': '<f4', 'fortran_order': {order}, 'shape': {shape}}}\n"));
        assert!(line.contains("stops at") || line.contains("expected at most") || line.contains("items of"), "{line}");
    }
}

#[test]
fn a_size_past_all_memory_is_an_error() {
    for shape in ["(4294967296, 4294967296)", "(0, 9223372036854775807, 9223372036854775807)", "(4611686018427387904,)"]
    {
        let line = fault_of_header(&format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}\n"));
        assert!(line.contains("an array that fits in memory"), "{line}");
    }
}

#[test]
fn every_truncation_of_a_bare_npy_is_an_error() {
    let bytes = npy(PLAIN, &data());
    for len in 0..bytes.len() {
        fault(&bytes[..len]);
    }
}

#[test]
fn a_single_number_is_an_error() {
    let line = fault_of_header("{'descr': '<f4', 'fortran_order': False, 'shape': ()}\n");
    assert!(line.contains("expected an array, got a single number"), "{line}");
}

#[test]
fn a_dtype_that_is_no_number_is_named() {
    for dtype in ["<c8", "|O", "<U3", "<V2", "<f16", "<M8[ns]"] {
        let line = fault_of_header(&format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': (2, 3)}}\n"));
        assert!(line.contains(&format!("expected bool, an integer or f2, f4 or f8 as dtype, got '{dtype}'")), "{line}");
        assert!(line.contains("; save "), "{line}");
    }
    let line = fault_of_header("{'descr': [('x', '<f4'), ('y', '<i4')], 'fortran_order': False, 'shape': (6,)}\n");
    assert!(line.ends_with("got a record of fields; save one of them: x['NAME']"), "{line}");
}

#[test]
fn items_without_numbers_are_an_error() {
    let line = fault_of_header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 0, 3)}\n");
    assert!(line.contains("expected items that hold numbers"), "{line}");
}

#[test]
fn an_array_of_no_items_is_a_stream_of_no_frames() {
    let (head, frames) = read(&npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2, 3)}\n", &[])).unwrap();
    assert_eq!((head.tensor("x"), frames.len()), (Some(spec(Dtype::F32, &[2, 3])), 0));
}

#[test]
fn big_endian_numbers_are_turned_round() {
    let data: Vec<u8> = (0..6u8).flat_map(|n| f64::from(n).to_be_bytes()).collect();
    let x = tensor(&npy("{'descr': '>f8', 'fortran_order': False, 'shape': (2, 3)}\n", &data));
    assert_eq!(x.dtype(), Dtype::F64);
    assert_eq!(x.to_f32().unwrap().into_raw_vec_and_offset().0, [0., 1., 2., 3., 4., 5.]);
    let halves: Vec<u8> = [0x3c00u16, 0xc000, 0x7bff].into_iter().flat_map(u16::to_be_bytes).collect();
    let x = tensor(&npy("{'descr': '>f2', 'fortran_order': True, 'shape': (3,)}\n", &halves));
    assert_eq!(x.dtype(), Dtype::F16);
    assert_eq!(x.to_f32().unwrap().into_raw_vec_and_offset().0, [1., -2., 65504.]);
}

#[test]
fn fortran_order_is_turned_round() {
    let array = Array::from_shape_fn((3, 2, 5).f(), |(n, h, w)| (100 * n + 10 * h + w) as i64);
    let mut bytes = Vec::new();
    array.write_npy(&mut bytes).unwrap();
    assert!(bytes.windows(4).any(|w| w == b"True"));
    let x = tensor(&bytes);
    assert_eq!(x.to_i64().unwrap(), array.into_dyn());
    assert!(x.bytes().windows(5).any(|w| w == b"False"));
}

#[test]
fn a_large_array_comes_in_frames_of_256_items() {
    for order in ["False", "True"] {
        let header = format!("{{'descr': '|u1', 'fortran_order': {order}, 'shape': (600, 1, 2)}}\n");
        let (_, frames) = read(&npy(&header, &[7; 1200])).unwrap();
        let items: Vec<usize> = frames.iter().map(|f| if let Frame::Data(d) = f { d.items() } else { 0 }).collect();
        assert_eq!(items, [256, 256, 88]);
    }
}

#[test]
fn several_files_may_follow_each_other() {
    let one = npy(PLAIN, &data());
    assert_eq!(tensor(&[&one[..], &one, &one].concat()).shape(), [6, 3]);
    let other = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 2)}\n", &data());
    let line = fault(&[&one[..], &other].concat());
    assert!(line.contains("expected items of <f4 [3] as in the first, got <f4 [3, 2]"), "{line}");
    for (after, got) in [(&b"garbage that is long enough"[..], "garbag"), (b"\n", "\\n")] {
        let line = fault(&[&one[..], after].concat());
        assert!(line.contains(&format!("bytes after the array that begin with \"{got}\"")), "{line}");
    }
}

#[test]
fn the_first_dimension_counts_the_items_whatever_the_shape() {
    for (shape, items, item) in [
        ("(28, 28)", 28, &[28][..]),
        ("(2, 784)", 2, &[784]),
        ("(5, 2, 3)", 5, &[2, 3]),
        ("(7, 20)", 7, &[20]),
        ("(5,)", 5, &[]),
    ] {
        let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}\n");
        let x = tensor(&npy(&header, &vec![0; items * item.iter().product::<usize>()]));
        assert_eq!((x.items(), &x.shape()[1..]), (items, item), "{shape}");
    }
}

#[test]
fn an_array_is_one_image_where_its_size_says_so_or_where_it_is_square() {
    let images = |shape: &str, fortran: &str, len: usize, expected: Option<[usize; 2]>| {
        let header = format!("{{'descr': '|u1', 'fortran_order': {fortran}, 'shape': {shape}}}\n");
        let npy = npy(&header, &(0..len).map(|v| v as u8).collect::<Vec<_>>());
        let mut reader = Reader::new(Cursor::new([&npy[..], &npy].concat()), "test", "x").unwrap();
        let (size, guess) = reader.images("x", expected.map(ImageShape::from)).map_err(|e| e.to_string())?;
        let mut items = 0;
        while let Some(Frame::Data(data)) = reader.next_frame().unwrap() {
            items += data.items();
        }
        Ok::<_, String>((size.dims(), items, guess))
    };
    for fortran in ["False", "True"] {
        let images = |shape, len, expected| images(shape, fortran, len, expected);
        assert_eq!(images("(3, 3)", 9, None), Ok((vec![3, 3], 2, Some(Guess::Single { side: 3 }))));
        assert_eq!(images("(2, 9)", 18, None), Ok((vec![3, 3], 4, Some(Guess::Square { values: 9 }))));
        assert_eq!(images("(2, 6)", 12, Some([2, 3])), Ok((vec![2, 3], 4, None)));
        assert_eq!(images("(2, 6)", 12, Some([2, 6])), Ok((vec![2, 6], 2, None)));
        assert_eq!(images("(4, 4)", 16, Some([2, 2])), Ok((vec![2, 2], 8, None)));
        assert_eq!(images("(4, 4)", 16, Some([4, 4])), Ok((vec![4, 4], 2, None)));
        assert_eq!(images("(1, 4)", 4, Some([1, 4])), Ok((vec![1, 4], 2, None)));
        assert_eq!(images("(6,)", 6, Some([2, 3])), Ok((vec![2, 3], 2, None)));
        assert_eq!(images("(9,)", 9, None), Ok((vec![3, 3], 2, Some(Guess::Square { values: 9 }))));
        assert_eq!(images("(2, 1, 6)", 12, Some([2, 3])), Ok((vec![2, 3], 4, None)));
        assert_eq!(images("(2, 1, 6)", 12, None), Ok((vec![1, 6], 4, None)));
        assert_eq!(images("(2, 3, 4)", 24, None), Ok((vec![3, 4], 4, None)));
        assert_eq!(images("(2, 3, 4, 1)", 24, None), Ok((vec![3, 4], 4, None)));
        assert!(images("(2, 6)", 12, None).unwrap_err().ends_with("expected items [H, W], got [6]"));
        assert!(images("(2, 6)", 12, Some([2, 2])).unwrap_err().ends_with("expected items [2, 2], got [6]"));
        assert!(images("(2, 4, 4, 3)", 96, None).unwrap_err().ends_with("got [4, 4, 3]"));
    }
}

#[test]
fn images_of_whole_numbers_0_and_1_alone_are_an_error_at_the_end() {
    let end = |images: &Tensor| {
        let mut reader = Reader::new(Cursor::new(images.bytes().to_vec()), "test", "x").unwrap();
        reader.images("x", None).unwrap();
        loop {
            match reader.next_frame() {
                Ok(Some(_)) => {}
                end => return end.map(drop).map_err(|e| e.to_string()),
            }
        }
    };
    let image = |last: u8| {
        let mut image = ndarray::Array3::<u8>::zeros((600, 2, 2));
        (image[[0, 0, 0]], image[[599, 1, 1]]) = (1, last);
        image
    };
    assert!(
        end(&Tensor::from_array(&image(1))).unwrap_err().contains("tensor x: bad images: whole numbers of 0 and 1")
    );
    assert!(end(&Tensor::from_array(&image(1).mapv(i64::from))).is_err());
    assert_eq!(end(&Tensor::from_array(&image(2))), Ok(()));
    assert_eq!(end(&Tensor::from_array(&image(1).mapv(f32::from))), Ok(()));
    assert_eq!(end(&Tensor::from_array(&image(1).mapv(|v| v == 1))), Ok(()));
    assert_eq!(end(&Tensor::from_array(&ndarray::Array3::<u8>::zeros((2, 2, 2)))), Ok(()), "black images");
}

#[test]
fn other_formats_are_told_apart() {
    for (bytes, expected) in [
        (&b"\x1f\x8b\x08\0\0\0\0\0\0\x03"[..], "gzip data"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a PNG picture"),
        (b"\0\0\x08\x03\0\0\xea\x60\0\0\0\x1c", "an IDX file"),
        (b"PK\x03\x04\x14\0\0\0\0\0", "zip archive"),
        (b"\x80\x04\x95\x0b\0\0\0\0\0\0", "pickle"),
        (b"\x58\0\0\0\0\0\0\0{\"__metadata__\":{}}", "safetensors"),
        (b"{\x01\0\0\0\0\0\0{\"__metadata__\":{}}", "safetensors"),
        (b"[{\"z\":1},{\"z\":2}]", "a JSON list"),
        (b"x,y\n1,2\n", "bytes that begin with \"x,y\\n1,2\\n\""),
        (b"\x93N", "bytes that begin with \"\\x93N\""),
    ] {
        let line = fault(bytes);
        assert!(line.contains(expected), "{line}");
    }
}

#[test]
fn any_array_comes_back_as_it_was() {
    let array: ArrayD<f64> = Array::linspace(-1., 1., 24).into_shape_with_order(vec![2, 3, 1, 4]).unwrap().into_dyn();
    let mut bytes = Vec::new();
    array.write_npy(&mut bytes).unwrap();
    assert_eq!(tensor(&bytes).to_array::<f64>().unwrap(), array);
}
