//! Which images are taken, and in which order.

use crate::util::*;

fn place() -> Place {
    let place = Place::new();
    set(&place, "set", "train", 60);
    set(&place, "set", "t10k", 17);
    place
}

#[test]
fn shards_joined_are_the_whole_whatever_else_is_asked_for() {
    let place = place();
    for rest in
        ["", "--only 3,7,1", "--shuffle --seed 5", "--skip 4 -n 31", "--split all --only 2,4 --shuffle --skip 1 -n 9"]
    {
        let whole = place.dump(&format!("--data set {rest}")).items();
        for blocks in [1, 2, 7, 100] {
            let shards = (1..=blocks).map(|k| place.dump(&format!("--data set {rest} --shard {k}/{blocks}")).items());
            let shards: Vec<_> = shards.collect();
            let lengths: Vec<usize> = shards.iter().map(Vec::len).collect();
            assert!(lengths.iter().max().unwrap() - lengths.iter().min().unwrap() <= 1, "{lengths:?}");
            assert_eq!(shards.concat(), whole, "{rest} in {blocks}");
        }
    }
}

#[test]
fn shuffling_keeps_each_image_with_its_label_and_number() {
    let place = place();
    let plain = place.dump("--data set --split all").items();
    let mut shuffled = place.dump("--data set --split all --shuffle").items();
    assert_ne!(shuffled, plain);
    shuffled.sort_by_key(|(_, _, i)| *i);
    assert_eq!(shuffled, plain);
}

#[test]
fn a_shuffle_is_the_seeds_own() {
    let place = place();
    let numbers = |seed| place.dump(&format!("--data set --shuffle --seed {seed}")).i;
    assert_eq!(numbers(1), numbers(1));
    assert_ne!(numbers(1), numbers(2));
    assert_eq!(place.dump("--data set --shuffle").i, numbers(0));
}

#[test]
fn only_takes_the_labels_that_are_named() {
    let dump = place().dump("--data set --only 3,7");
    assert_eq!(dump.i, (0..60).filter(|i| [3, 7].contains(&(i * 7 % 10))).collect::<Vec<i64>>());
    assert!(dump.y.unwrap().iter().all(|y| [3, 7].contains(y)));
}

#[test]
fn skip_and_n_apply_to_what_only_and_shuffle_leave() {
    let place = place();
    for rest in ["", "--only 3,7", "--shuffle", "--shuffle --only 3,7"] {
        let before = place.dump(&format!("--data set {rest}")).items();
        let after = place.dump(&format!("--data set {rest} --skip 2 -n 5")).items();
        assert_eq!(after, before[2..7], "{rest}");
    }
}

#[test]
fn more_than_there_are_is_all_there_are() {
    let place = place();
    assert_eq!(place.dump("--data set -n 1000").i.len(), 60);
    assert_eq!(place.dump("--data set --skip 1000 -n 18446744073709551615").frames, [0; 0]);
    assert_eq!(place.dump("--data set -n 0").frames, [0; 0]);
    assert_eq!(place.dump("--data set --only 99").frames, [0; 0]);
}

#[test]
fn the_batch_cuts_frames_and_changes_nothing_else() {
    let place = place();
    let whole = place.dump("--data set");
    assert_eq!(whole.frames, [60]);
    for (batch, frames) in [(1, vec![1; 60]), (7, [vec![7; 8], vec![4]].concat()), (60, vec![60]), (61, vec![60])] {
        let dump = place.dump(&format!("--data set --batch {batch}"));
        assert_eq!((&dump.frames, dump.items()), (&frames, whole.items()));
    }
}

#[test]
fn frames_of_large_images_hold_fewer() {
    let place = Place::new();
    place.write("images", &idx(&[10, 2000, 2000], &vec![1; 40_000_000]));
    assert_eq!(place.dump("--data images").frames, [4, 4, 2]);
}

#[test]
fn a_shard_that_is_none_is_refused() {
    for shard in ["0/4", "5/4", "1/0", "1", "a/b", "1/4/2", "-1/4"] {
        let message = place().command("--data set").arg(format!("--shard={shard}")).output().unwrap();
        let message = String::from_utf8(message.stderr).unwrap();
        assert!(message.contains("expected I/N with I from 1 to N, as in 1/4"), "{shard}: {message}");
    }
}

#[test]
fn only_needs_labels() {
    let place = Place::new();
    place.write("images", &idx(&[2, 1, 1], &[10, 20]));
    let message = place.fails(2, "--data images --only 1");
    assert!(message.contains("--only: expected images with labels, got none"), "{message}");
}

#[test]
fn one_file_has_no_splits() {
    let place = Place::new();
    place.write("images", &idx(&[2, 1, 1], &[10, 20]));
    let message = place.fails(2, "--data images --split test");
    assert!(message.contains("--split: expected a folder as --data, got the file images"), "{message}");
}
