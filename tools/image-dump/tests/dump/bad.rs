//! Bad input: one line each, and no file.

use std::fs;
use std::process::Command;

use image::ImageFormat;

use crate::util::*;

#[test]
fn an_empty_folder_has_no_pictures() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    place.refuses(66, "empty", &["empty", "expected pictures, got none"]);
    place.refuses(66, "no-such-folder", &["no-such-folder", "no such file or folder"]);
}

#[test]
fn a_text_file_among_pictures_ends_the_run_unless_it_may_be_skipped() {
    let place = Place::with(&[("a.png", 1), ("z.png", 2)]);
    place.write("notes.txt", b"hello world\n");
    place.refuses(65, ".", &["./notes.txt", "expected a picture (PNG, JPEG, WebP, BMP, TIFF)", "hello", "--skip-bad"]);
    let (dump, messages) = place.dump_and_messages(". --skip-bad");
    assert_eq!((dump.x, dump.i), (vec![1, 2], vec![0, 2]));
    assert!(messages.contains("left out: ./notes.txt") && messages.contains("1 of the files"), "{messages}");
}

#[test]
fn a_picture_that_is_cut_off_is_found_in_every_format() {
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP] {
        let bytes = encode(&colour(32, 32, [1, 2, 3]), format);
        for length in [20, bytes.len() / 2, bytes.len() - 1] {
            let place = Place::with(&[]);
            place.write("a", &bytes[..length]);
            if format == ImageFormat::Png && length == bytes.len() - 1 {
                continue; // all of its pixels are there
            }
            place.refuses(65, ".", &["./a: ", "damaged"]);
        }
    }
}

#[test]
fn pictures_of_several_sizes_need_a_size() {
    let place = Place::new();
    place.write("a.png", &png(&grey(2, 3, 1)));
    place.write("b.png", &png(&grey(4, 5, 1)));
    place.refuses(65, ".", &["./b.png", "expected 2 x 3 pixels as in ./a.png, got 4 x 5", "--size"]);
}

#[test]
fn a_class_without_a_picture_is_named() {
    let place = Place::with(&[("a/1.png", 1), ("c/1.png", 2)]);
    fs::create_dir(place.path("b")).unwrap();
    place.refuses(65, ".", &["./b", "class without a picture"]);
}

#[test]
fn formats_that_are_not_read_are_named() {
    for (start, words) in [
        (&b"\0\0\0\x18ftypheic\0\0\0\0"[..], ["a HEIC picture", "heif-convert"]),
        (b"GIF89a\0\0\0\0", ["a GIF picture", "convert it"]),
        (b"\x1f\x8b\x08\0\0", ["gzip data", "gzip -dc"]),
        (b"version https://git-lfs.github.com/spec/v1\n", ["Git LFS pointer", "git lfs pull"]),
        (b"", ["an empty file", "make it again"]),
    ] {
        let place = Place::new();
        place.write("a.jpg", start);
        place.refuses(65, "a.jpg", &[&["a.jpg"][..], &words].concat());
    }
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked() {
    let place = Place::new();
    let mut bomb = png(&grey(1, 1, 0));
    bomb[16..24].copy_from_slice(&[60_000u32.to_be_bytes(), 60_000u32.to_be_bytes()].concat());
    let crc = crc32(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&crc.to_be_bytes());
    place.write("bomb.png", &bomb);
    place.refuses(65, ".", &["bomb.png", "at most 512 MB", "60000 x 60000"]);
    let bmp = encode(&colour(1, 1, [0; 3]), ImageFormat::Bmp);
    let bomb = [&bmp[..18], &60_000u32.to_le_bytes(), &60_000u32.to_le_bytes(), &bmp[26..]].concat();
    fs::remove_file(place.path("bomb.png")).unwrap();
    place.write("bomb.bmp", &bomb);
    place.refuses(65, ".", &["bomb.bmp", "at most 512 MB", "60000 x 60000"]);
    let jpeg = encode(&colour(1, 1, [0; 3]), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    let bomb = [&jpeg[..frame + 5], &60_000u16.to_be_bytes(), &60_000u16.to_be_bytes(), &jpeg[frame + 9..]].concat();
    fs::remove_file(place.path("bomb.bmp")).unwrap();
    place.write("bomb.jpg", &bomb);
    place.refuses(65, ".", &["bomb.jpg", "at most 512 MB", "60000 x 60000"]);
}

#[test]
fn what_is_no_file_is_refused_without_being_read() {
    let place = Place::with(&[("a.png", 1)]);
    assert!(Command::new("mkfifo").arg(place.path("b.png")).status().unwrap().success());
    place.refuses(65, ".", &["b.png", "expected a file, got a FIFO"]);
    place.refuses(2, "b.png", &["b.png", "expected a folder, a file or -"]);
    fs::remove_file(place.path("b.png")).unwrap();
    fs::File::create(place.path("film.mp4")).unwrap().set_len(1 << 31).unwrap();
    place.refuses(65, ".", &["film.mp4", "expected at most 1073741824 bytes, got 2147483648"]);
    assert_eq!(place.dump_and_messages(". --skip-bad").0.x, [1]);
}

#[test]
fn files_that_are_all_bad_are_no_pictures() {
    let place = Place::new();
    place.write("a.txt", b"hello");
    place.refuses(66, ". --skip-bad", &["got 1 files that cannot be read"]);
}

#[test]
fn a_first_file_that_is_bad_does_not_decide_the_shape() {
    let place = Place::with(&[("b.png", 3)]);
    place.write("a.txt", b"hello");
    let (dump, _) = place.dump_and_messages(". --skip-bad --shard 1/1");
    assert_eq!((dump.x, dump.i), (vec![3], vec![1]));
}
