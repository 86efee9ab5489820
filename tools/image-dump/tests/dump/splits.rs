//! Splits: folders, and a part held out by the hash of the path.

use crate::util::*;

fn splits() -> Place {
    Place::with(&[("test/b/1.png", 1), ("train/a/2.png", 2), ("train/b/3.png", 3)])
}

#[test]
fn folders_for_training_and_test_are_splits_with_the_same_classes() {
    let place = splits();
    let (train, test) = (place.dump(". --split train"), place.dump(". --split test"));
    assert_eq!((train.x, train.y, train.i), (vec![2, 3], Some(vec![0, 1]), vec![0, 1]));
    assert_eq!((test.x, test.y, test.i), (vec![1], Some(vec![1]), vec![0]));
    assert_eq!((train.classes, test.classes), (vec!["a".into(), "b".into()], vec!["a".into(), "b".into()]));
    assert_eq!(place.dump(". --split all").x, [1, 2, 3]);
}

#[test]
fn without_split_those_for_training_are_read_which_is_said() {
    let (dump, messages) = splits().dump_and_messages(".");
    assert_eq!(dump.x, [2, 3]);
    assert!(messages.contains("--split test or all") && messages.lines().count() == 1, "{messages}");
}

#[test]
fn files_beside_the_splits_belong_to_none() {
    let place = splits();
    place.write("README.txt", b"hello");
    assert_eq!(place.dump(". --split train").x, [2, 3]);
    place.refuses(65, ".", &["README.txt", "expected a picture"]);
}

#[test]
fn what_is_held_out_stays_so_when_the_folder_grows() {
    let names: Vec<String> = (0..100).map(|k| format!("{k}.png")).collect();
    let of = |names: &[String]| {
        let pictures: Vec<(&str, u8)> =
            names.iter().map(|name| (&name[..], name[..name.len() - 4].parse().unwrap())).collect();
        let place = Place::with(&pictures);
        let [train, test] = ["train", "test"].map(|split| place.dump(&format!(". --split {split} --held-out 0.2")));
        assert_eq!(train.x.len() + test.x.len(), names.len());
        let mut i = [&train.i[..], &test.i].concat();
        i.sort_unstable();
        assert_eq!(i, (0..names.len() as i64).collect::<Vec<_>>(), "indices are those of the whole");
        test.x
    };
    let (few, all) = (of(&names[..50]), of(&names));
    assert!((10..30).contains(&all.len()), "{all:?}");
    assert!(!few.is_empty() && few.iter().all(|level| all.contains(level)), "{few:?} {all:?}");
    assert!(all.iter().all(|level| *level >= 50 || few.contains(level)), "{few:?} {all:?}");
}

#[test]
fn split_needs_folders_or_a_fraction_and_not_both() {
    Place::with(&[("1.png", 1)]).refuses(2, ". --split test", &["--split", "--held-out"]);
    splits().refuses(2, ". --split test --held-out 0.1", &["--held-out", "leave out"]);
}
