//! Newline JSON, in and out.

use ndarray::array;
use proptest::prelude::*;
use vae_stream::{Data, Dtype, Frame, Head, Memory, Tensor, Writer};

use crate::{fault, read, spec};

/// The only frame of some lines.
fn frame(lines: &str) -> Data {
    match &read(lines.as_bytes()).unwrap().1[..] {
        [Frame::Data(data)] => data.clone(),
        other => panic!("expected one frame, got {other:?}"),
    }
}

/// The lines of one frame.
fn lines(data: &Data) -> String {
    let memory = Memory::default();
    Writer::jsonl(memory.clone(), &Head::of(data)).run(|out| out.write(data.clone())).unwrap();
    String::from_utf8(memory.bytes()).unwrap()
}

#[test]
fn latents_can_be_typed_by_hand() {
    let (head, frames) = read(b"{\"z\":[0.5,-1.0],\"y\":3}\n{\"y\":4,\"z\":[1,2e0]}\n").unwrap();
    assert_eq!(head.tensors(), [("z".into(), spec(Dtype::F32, &[2])), ("y".into(), spec(Dtype::U8, &[]))]);
    let [Frame::Data(data)] = &frames[..] else { panic!("expected one frame, got {frames:?}") };
    assert_eq!(data.f32("z").unwrap(), array![[0.5, -1.0], [1.0, 2.0]].into_dyn());
    assert_eq!(data.u8("y").unwrap(), array![3, 4].into_dyn());
}

#[test]
fn images_of_whole_numbers_are_u8_and_others_f32() {
    assert_eq!(frame("{\"x\":[[0,255],[1,2]]}\n").need("x").unwrap().dtype(), Dtype::U8);
    assert_eq!(frame("{\"x\":[[0,1.0],[0,0]]}\n").need("x").unwrap().dtype(), Dtype::F32);
    assert!(fault(b"{\"x\":[0,0]}\n{\"x\":[0,0.5]}\n").contains("line 2: x: expected |u1 [2], got [0,0.5]"));
}

#[test]
fn numbers_that_are_not_finite_are_strings() {
    let z = array![[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0]];
    let text = lines(&Data::new([("z", Tensor::from_array(&z))]));
    assert_eq!(text, "{\"z\":[\"NaN\",\"inf\",\"-inf\",-0.0]}\n");
    let back = frame(&text).f32("z").unwrap();
    assert!(back[[0, 0]].is_nan() && back[[0, 1]] == f32::INFINITY && back[[0, 2]] == f32::NEG_INFINITY);
}

#[test]
fn every_tensor_of_an_item_is_on_its_line() {
    let data = Data::new([
        ("x", Tensor::from_array(&array![[[1u8, 2], [3, 4]], [[5, 6], [7, 8]]])),
        ("i", Tensor::from_array(&array![-1i64, i64::MAX])),
        ("f8", Tensor::from_array(&array![[0.1], [1e+300]])),
        ("u8", Tensor::from_array(&array![u64::MAX, 0])),
        ("b1", Tensor::from_array(&array![true, false])),
    ]);
    assert_eq!(
        lines(&data),
        "{\"x\":[[1,2],[3,4]],\"i\":-1,\"f8\":[0.1],\"u8\":18446744073709551615,\"b1\":1}\n\
         {\"x\":[[5,6],[7,8]],\"i\":9223372036854775807,\"f8\":[1e+300],\"u8\":0,\"b1\":0}\n"
    );
}

#[test]
fn empty_lines_do_not_count() {
    assert_eq!(frame("{\"y\":1}\n\n  \n{\"y\":2}\n\n").items(), 2);
}

#[test]
fn lines_that_differ_from_the_first_are_an_error_with_their_number() {
    for (line, expected) in [
        ("{\"z\":[1]}", "line 3: z: expected <f4 [2], got [1]"),
        ("{\"z\":[1,2,3]}", "line 3: z: expected <f4 [2], got [1,2,3]"),
        ("{\"z\":[1,[2]]}", "line 3: z: expected <f4 [2]"),
        ("{\"z\":[1,\"two\"]}", "line 3: z: expected <f4 [2]"),
        ("{\"z\":[1,null]}", "line 3: z: expected <f4 [2]"),
        ("{\"z\":[1,1e39]}", "line 3: z: expected <f4 [2]"),
        ("{\"z\":[1,16777217]}", "line 3: z: expected <f4 [2]"),
        ("{\"w\":[1,2]}", "line 3: expected the keys of the first line, got w too"),
        ("{\"z\":[1,2],\"y\":1}", "got y too"),
        ("{}", "line 3: expected an item"),
        ("[1,2]", "line 3: expected one JSON object per line"),
        ("{\"z\":[1,2", "line 3: expected one JSON object per line"),
        ("{\"z\":[1,2]} {\"z\":[1,2]}", "line 3: expected one JSON object per line"),
    ] {
        let message = fault(format!("{{\"z\":[0.5,1]}}\n\n{line}\n").as_bytes());
        assert!(message.contains(expected), "{line}: {message}");
    }
}

#[test]
fn a_first_line_that_is_no_item_is_an_error() {
    for line in
        ["{}", "{\"z\":[]}", "{\"z\":[[1],[1,2]]}", "{\"kind\":\"epoch\",\"loss\":1}", "{\"a b\":1}", "{\"y\":256}"]
    {
        let message = fault(format!("{line}\n").as_bytes());
        assert!(message.contains("line 1"), "{line}: {message}");
    }
    assert!(fault(b"{\"y\":-1}\n").contains("line 1: y: expected"));
}

#[test]
fn a_line_past_the_cap_is_an_error() {
    let long = format!("{{\"z\":[{}1]}}\n", "1,".repeat(1 << 19));
    assert!(fault(long.as_bytes()).contains("at most 1048576 bytes"));
}

#[test]
fn deep_lists_are_an_error_and_not_a_crash() {
    let deep = format!("{{\"z\":{}1{}}}\n", "[".repeat(100_000), "]".repeat(100_000));
    assert!(fault(deep.as_bytes()).contains("recursion limit"));
}

#[test]
fn other_groups_and_records_are_left_out() {
    let memory = Memory::default();
    let frames = crate::frames();
    Writer::jsonl(memory.clone(), &crate::head()).run(|out| frames.into_iter().try_for_each(|f| out.write(f))).unwrap();
    assert_eq!(String::from_utf8(memory.bytes()).unwrap().lines().count(), 3);
}

proptest! {
    #[test]
    fn any_f32_comes_back_from_its_line(values: [f32; 8]) {
        let z = ndarray::Array::from_iter(values).into_shape_with_order((2, 4)).unwrap();
        let back = frame(&lines(&Data::new([("z", Tensor::from_array(&z))]))).f32("z").unwrap();
        for (a, b) in z.iter().zip(&back) {
            prop_assert!(a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(), "{a} came back as {b}");
        }
    }
}
