//! Folders: the order of pictures, classes, names, selection.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use crate::util::*;

/// Pictures whose level is their position.
fn classes() -> Place {
    Place::with(&[("a/a/1.png", 0), ("a/b.png", 1), ("a b/1.png", 2), ("b/1.png", 3), ("b/10.png", 4), ("b/2.png", 5)])
}

#[test]
fn pictures_come_in_the_order_of_their_paths_and_sub_folders_are_classes() {
    let place = classes();
    place.write(".hidden.txt", b"text");
    place.write("b/.DS_Store", b"text");
    let dump = place.dump(".");
    assert_eq!((dump.x, dump.i), (vec![0, 1, 2, 3, 4, 5], vec![0, 1, 2, 3, 4, 5]));
    assert_eq!((dump.shape, dump.y), (vec![1, 1], Some(vec![0, 0, 1, 2, 2, 2])));
    assert_eq!(dump.classes, ["a", "a b", "b"]);
}

#[test]
fn any_number_of_threads_and_any_frames_give_the_same_bytes() {
    let pictures: Vec<(String, u8)> = (0..200).map(|k| (format!("{}/{k}.png", k % 3), k as u8)).collect();
    let place = Place::with(&pictures.iter().map(|(name, level)| (&name[..], *level)).collect::<Vec<_>>());
    let expected = place.dump(".");
    for args in [". --threads 1", ". --threads 7", ". --batch 3 --threads 3"] {
        assert_eq!(place.dump(args), expected, "{args}");
    }
}

#[test]
fn selection_is_that_of_mnist_dump_and_takes_the_names_of_classes() {
    let place = classes();
    assert_eq!(place.dump(". --only a,2").i, [0, 1, 3, 4, 5]);
    assert_eq!(place.dump(". --only b --skip 1 -n 1").x, [4]);
    let shuffled = place.dump(". --shuffle --seed 3").i;
    let shards = ["1/2", "2/2"].map(|shard| place.dump(&format!(". --shuffle --seed 3 --shard {shard}")).i);
    assert_eq!(shards.concat(), shuffled);
    assert_ne!(shuffled, [0, 1, 2, 3, 4, 5]);
    place.refuses(2, ". --only c", &["--only", "name of a class", "got c"]);
}

#[test]
fn names_are_written_beside_the_stream() {
    let place = classes();
    place.dump(". --only b --flip -n 3 --names names.jsonl");
    let names = fs::read_to_string(place.path("names.jsonl")).unwrap();
    let expected = "{\"i\":6,\"path\":\"b/1.png\"}\n{\"i\":7,\"path\":\"b/1.png\",\"flip\":true}\n{\"i\":8,\"path\":\"b/10.png\"}\n";
    assert_eq!(names, expected);
}

#[test]
fn pictures_beside_sub_folders_have_no_labels_which_is_said() {
    let place = Place::with(&[("1.png", 1), ("a/2.png", 2)]);
    let (dump, messages) = place.dump_and_messages(".");
    assert_eq!((dump.x, dump.y), (vec![1, 2], None));
    assert!(messages.contains("no labels y") && messages.lines().count() == 1, "{messages}");
}

#[test]
fn the_only_folder_at_the_top_is_no_class() {
    let place = Place::with(&[("photos/a/1.png", 1), ("photos/b/2.png", 2)]);
    assert_eq!(place.dump(".").classes, ["a", "b"]);
    assert_eq!(Place::with(&[("photos/1.png", 1)]).dump(".").y, None);
}

#[test]
fn files_and_folders_may_be_named_together_and_links_are_followed() {
    let place = Place::with(&[("b/2.png", 2), ("b/1.png", 1), ("a/3.png", 3)]);
    symlink(place.path("a"), place.path("b/link")).unwrap();
    let dump = place.dump("b a/3.png");
    assert_eq!((dump.x, dump.y), (vec![1, 2, 3, 3], None));
}

#[test]
fn more_than_256_classes_have_labels_of_two_bytes() {
    let pictures: Vec<(String, u8)> = (0..257).map(|k| (format!("{k:03}/x.png"), 0)).collect();
    let place = Place::with(&pictures.iter().map(|(name, level)| (&name[..], *level)).collect::<Vec<_>>());
    let output = place.run(".", &[]);
    assert!(output.stdout.windows(16).any(|w| w == b"\"y\":{\"dtype\":\"<u"));
    let dump = parse(&output.stdout);
    assert_eq!((dump.classes.len(), dump.y.unwrap()[256]), (257, 256));
}

#[test]
fn a_file_may_have_a_name_that_is_no_utf8_and_a_class_may_not() {
    let place = Place::new();
    place.write(OsStr::from_bytes(b"\xff.png"), &png(&grey(1, 1, 7)));
    assert_eq!(place.dump(".").x, [7]);
    place.refuses(65, ".", &["--names", "UTF-8", "rename"]);
    let place = Place::with(&[("a/1.png", 1)]);
    place.write(OsStr::from_bytes(b"\xff/2.png"), &png(&grey(1, 1, 7)));
    place.refuses(65, ".", &["name of a class", "UTF-8", "rename"]);
}

#[test]
fn the_mirror_image_follows_each_picture() {
    let place = Place::new();
    let mut picture = colour(1, 2, [0; 3]).into_rgb8();
    picture.put_pixel(0, 0, image::Rgb([1, 2, 3]));
    place.write("p.png", &png(&picture.into()));
    let dump = place.dump(". --flip");
    assert_eq!((dump.x, dump.i), (vec![1, 2, 3, 0, 0, 0, 0, 0, 0, 1, 2, 3], vec![0, 1]));
    assert_eq!(place.dump(". --flip --skip 1").x, [0, 0, 0, 1, 2, 3]);
}
