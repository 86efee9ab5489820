//! Tar archives, and the batches of CIFAR.

use crate::util::*;

fn files() -> Vec<(&'static str, Vec<u8>)> {
    let files = [("./set/b/2.png", 3), ("./set/a/10.png", 1), ("./set/a/2.png", 2), ("./set/b/1.png", 9)];
    files.map(|(name, level)| (name, png(&grey(1, 1, level)))).to_vec()
}

#[test]
fn an_archive_gives_what_its_folder_gives() {
    let place = Place::new();
    let archive = tar(&files());
    place.write("set.tar", &archive);
    for (name, content) in files() {
        place.write(format!("folder/{name}"), &content);
    }
    let expected = place.dump("folder");
    assert_eq!((&expected.x[..], &expected.y), (&[1, 2, 9, 3][..], &Some(vec![0, 0, 1, 1])));
    assert_eq!(place.dump("set.tar"), expected);
    assert_eq!(place.dump_of("-", &archive), expected);
}

#[test]
fn of_a_file_that_an_archive_holds_twice_the_last_counts() {
    let place = Place::new();
    place.write("a.tar", &tar(&[("1.png", png(&grey(1, 1, 1))), ("1.png", png(&grey(1, 1, 2)))]));
    assert_eq!(place.dump("a.tar").x, [2]);
}

#[test]
fn every_truncation_of_an_archive_is_found() {
    let archive = tar(&files()[..2]);
    let place = Place::new();
    let content = archive.len() - 1024; // its end is two blocks of zeros
    for length in (513..content + 512).step_by(256).chain([content]) {
        place.write("a.tar", &archive[..length]);
        place.refuses(65, "a.tar", &["a.tar", "tar archive", "copy it anew"]);
    }
}

#[test]
fn a_link_in_an_archive_is_no_picture() {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    archive.append_link(&mut header, "a.png", "b.png").unwrap();
    let place = Place::new();
    place.write("a.tar", &archive.into_inner().unwrap());
    place.refuses(65, "a.tar", &["a.png", "link", "--dereference"]);
}

#[test]
fn one_picture_may_come_on_standard_input() {
    assert_eq!(Place::new().dump_of("-", &png(&grey(1, 2, 5))).x, [5, 5]);
}

/// A batch of CIFAR: the labels of an image and its level in red, green and blue.
fn batch(images: &[(&[u8], [u8; 3])]) -> Vec<u8> {
    let image =
        |(labels, levels): &(&[u8], [u8; 3])| [labels.to_vec(), levels.map(|level| [level; 1024]).concat()].concat();
    images.iter().flat_map(image).collect()
}

#[test]
fn batches_of_cifar_have_labels_and_names_of_classes() {
    let place = Place::new();
    place.write("set/data_batch_1.bin", &batch(&[(&[3], [1, 2, 3]), (&[9], [4, 5, 6])]));
    place.write("set/test_batch.bin", &batch(&[(&[0], [7, 8, 9])]));
    place.write("set/batches.meta.txt", b"airplane\nautomobile\n\n");
    place.write("set/readme.html", b"<html>");
    let dump = place.dump("set --split all --names names");
    assert_eq!((dump.shape, dump.y), (vec![32, 32, 3], Some(vec![3, 9, 0])));
    assert_eq!((&dump.x[..6], &dump.x[2 * 3072..][..3]), (&[1, 2, 3, 1, 2, 3][..], &[7, 8, 9][..]));
    assert_eq!(dump.classes, ["airplane", "automobile"]);
    assert_eq!(place.dump("set --split test").y, Some(vec![0]));
    let (_, messages) = place.dump_and_messages("set");
    assert!(messages.contains("--split"), "{messages}");
    let names = std::fs::read_to_string(place.path("names")).unwrap();
    assert!(names.starts_with("{\"i\":0,\"path\":\"data_batch_1.bin/00000\"}\n"), "{names}");
}

#[test]
fn the_label_of_cifar_100_is_the_fine_one() {
    let place = Place::new();
    place.write("train.bin", &batch(&[(&[19, 99], [1, 2, 3])]));
    let dump = place.dump("train.bin");
    assert_eq!((dump.y, &dump.x[..3]), (Some(vec![99]), &[1, 2, 3][..]));
}
