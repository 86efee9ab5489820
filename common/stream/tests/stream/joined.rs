//! Streams one after the other.

use vae_stream::{Frame, Head, ModelRef};

use crate::{fault, frames, head, images, read, spec, write};
use vae_stream::Dtype;

#[test]
fn streams_one_after_the_other_read_as_one() {
    let one = write(&head(), [images(0).into()]);
    let (_, frames) = read(&one.repeat(3)).unwrap();
    assert_eq!(frames, vec![Frame::Data(images(0)); 3]);
}

#[test]
fn an_embedded_model_is_passed_on_once() {
    let one = write(&head(), frames());
    let (_, all) = read(&one.repeat(3)).unwrap();
    assert_eq!(all, [frames(), frames(), frames()].concat());
    let passed_on = write(&head(), all);
    let models = |bytes: &[u8]| {
        let (_, frames) = read(bytes).unwrap();
        frames.iter().filter(|f| matches!(f, Frame::Data(data) if data.is_model())).count()
    };
    assert_eq!(models(&passed_on), 1);
}

#[test]
fn an_embedded_model_ends_where_the_head_names_another() {
    let mut other = head();
    other.set_model(Some(&ModelRef::File { path: "/tmp/model.bin".to_owned(), sha256: "cd".repeat(32) }));
    let (_, all) = read(&write(&other, frames())).unwrap();
    assert_eq!(all, frames()[1..]);
}

#[test]
fn the_order_of_tensors_in_a_later_head_does_not_matter() {
    let mut other = Head::new();
    other.set_tensor("y", spec(Dtype::U8, &[]));
    other.set_tensor("x", spec(Dtype::U8, &[2, 3]));
    other.set_model(head().model().as_ref());
    let bytes = [write(&head(), []), write(&other, [images(0).into()])].concat();
    assert_eq!(read(&bytes).unwrap().1, [images(0).into()]);
}

#[test]
fn the_path_of_the_model_may_differ_where_its_hash_agrees() {
    let mut other = head();
    let sha256 = "ab".repeat(32);
    other.set_model(Some(&ModelRef::File { path: "/tmp/model.bin".to_owned(), sha256 }));
    assert!(read(&[write(&head(), []), write(&other, [])].concat()).is_ok());
}

#[test]
fn streams_of_different_tensors_do_not_join() {
    let mut wider = head();
    wider.set_tensor("x", spec(Dtype::U8, &[2, 4]));
    let mut fewer = head();
    fewer.remove_tensor("y");
    let mut more = head();
    more.set_tensor("z", spec(Dtype::F32, &[2]));
    for other in [wider, fewer, more, Head::new()] {
        let line = fault(&[write(&head(), []), write(&other, [])].concat());
        assert!(line.contains("joined streams differ: expected x |u1 [2, 3], y |u1 [], got "), "{line}");
    }
}

#[test]
fn streams_of_different_models_do_not_join() {
    let mut other = head();
    other.set_model(Some(&ModelRef::Embedded { sha256: "cd".repeat(32) }));
    let mut none = head();
    none.set_model(None);
    for other in [other, none] {
        let line = fault(&[write(&head(), []), write(&other, [])].concat());
        assert!(line.contains("different models: expected abab"), "{line}");
    }
}
