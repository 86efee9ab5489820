//! The preset pca-20: principal components instead of a network.

use crate::harness::{TestDir, repository};

const FIND: &str = "vae-train --preset pca-20 digits.vae -o pca.bin";

fn with_components() -> TestDir {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=300 -o digits.vae; mnist-dump --synthetic=50 --split test -o test.vae").succeeds();
    dir.run(&format!("{FIND} --test test.vae > losses.jsonl")).succeeds();
    dir
}

#[test]
fn they_encode_and_decode_as_networks_do_and_their_loss_is_that_of_the_pipe() {
    let dir = with_components();
    let records = dir.run("cat losses.jsonl").succeeds().records();
    let kinds: Vec<_> = records.iter().map(|r| r["kind"].as_str().expect("a kind")).collect();
    assert_eq!(kinds, ["run", "epoch", "done"]);
    for (part, file) in [("train", "digits.vae"), ("test", "test.vae")] {
        dir.pipe(&format!("vae-encode -m pca.bin {file} | vae-decode --npy x_hat > x_hat.npy")).succeeds();
        dir.run(&format!("vae-cat {file} --npy x > x.npy")).succeeds();
        let (x, x_hat) = (dir.npy::<u8>("x.npy").mapv(f64::from) / 255.0, dir.npy::<f32>("x_hat.npy").mapv(f64::from));
        let expected = (x - x_hat).mapv(|d| d * d).mean().expect("pixels");
        let mse = records[1][part]["mse"].as_f64().expect("a number");
        assert!((mse - expected).abs() < 1e-6, "{part}: expected {expected}, got {mse}");
        assert_eq!(records[1][part]["kl"], 0.0);
    }
    dir.pipe("vae-encode -m pca.bin --keep x test.vae | vae-decode | grid-png --tensor x --tensor x_hat > a.png")
        .succeeds();
    assert_eq!(dir.png("a.png"), [242, 422]);
}

#[test]
fn the_model_has_the_same_bytes_for_any_number_of_threads() {
    let dir = with_components();
    for threads in [1, 3] {
        dir.run(&format!("cp pca.bin before.bin; {FIND} --threads {threads} > losses.jsonl")).succeeds();
        dir.assert_same("before.bin", "pca.bin");
    }
}

#[test]
fn pixels_beyond_black_and_white_become_black_and_white() {
    let dir = with_components();
    dir.run("vae-encode -m pca.bin test.vae -o z.vae; vae-decode z.vae --npy x_hat > x_hat.npy").succeeds();
    dir.run("vae-decode z.vae --u8 --npy x_hat > bytes.npy; vae-decode z.vae --bernoulli --npy x_hat > drawn.npy")
        .succeeds();
    let (x_hat, bytes, drawn) = (dir.npy::<f32>("x_hat.npy"), dir.npy::<u8>("bytes.npy"), dir.npy::<f32>("drawn.npy"));
    let all = || x_hat.iter().zip(&bytes).zip(&drawn);
    let dark: Vec<_> = all().filter(|((mean, _), _)| **mean < 0.0).collect();
    let bright: Vec<_> = all().filter(|((mean, _), _)| **mean > 1.0).collect();
    assert!(dark.len() > 100 && bright.len() > 10, "{} below 0, {} above 1", dark.len(), bright.len());
    assert!(dark.iter().all(|((_, byte), drawn)| (**byte, **drawn) == (0, 0.0)));
    assert!(bright.iter().all(|((_, byte), drawn)| (**byte, **drawn) == (255, 1.0)));
}

#[test]
fn a_preview_shows_reconstructions_alone() {
    let dir = with_components();
    dir.pipe(&format!("{FIND} --preview 8 | tee run.vae | grid-png -o '{{group}}-{{epoch}}.png'")).succeeds();
    assert_eq!(dir.png("recon-1.png"), [242, 62]);
    let counts = dir.run("vae-cat run.vae --check").succeeds().json();
    assert_eq!((&counts["groups"], &counts["records"]), (&serde_json::json!({"recon": 1}), &3.into()));
}

#[test]
fn options_of_networks_and_training_are_refused_by_name() {
    let dir = with_components();
    dir.run("rm pca.bin").succeeds();
    let before = dir.files();
    for option in [
        "--epochs 1",
        "--lr 1e-3",
        "--batch 9",
        "--seed 1",
        "--hidden 9",
        "--conv 9",
        "--autoencoder",
        "--classes 10",
        "--beta 1",
        "--samples 2",
        "--sigma 1",
        "--binarize static",
        "--init glorot",
        "--precision bf16",
        "--checkpoint a.ckpt",
        "--every 9",
        "--resume",
        "--epochs 1 --dry-run",
    ] {
        let name = option.split(' ').next().expect("a name");
        let words = [name, "has no meaning for pca-20", "--latent, --test and --preview"];
        dir.run(&format!("{FIND} {option}")).fails(2, "vae-train", &words);
        assert_eq!(dir.files(), before, "{option}");
    }
}

#[test]
fn images_that_have_no_such_components_are_refused() {
    let dir = with_components();
    dir.run("rm pca.bin; vae-cat --take 19 digits.vae -o few.vae").succeeds();
    dir.write_npy("small.npy", &ndarray::Array3::<u8>::from_elem((4, 20, 16), 9));
    let before = dir.files();
    let few = FIND.replace("digits.vae", "few.vae");
    dir.run(&few).fails(2, "vae-train", &["--latent is 20", "at most 19 components, one for each image"]);
    let pixels = format!("{FIND} --latent 785");
    dir.run(&pixels).fails(2, "vae-train", &["--latent is 785", "at most 784 components, one for each pixel"]);
    dir.run(&format!("{FIND} --test small.npy")).fails(65, "vae-train", &["test images", "[20, 16]", "[28, 28]"]);
    assert_eq!(dir.files(), before);
}

#[test]
fn nothing_is_drawn_from_them() {
    let dir = with_components();
    dir.run("vae-encode -m pca.bin test.vae --sample").fails(2, "vae-encode", &["is a point", "--sample"]);
    dir.run("vae-encode -m pca.bin test.vae --emit logvar").fails(2, "vae-encode", &["--emit logvar", "is a point"]);
    dir.run("vae-sample -m pca.bin").fails(2, "vae-sample", &["no prior", "vae-encode"]);
}

#[test]
fn the_example_compares_them_with_networks() {
    let mut dir = TestDir::new();
    dir.set("ROOT", repository());
    dir.set("DATA", "--synthetic=400");
    let output = dir.run("EPOCHS=5 $ROOT/examples/compare.sh here 2> log").succeeds();
    assert_eq!(dir.png("here/compare.png"), [482, 122], "16 images, and a row for each model");
    let errors = output.text().lines().filter_map(|line| line.strip_suffix(" per pixel")?.split_once(' '));
    let errors: Vec<(&str, f64)> =
        errors.filter_map(|(model, error)| Some((model, error.trim().parse().ok()?))).collect();
    assert_eq!(errors.iter().map(|(model, _)| *model).collect::<Vec<_>>(), ["pca-20", "ae-20", "vae-64-10"]);
    // Black pictures would leave 0.1.
    assert!(errors.iter().all(|(_, error)| (0.005..0.08).contains(error)), "{errors:?}");
}
