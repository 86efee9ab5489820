//! The built-in digits.

use vae_stream::sha256;

use crate::util::*;

#[test]
fn an_item_depends_on_the_seed_the_split_and_its_number_alone() {
    let place = Place::new();
    let whole = place.dump("--synthetic=500").items();
    for args in
        ["--synthetic -n 500", "--synthetic=500 --batch 7", "--synthetic=9999 -n 500", "--synthetic -n 500 --split all"]
    {
        assert!(place.dump(args).items() == whole, "{args}");
    }
    assert!(place.dump("--synthetic --skip 450 -n 50").items() == whole[450..]);
    for args in ["--synthetic=500 --shuffle --only 3,7", "--synthetic=500 --shard 3/4"] {
        for item in place.dump(args).items() {
            assert!(item == whole[item.2 as usize], "{args}");
        }
    }
}

/// As `mnist-dump --synthetic=1000 --npy x | tail -c 784000 | sha256sum` printed when the digits were last changed.
#[test]
fn the_digits_are_the_same_on_every_machine() {
    let dump = Place::new().dump("--synthetic=1000");
    assert_eq!(sha256(&dump.x), "dae28c8804f1c2b9a935772b88fa98d2c6a011da44af7ad36e35984daeef33a5");
}

#[test]
fn there_are_as_many_as_mnist_has() {
    let place = Place::new();
    assert_eq!(place.dump("--synthetic --skip 59000").i.last(), Some(&59_999));
    assert_eq!(place.dump("--synthetic --split test --skip 9000").i.last(), Some(&9_999));
    assert_eq!(place.dump("--synthetic --split all --skip 69000").i.last(), Some(&69_999));
}

#[test]
fn seeds_and_splits_give_other_digits() {
    let place = Place::new();
    let mut sets = ["", "--seed 1", "--split test"].map(|args| place.dump(&format!("--synthetic=300 {args}")).items());
    let mut all: Vec<Vec<u8>> = sets.iter_mut().flatten().map(|(x, _, _)| std::mem::take(x)).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 900);
}

#[test]
fn every_digit_is_drawn_about_as_often() {
    let y = Place::new().dump("--synthetic=10000").y.unwrap();
    for digit in 0..10 {
        // 1000 are expected, with a standard deviation of 30
        let count = y.iter().filter(|y| **y == digit).count();
        assert!((880..1120).contains(&count), "{count} of digit {digit}");
    }
}

#[test]
fn a_digit_lies_in_the_middle_of_its_picture_with_ink_like_mnists() {
    for (x, y, i) in Place::new().dump("--synthetic=2000").items() {
        let ink: f64 = x.iter().map(|v| f64::from(*v)).sum();
        let centre =
            |at: fn(usize) -> usize| x.iter().enumerate().map(|(k, v)| f64::from(*v) * at(k) as f64).sum::<f64>() / ink;
        let (row, column) = (centre(|k| k / 28), centre(|k| k % 28));
        // drawn with a spread of 0.55 that ends at 3.5 of them, and half a pixel for what the pen's width adds
        assert!((row - 13.5).abs() < 2.5 && (column - 13.5).abs() < 2.5, "item {i}, a {y:?}: {row} {column}");
        // MNIST's training images have 2 % to 57 %
        assert!((0.01..0.6).contains(&(ink / 784.0 / 255.0)), "item {i}, a {y:?}: {ink}");
    }
}

#[test]
fn built_in_digits_need_no_data_and_take_none() {
    let place = Place::new();
    for args in
        ["--synthetic --data set", "--synthetic --download", "--synthetic --labels set", "--synthetic --mirror url"]
    {
        assert_eq!(place.command(args).output().unwrap().status.code(), Some(2), "{args}");
    }
}
