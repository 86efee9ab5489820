//! What is wrong with the data, and how it is said.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::util::*;

/// Writes one file of images, raw or gzip, and expects it to be refused with a message that says so, and no output file.
fn refused(content: &[u8], says: &str) {
    let place = Place::new();
    place.write("images", content);
    let message = place.fails(65, "--data images -o out.vae");
    assert!(message.contains(says), "{message}");
    assert_eq!(fs::read_dir(place.path("")).unwrap().count(), 1, "a file is left");
}

fn file() -> Vec<u8> {
    idx(&[5, 4, 3], &pixels(5, 12))
}

#[test]
fn every_truncation_is_found() {
    for length in 0..file().len() {
        refused(&file()[..length], "images: ");
    }
    let zipped = gzip(&file());
    for length in 0..zipped.len() {
        refused(&zipped[..length], "images: ");
    }
}

#[test]
fn a_truncated_file_says_so() {
    refused(&file()[..50], "expected 76 bytes for 5 x 4 x 3 as its header says, got 50; fetch it anew");
    refused(&gzip(&file()[..50]), "ends before what its header says");
}

#[test]
fn a_file_that_is_too_long_says_so() {
    refused(&[file(), vec![0]].concat(), "expected 76 bytes for 5 x 4 x 3 as its header says, got 77");
    refused(&gzip(&[file(), vec![0]].concat()), "holds more than its header says");
}

#[test]
fn a_file_of_no_images_ends_after_its_header() {
    refused(&gzip(&idx(&[0, 4, 3], &[7])), "holds more than its header says");
    let mut zipped = gzip(&idx(&[0, 4, 3], &[]));
    let last = zipped.len() - 5; // of the checksum
    zipped[last] ^= 1;
    refused(&zipped, "damaged gzip");
}

#[test]
fn a_flipped_bit_in_gzip_is_found() {
    let mut zipped = gzip(&file());
    let last = zipped.len() - 5; // of the checksum
    zipped[last] ^= 1;
    refused(&zipped, "damaged gzip");
}

#[test]
fn a_header_that_claims_the_world_is_refused_without_allocating_it() {
    let place = Place::new();
    let lies = idx(&[u32::MAX, 1 << 14, 1 << 12], &pixels(100, 100));
    place.write("raw", &lies);
    place.write("zipped", &gzip(&lies));
    let program = env!("CARGO_BIN_EXE_mnist-dump");
    for args in ["--data raw", "--data zipped", "--data zipped --shuffle", "--data zipped --shard 9/9"] {
        // 64 MiB of address space
        let script = format!("ulimit -v 65536; exec {program} {args}");
        let output = Command::new("sh").args(["-c", &script]).current_dir(place.path("")).output().unwrap();
        message(&output, 65);
    }
}

#[test]
fn a_header_whose_size_overflows_every_integer_is_refused() {
    for code in [0x08, 0x0e] {
        refused(&idx_of(code, &[u32::MAX; 5], &[]), "expected images (3 dimensions), got 5 dimensions");
        refused(&idx_of(code, &[u32::MAX, 1 << 13, 1 << 13], &[7; 7]), "as its header says");
    }
    let mut most = idx(&[u32::MAX; 255], &[]);
    most.resize(most.len() + 23, 0);
    refused(&most, "expected images (3 dimensions), got 255 dimensions");
}

#[test]
fn images_without_pixels_or_of_enormous_size_are_refused() {
    refused(&idx(&[5, 0, 3], &[]), "expected images of 1 to 67108864 pixels, got 0 x 3");
    refused(&gzip(&idx(&[5, 1 << 31, 1 << 31], &[])), "got 2147483648 x 2147483648");
}

#[test]
fn another_number_of_dimensions_is_refused() {
    refused(&idx(&[3], &[1, 2, 3]), "expected images (3 dimensions), got labels (1 dimension)");
    refused(&idx(&[2, 2], &[1, 2, 3, 4]), "expected images (3 dimensions), got rows of 2 numbers");
    refused(&idx(&[1, 1, 1, 3], &[1, 2, 3]), "expected images (3 dimensions), got 4 dimensions");
}

#[test]
fn values_that_are_no_pixels_are_refused() {
    refused(&idx_of(0x09, &[1, 1, 2], &[1, 0xff]), "expected pixels from 0 to 255, got -1");
    refused(&gzip(&idx_of(0x0b, &[1, 1, 2], &[0, 255, 1, 0])), "expected pixels from 0 to 255, got 256");
    refused(&idx_of(0x0d, &[1, 1, 1], &255f32.to_be_bytes()), "expected pixels of <f4 from 0 to 1, got 255");
    refused(&idx_of(0x0e, &[1, 1, 1], &f64::NAN.to_be_bytes()), "expected pixels of <f8 from 0 to 1, got NaN");
    refused(&idx_of(0x0a, &[1, 1, 1], &[0]), "expected an IDX file, raw or gzip, got ");
}

#[test]
fn what_is_no_idx_file_is_refused() {
    refused(b"\x89PNG\r\n\x1a\n", "expected an IDX file, raw or gzip, got a PNG picture");
    refused(
        &gzip(b"a text of some length"),
        "expected an IDX file, raw or gzip, got bytes that begin with \"a text o\"",
    );
    refused(b"PK\x03\x04 EMNIST's gzip.zip", "got a zip archive");
    refused(b"", "got an empty file; download or make it again");
}

#[test]
fn another_number_of_labels_than_images_is_refused() {
    let place = Place::new();
    place.write("images", &file());
    place.write("labels", &idx(&[4], &labels(4)));
    let message = place.fails(65, "--data images");
    assert!(message.contains("labels: expected 5 labels, one for each image of images, got 4"), "{message}");
}

