//! MNIST itself, where it is at hand.

use vae_stream::sha256;

use crate::util::*;

#[test]
fn mnist_comes_through_to_the_byte() {
    let Some(folder) = real() else { return };
    let dump = parse(&Place::new().command("").env("MNIST_DIR", &folder).output().unwrap().stdout);
    // of the uncompressed train-images-idx3-ubyte, as it was published
    let published = "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db";
    assert_eq!(sha256(&idx(&[60_000, 28, 28], &dump.x)), published);
    assert_eq!(&dump.y.unwrap()[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
}

#[test]
fn train_and_test_follow_one_another() {
    let Some(folder) = real() else { return };
    let run = |args: &str| parse(&Place::new().command(args).env("MNIST_DIR", &folder).output().unwrap().stdout);
    let (all, test) = (run("--split all --skip 59990 -n 20").items(), run("--split test -n 10").items());
    assert_eq!(all.iter().map(|item| item.2).collect::<Vec<i64>>(), (59_990..60_010).collect::<Vec<i64>>());
    for (a, b) in all[10..].iter().zip(&test) {
        assert_eq!((&a.0, a.1, a.2), (&b.0, b.1, b.2 + 60_000));
    }
}
