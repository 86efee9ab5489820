//! `--preview`: images in the stream of a run, between its records.

use serde_json::json;

use crate::harness::{MODEL, TestDir};

const TRAIN: &str = "mnist-dump --synthetic=300 | vae-train -o model.bin --epochs 3 --batch 50 --preview 8";

#[test]
fn each_group_and_epoch_becomes_a_picture() {
    let dir = TestDir::new();
    dir.pipe(&format!("{TRAIN} {MODEL} | grid-png -o 'out/{{group}}-{{epoch:03}}.png'")).succeeds();
    for epoch in 1..=3 {
        assert_eq!(dir.png(&format!("out/recon-00{epoch}.png")), [242, 62], "a row of images, a row of theirs");
        assert_eq!(dir.png(&format!("out/sample-00{epoch}.png")), [242, 32]);
    }
    assert_eq!(dir.run("ls out | wc -l").succeeds().text().trim(), "6");
    dir.assert_differ("out/recon-001.png", "out/recon-003.png");
}

#[test]
fn without_a_pattern_the_last_epochs_picture_stays() {
    let dir = TestDir::new();
    dir.run(&format!("{TRAIN} {MODEL} > run.vae; grid-png run.vae > last.png")).succeeds();
    dir.run("grid-png run.vae -o '{group}-{epoch}.png'").succeeds();
    dir.assert_same("last.png", "recon-3.png");
    dir.run("grid-png run.vae --group sample > last.png").succeeds();
    dir.assert_same("last.png", "sample-3.png");
}

#[test]
fn the_records_are_those_of_a_run_without_pictures() {
    let dir = TestDir::new();
    dir.run(&format!("{TRAIN} {MODEL} > run.vae; mv model.bin with.bin")).succeeds();
    let records = dir.run(&TRAIN.replace("--preview 8", MODEL)).succeeds().records();
    dir.assert_same("model.bin", "with.bin");
    let kinds: Vec<_> = records.iter().map(|r| r["kind"].as_str().expect("a kind")).collect();
    assert_eq!(kinds, ["run", "epoch", "epoch", "epoch", "done"]);
    let counts = dir.run("vae-cat run.vae --check").succeeds().json();
    assert_eq!(counts["groups"], json!({"recon": 3, "sample": 3}));
    assert_eq!((&counts["records"], &counts["items"]), (&json!(5), &json!(0)));
}

#[test]
fn a_group_becomes_a_stream_of_its_own() {
    let dir = TestDir::new();
    dir.run(&format!("{TRAIN} {MODEL} > run.vae; vae-cat run.vae --group recon -o recon.vae")).succeeds();
    assert_eq!(dir.run("vae-cat recon.vae --check").succeeds().json()["items"], 24);
    dir.run("vae-cat recon.vae --npy x > x.npy; mnist-dump --synthetic=300 -n 8 --npy x > first.npy").succeeds();
    let (x, first) = (dir.npy::<u8>("x.npy"), dir.npy::<u8>("first.npy"));
    assert_eq!(
        x.as_slice(),
        Some([first.as_slice().expect("C order"); 3].concat().as_slice()),
        "the same items each time"
    );
}

#[test]
fn the_test_images_are_shown_where_there_are_any() {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=30 --split test -o test.vae").succeeds();
    dir.run(&format!("{TRAIN} {MODEL} --test test.vae | vae-cat --group recon --take 8 --npy x > x.npy")).succeeds();
    dir.run("vae-cat test.vae --take 8 --npy x > test.npy").succeeds();
    dir.assert_same("x.npy", "test.npy");
}
