//! vae-plot: curves of logs, and scatter plots of latents.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::harness::{MODEL, TestDir};

const TRAIN: &str = "vae-train --epochs 3 --batch 50 digits.vae --test test.vae -o model.bin";

fn with_digits() -> TestDir {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=300 -o digits.vae; mnist-dump --synthetic=100 --split test -o test.vae").succeeds();
    dir
}

#[test]
fn the_losses_of_a_run_go_straight_into_a_picture() {
    let dir = with_digits();
    dir.pipe(&format!("{TRAIN} {MODEL} | tee run.jsonl | vae-plot loss -o loss.png")).succeeds();
    assert_eq!(dir.png("loss.png"), [1980, 600], "loss, reconstruction and KL");
    dir.run("vae-plot loss run.jsonl > again.png").succeeds();
    dir.assert_same("loss.png", "again.png");
}

#[test]
fn a_run_with_previews_gives_the_same_picture() {
    let dir = with_digits();
    dir.run(&format!("{TRAIN} {MODEL} > run.jsonl; {TRAIN} {MODEL} --preview 4 > run.vae")).succeeds();
    dir.run("vae-plot loss run.jsonl -o a.svg; vae-plot loss run.vae -o b.svg").succeeds();
    dir.assert_same("a.svg", "b.svg");
}

#[test]
fn a_run_that_is_killed_shows_its_epochs() {
    let dir = with_digits();
    for preview in ["", "--preview 4"] {
        let line = format!("vae-train {MODEL} --epochs 100000 --batch 50 digits.vae -o model.bin {preview}");
        let mut words = line.split_whitespace();
        let mut command = dir.command(words.next().expect("a program"));
        let mut run = command.args(words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("vae-train");
        let mut output = BufReader::new(run.stdout.take().expect("a pipe"));
        let mut log = Vec::new();
        while !String::from_utf8_lossy(&log).contains("\"epoch\":3,\"epochs\"") {
            assert_ne!(output.read_until(b'\n', &mut log).expect("a line"), 0, "{line}");
        }
        run.kill().expect("a signal");
        run.wait().expect("an end");
        dir.write("killed", &log);
        dir.run("vae-plot loss --show loss killed -o loss.svg").succeeds();
        let svg = String::from_utf8(dir.read("loss.svg")).expect("text");
        assert_eq!(svg.matches("<circle ").count(), 3, "{preview}");
    }
}

#[test]
fn every_kind_of_model_has_a_picture_of_its_losses() {
    let dir = with_digits();
    for (preset, axis) in [
        ("vae-64-10", "KL divergence (nats per image)"),
        ("cvae-prior", "KL divergence (nats per image)"),
        ("ae-20", "squared error (per pixel)"),
    ] {
        dir.run(&format!("{TRAIN} --preset {preset} > {preset}.jsonl; vae-plot loss {preset}.jsonl -o a.svg"))
            .succeeds();
        let svg = String::from_utf8(dir.read("a.svg")).expect("text");
        assert!(svg.contains(axis), "{preset}");
    }
    let train = "vae-train --preset pca-20 digits.vae --test test.vae -o model.bin";
    dir.run(&format!("{train} > pca-20.jsonl; vae-plot loss pca-20.jsonl ae-20.jsonl -o a.svg")).succeeds();
    let svg = String::from_utf8(dir.read("a.svg")).expect("text");
    assert!(["pca-20.jsonl", "ae-20.jsonl", "squared error"].iter().all(|text| svg.contains(text)));
    dir.run("vae-plot loss *.jsonl -o a.svg").succeeds();
}

#[test]
fn encoded_images_are_points_in_the_colours_of_their_digits() {
    let dir = TestDir::with_model();
    let encode = "mnist-dump --synthetic=300 --only 0,1,2,3,4 | vae-encode -m model.bin";
    dir.pipe(&format!("{encode} | tee z.vae | vae-plot latent -o latent.png")).succeeds();
    assert_eq!(dir.png("latent.png"), [1040, 920]);
    dir.run("vae-plot latent z.vae -o a.svg").succeeds();
    let svg = String::from_utf8(dir.read("a.svg")).expect("text");
    let items = dir.run("vae-cat z.vae --check").succeeds().json()["items"].as_u64().expect("a number") as usize;
    assert_eq!(svg.matches("<circle ").count(), items + 5 + 5, "the items, the legend, and the badges");
    assert!(svg.contains("principal component 1 ("), "of 4 dimensions");
}

#[test]
fn arrays_that_are_joined_are_plotted_as_streams_are() {
    let dir = TestDir::with_model();
    dir.run("mnist-dump --synthetic=100 | vae-encode -m model.bin -o z.vae").succeeds();
    dir.run("vae-cat z.vae --npy z > z.npy; vae-cat z.vae --npy y > y.npy").succeeds();
    dir.pipe("vae-cat z=z.npy y=y.npy | vae-plot latent --dims 3,1 -o a.svg").succeeds();
    dir.run("vae-plot latent --dims 3,1 z.vae -o b.svg").succeeds();
    dir.assert_same("a.svg", "b.svg");
}

#[test]
fn an_embedded_model_and_draws_do_no_harm() {
    let dir = TestDir::with_model();
    let encode = "mnist-dump --synthetic=100 | vae-encode -m model.bin";
    dir.run(&format!("{encode} --embed-model | vae-plot latent -o a.svg; {encode} | vae-plot latent -o b.svg"))
        .succeeds();
    dir.assert_same("a.svg", "b.svg");
    dir.run("vae-sample -m model.bin -n 100 | vae-plot latent -o c.svg").succeeds();
    let svg = String::from_utf8(dir.read("c.svg")).expect("text");
    assert_eq!(svg.matches("<circle ").count(), 100, "draws have no labels, and so no legend");
}
