//! Pipes that end in grid-png, as the README has them.

use crate::harness::{TestDir, idx};

#[test]
fn the_pipe_typed_as_in_the_readme_gives_a_picture() {
    let mut dir = TestDir::with_model();
    dir.set("MNIST_DIR", idx());
    dir.pipe("mnist-dump | vae-encode -m model.bin | vae-decode | grid-png > out.png").succeeds();
    assert_eq!(dir.png("out.png"), [242, 242], "8 x 8 images of 28 pixels, with 2 between them");
}

#[test]
fn originals_stand_above_their_reconstructions() {
    let dir = TestDir::with_model();
    let line = "mnist-dump --synthetic=100 --split test | vae-encode -m model.bin --keep x | vae-decode | \
                grid-png --tensor x --tensor x_hat > compare.png";
    dir.pipe(line).succeeds();
    assert_eq!(dir.png("compare.png"), [242, 482]);
}

#[test]
fn draws_from_the_prior_become_a_picture() {
    let dir = TestDir::with_model();
    dir.pipe("vae-sample -m model.bin -n 20 | vae-decode | grid-png --nrow 10 > samples.png").succeeds();
    assert_eq!(dir.png("samples.png"), [302, 62]);
}

#[test]
fn a_picture_goes_to_a_file_as_to_standard_output() {
    let dir = TestDir::with_model();
    dir.run("vae-sample -m model.bin | vae-decode -o x_hat.vae").succeeds();
    dir.run("grid-png x_hat.vae > a.png; grid-png x_hat.vae -o b.png; grid-png -o c.png < x_hat.vae").succeeds();
    dir.assert_same("a.png", "b.png");
    dir.assert_same("a.png", "c.png");
}

#[test]
fn latents_can_be_typed() {
    let dir = TestDir::with_model();
    dir.pipe(r#"echo '{"z":[0.5,-1.0,0,2]}' | vae-decode -m model.bin | grid-png > one.png"#).succeeds();
    assert_eq!(dir.png("one.png"), [28, 28], "a lone image has no padding");
    let two =
        r#"printf '{"z":[0.5,-1,0,2],"y":3}\n{"z":[0,0,0,1e-3],"y":4}\n' | vae-decode -m model.bin | vae-cat --check"#;
    assert_eq!(dir.pipe(two).succeeds().json()["items"], 2);
}

#[test]
fn a_picture_stops_the_pipe_as_soon_as_it_is_full() {
    let dir = TestDir::with_model();
    // All would be 100 million images, and hours.
    let line = "mnist-dump --synthetic=100000000 | vae-encode -m model.bin | vae-decode | grid-png > out.png";
    dir.pipe(line).succeeds();
    assert_eq!(dir.png("out.png"), [242, 242]);
}

#[test]
fn the_synthetic_digits_need_no_data_and_labels_choose_among_them() {
    let dir = TestDir::new();
    dir.pipe("mnist-dump --synthetic=1000 --only 3,7 -n 16 | grid-png -o threes.png").succeeds();
    assert_eq!(dir.png("threes.png"), [242, 62]);
    let dump = dir.run("mnist-dump --synthetic=1000 --only 3,7 --npy y > y.npy").succeeds();
    assert!(dump.stdout.is_empty());
    let y = dir.npy::<u8>("y.npy");
    assert!(y.iter().all(|y| [3, 7].contains(y)) && y.len() > 100, "{y}");
}