#[test]
fn labels_that_cannot_be_looked_at_are_no_missing_labels() {
    let place = Place::new();
    place.write("images", &file());
    for (target, says) in
        [("nowhere", "labels: a link to a file that does not exist"), ("labels", "cannot look at labels")]
    {
        let _ = fs::remove_file(place.path("labels"));
        symlink(target, place.path("labels")).unwrap();
        let status = if target == "nowhere" { 66 } else { 74 };
        let message = place.fails(status, "--data images -o out.vae");
        assert!(message.contains(says), "{message}");
    }
    fs::remove_file(place.path("labels")).unwrap();
    assert_eq!(place.dump("--data images").y, None);
}

#[test]
fn data_that_cannot_be_looked_at_is_no_missing_data() {
    let place = Place::new();
    set(&place, "set", "train", 3);
    for name in ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "loop"] {
        let path = place.path(&format!("set/{name}"));
        let _ = fs::remove_file(&path);
        symlink(name, &path).unwrap();
        let data = if name == "loop" { "set/loop" } else { "set" };
        let message = place.fails(74, &format!("--data {data}"));
        assert!(message.contains(&format!("cannot look at set/{name}")), "{message}");
        fs::remove_file(&path).unwrap();
    }
    symlink("nowhere", place.path("set/train-images.idx3-ubyte")).unwrap();
    fs::remove_file(place.path("set/train-images-idx3-ubyte.gz")).unwrap();
    let message = place.fails(66, "--data set");
    assert!(message.contains("set/train-images.idx3-ubyte: a link to a file that does not exist"), "{message}");
}

#[test]
fn labels_of_no_class_are_refused() {
    let place = Place::new();
    place.write("images", &idx(&[2, 1, 1], &[10, 20]));
    let of = |labels: [i32; 2]| idx_of(0x0c, &[2], &labels.map(i32::to_be_bytes).concat());
    for (labels, got) in [([3, 256], "256"), ([3, -1], "-1")] {
        place.write("labels", &of(labels));
        let message = place.fails(65, "--data images");
        assert!(
            message.contains(&format!("labels: expected labels from 0 to 255, got {got} for image 1")),
            "{message}"
        );
    }
    place.write("labels", &idx(&[2, 3], &[0; 6]));
    let message = place.fails(65, "--data images");
    assert!(message.contains("expected labels, one for each image or 8 numbers as in QMNIST, got 3"), "{message}");
}

#[test]
fn labels_that_lie_are_refused() {
    let place = Place::new();
    place.write("images", &file());
    for content in [idx(&[5], &[1, 2]), gzip(&idx(&[5], &[1, 2])), gzip(&idx(&[5], &[0; 6])), file(), vec![]] {
        place.write("labels", &content);
        assert!(place.fails(65, "--data images").contains("labels: "));
    }
}

#[test]
fn sets_of_different_size_do_not_join() {
    let place = Place::new();
    set(&place, "set", "train", 3);
    place.write("set/t10k-images-idx3-ubyte", &idx(&[2, 1, 1], &[10, 20]));
    let message = place.fails(65, "--data set --split all");
    assert!(
        message.contains("--split all: joined images differ: expected |u1 [4, 3] as in the first, got |u1 [1, 1]"),
        "{message}"
    );
}

#[test]
fn bad_amat_text_names_its_line() {
    let place = Place::new();
    for (text, says) in [
        ("0 1 0 0\n0 1 1.5 0\n", "line 2: expected pixels from 0 to 1, got 1.5"),
        ("0 1 0 0\n0 1 -0.5 0\n", "line 2: expected pixels from 0 to 1, got -0.5"),
        ("0 1 0 0\n\n0 1 nan 0\n", "line 3: expected pixels from 0 to 1, got NaN"),
        ("0 1 0 0\n0 1 0,5 0\n", "line 2: expected numbers, got 0,5"),
        ("0 1 0 0\n0 1 0\n", "line 2: expected 4 numbers, got 3"),
        ("0 1 0 0 3\n0 1 0 0\n", "line 2: expected 5 numbers, got 4"),
        ("0 1 0 0 2.5\n", "line 1: expected a label from 0 to 255 as its last number, got 2.5"),
        ("0 1 0 0 -1\n", "line 1: expected a label from 0 to 255 as its last number, got -1"),
        ("0 1 0\n", "line 1: expected 784 pixels or another square, and perhaps a label, got 3 numbers"),
        ("", "expected lines of numbers, got none"),
        ("\n\n", "expected lines of numbers, got none"),
    ] {
        place.write("digits.amat", text.as_bytes());
        let message = place.fails(65, "--data digits.amat");
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn without_data_the_message_names_the_three_ways_to_get_some() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    for args in ["", "--data empty", "--data missing"] {
        let message = place.fails(66, args);
        for way in ["--data DIR", "MNIST_DIR", "--download", "--synthetic"] {
            assert!(message.contains(way), "{message}");
        }
    }
}

#[test]
fn a_file_that_is_not_there_is_no_input() {
    let place = Place::new();
    place.write("images", &file());
    assert!(place.fails(66, "--data images --labels missing").contains("missing: no such file"));
}

#[test]
fn offline_every_mirror_is_named() {
    let message = Place::new().fails(69, "--download --mirror http://127.0.0.1:1/a --mirror http://127.0.0.1:1/b/");
    for url in
        ["http://127.0.0.1:1/a/train-images-idx3-ubyte.gz: ", "http://127.0.0.1:1/b/train-images-idx3-ubyte.gz: "]
    {
        assert!(message.contains(url), "{message}");
    }
    assert!(message.contains("put MNIST's files into"), "{message}");
}
