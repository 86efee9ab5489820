//! Pictures of a model in training, in the stream between its records.

use serde_json::json;

use crate::{MODEL, Place};

const TRAIN: &str = "mnist-dump --synthetic=300 | vae-train -o model.bin --epochs 3 --batch 50 --preview 8";

#[test]
fn each_group_and_epoch_becomes_a_picture() {
    let place = Place::new();
    place.pipe(&format!("{TRAIN} {MODEL} | grid-png -o 'out/{{group}}-{{epoch:03}}.png'")).succeeds();
    for epoch in 1..=3 {
        assert_eq!(place.png(&format!("out/recon-00{epoch}.png")), [242, 62], "a row of images, a row of theirs");
        assert_eq!(place.png(&format!("out/sample-00{epoch}.png")), [242, 32]);
    }
    assert_eq!(place.run("ls out | wc -l").succeeds().text().trim(), "6");
    place.assert_differ("out/recon-001.png", "out/recon-003.png");
}

#[test]
fn without_a_pattern_the_last_epochs_picture_stays() {
    let place = Place::new();
    place.run(&format!("{TRAIN} {MODEL} > run.vae; grid-png run.vae > last.png")).succeeds();
    place.run("grid-png run.vae -o '{group}-{epoch}.png'").succeeds();
    place.assert_same("last.png", "recon-3.png");
    place.run("grid-png run.vae --group sample > last.png").succeeds();
    place.assert_same("last.png", "sample-3.png");
}

#[test]
fn the_records_are_those_of_a_run_without_pictures() {
    let place = Place::new();
    place.run(&format!("{TRAIN} {MODEL} > run.vae; mv model.bin with.bin")).succeeds();
    let records = place.run(&TRAIN.replace("--preview 8", MODEL)).succeeds().records();
    place.assert_same("model.bin", "with.bin");
    let kinds: Vec<_> = records.iter().map(|r| r["kind"].as_str().expect("a kind")).collect();
    assert_eq!(kinds, ["run", "epoch", "epoch", "epoch", "done"]);
    let counts = place.run("vae-cat run.vae --check").succeeds().json();
    assert_eq!(counts["groups"], json!({"recon": 3, "sample": 3}));
    assert_eq!((&counts["records"], &counts["items"]), (&json!(5), &json!(0)));
}

#[test]
fn a_group_becomes_a_stream_of_its_own() {
    let place = Place::new();
    place.run(&format!("{TRAIN} {MODEL} > run.vae; vae-cat run.vae --group recon -o recon.vae")).succeeds();
    assert_eq!(place.run("vae-cat recon.vae --check").succeeds().json()["items"], 24);
    place.run("vae-cat recon.vae --npy x > x.npy; mnist-dump --synthetic=300 -n 8 --npy x > first.npy").succeeds();
    let (x, first) = (place.npy::<u8>("x.npy"), place.npy::<u8>("first.npy"));
    assert_eq!(
        x.as_slice(),
        Some([first.as_slice().expect("C order"); 3].concat().as_slice()),
        "the same items each time"
    );
}

#[test]
fn the_test_images_are_shown_where_there_are_any() {
    let place = Place::new();
    place.run("mnist-dump --synthetic=30 --split test -o test.vae").succeeds();
    place.run(&format!("{TRAIN} {MODEL} --test test.vae | vae-cat --group recon --take 8 --npy x > x.npy")).succeeds();
    place.run("vae-cat test.vae --take 8 --npy x > test.npy").succeeds();
    place.assert_same("x.npy", "test.npy");
}
