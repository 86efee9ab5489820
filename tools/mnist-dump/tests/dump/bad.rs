//! What is wrong with the data, and how it is said.

use std::fs;
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
fn images_without_pixels_or_of_enormous_size_are_refused() {
    refused(&idx(&[5, 0, 3], &[]), "expected images of 1 to 67108864 pixels, got 0 x 3");
    refused(&gzip(&idx(&[5, 1 << 31, 1 << 31], &[])), "got 2147483648 x 2147483648");
}

#[test]
fn another_number_of_dimensions_is_refused() {
    refused(&idx(&[3], &[1, 2, 3]), "expected images (3 dimensions), got labels (1 dimension)");
    refused(&idx(&[2, 2], &[1, 2, 3, 4]), "expected images (3 dimensions), got 2 dimensions");
    refused(&idx(&[1, 1, 1, 3], &[1, 2, 3]), "expected images (3 dimensions), got 4 dimensions");
}

#[test]
fn another_type_is_refused() {
    let mut floats = file();
    floats[2] = 0x0d;
    refused(&floats, "expected bytes (IDX type 08), got IDX type 0d");
}

#[test]
fn what_is_no_idx_file_is_refused() {
    refused(b"\x89PNG\r\n\x1a\n", "expected an IDX file, raw or gzip, got [89, 50, 4e, 47] first");
    refused(&gzip(b"a text of some length"), "expected an IDX file, raw or gzip, got [61, 20, 74, 65] first");
    refused(b"", "ends before");
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
        message.contains("--split all: joined images differ: expected [4, 3] as in the first, got [1, 1]"),
        "{message}"
    );
}

#[test]
fn bad_amat_text_names_its_line() {
    let place = Place::new();
    for (text, says) in [
        ("0 1 0 0\n0 1 0.5 0\n", "line 2: expected pixels of 0 or 1, got 0.5"),
        ("0 1 0 0\n0 1 0\n", "line 2: expected 4 pixels, got 3"),
        ("0 1 0\n", "expected lines of 784 pixels or another square, got 3"),
        ("", "expected lines of 784 pixels or another square, got 0"),
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
