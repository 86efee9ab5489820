//! vae-train: its records and its checkpoints.

use serde_json::json;

use crate::harness::{MODEL, TestDir};

/// Ten steps an epoch.
fn with_digits() -> TestDir {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=200 -o digits.vae; mnist-dump --synthetic=50 --split test -o test.vae").succeeds();
    dir
}

fn train(options: &str) -> String {
    format!("vae-train {MODEL} --batch 20 digits.vae {options}")
}

#[test]
fn each_epoch_is_a_record_with_losses_that_add_up() {
    let dir = with_digits();
    let records = dir.run(&train("--epochs 3 --lr 1e-2 --beta 0.5 --test test.vae -o model.bin")).succeeds().records();
    let kinds: Vec<_> = records.iter().map(|r| r["kind"].as_str().expect("a kind")).collect();
    assert_eq!(kinds, ["run", "epoch", "epoch", "epoch", "done"]);
    assert_eq!(records[0]["objective"], json!({"likelihood": "bernoulli", "beta": 0.5, "samples": 1}));
    assert_eq!(records[0]["test"]["images"], 50);
    for (epoch, record) in records[1..4].iter().enumerate() {
        assert_eq!((&record["epoch"], &record["steps"]), (&json!(epoch + 1), &json!(10 * (epoch + 1))));
        for part in [&record["train"], &record["test"]] {
            let [loss, recon, kl] = ["loss", "recon", "kl"].map(|key| part[key].as_f64().expect("a number"));
            assert!((loss - (recon + 0.5 * kl)).abs() < 1e-3 && kl > 0.0, "{part}");
        }
    }
    assert!(records[3]["train"]["loss"].as_f64() < records[1]["train"]["loss"].as_f64());
    let hash = dir.run("sha256sum < model.bin").succeeds();
    assert_eq!(Some(&hash.text()[..64]), records[4]["sha256"].as_str());
}

#[test]
fn test_images_may_come_from_a_fifo() {
    let dir = with_digits();
    let losses = |test: &str| {
        let line = train(&format!("--epochs 1 -o model.bin --test {test}"));
        dir.pipe(&line).succeeds().records()[1]["test"].clone()
    };
    assert_eq!(losses("<(cat test.vae)"), losses("test.vae"));
}

#[test]
fn the_default_checkpoint_goes_when_the_run_is_complete_and_a_named_one_stays() {
    let dir = with_digits();
    dir.run(&train("--epochs 2 -o model.bin > losses.jsonl")).succeeds();
    assert_eq!(dir.files(), ["digits.vae", "losses.jsonl", "model.bin", "test.vae"]);
    dir.run(&train("--epochs 2 -o model.bin --checkpoint my.ckpt > losses.jsonl")).succeeds();
    assert!(dir.path("my.ckpt").exists());
}

#[test]
fn a_name_with_the_epoch_in_it_keeps_one_checkpoint_for_each() {
    let dir = with_digits();
    dir.run(&train("--epochs 3 -o model.bin --checkpoint 'at-{epoch}.ckpt' > losses.jsonl")).succeeds();
    let kept: Vec<String> = dir.files().into_iter().filter(|name| name.starts_with("at-")).collect();
    assert_eq!(kept, ["at-1.ckpt", "at-2.ckpt", "at-3.ckpt"]);
}

#[test]
fn a_reader_of_the_records_that_goes_away_does_not_lose_the_run() {
    let dir = with_digits();
    dir.run(&train("--epochs 3 -o whole.bin > losses.jsonl")).succeeds();
    for preview in ["", "--preview 4"] {
        let line = train(&format!("--epochs 3 -o model.bin {preview} | head -c 100 > start.txt"));
        dir.pipe(&line).succeeds();
        dir.assert_same("whole.bin", "model.bin");
        dir.run("rm model.bin").succeeds();
    }
}

#[test]
fn a_full_disk_for_the_records_is_74_but_does_not_lose_the_run() {
    let dir = with_digits();
    dir.run(&train("--epochs 3 -o whole.bin > losses.jsonl")).succeeds();
    dir.run(&train("--epochs 3 -o model.bin > /dev/full")).fails(74, "vae-train", &["cannot write standard output"]);
    dir.assert_same("whole.bin", "model.bin");
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint() {
    let dir = with_digits();
    dir.run(&train("--epochs 1 --every 1 --checkpoint good.ckpt -o first.bin > losses.jsonl")).succeeds();
    let line = train("--lr 1e30 --every 1 -o model.bin");
    let words = ["is not finite at step 2", "lr 1e30", "--lr", "model.bin.ckpt"];
    dir.run(&format!("{line} > losses.jsonl")).fails(1, "vae-train", &words);
    assert!(!dir.path("model.bin").exists());
    let checkpoint = dir.run("vae-sample -m model.bin.ckpt | vae-decode | vae-cat --check").succeeds();
    assert_eq!(checkpoint.json()["items"], 64);
}

#[test]
fn a_loss_that_is_not_finite_from_the_start_leaves_nothing() {
    let dir = with_digits();
    let before = dir.files();
    let output =
        dir.run(&train("--lr 1e30 -o model.bin")).fails(1, "vae-train", &["is not finite at step 2", "lr 1e30"]);
    assert_eq!(output.records().len(), 1, "only the record of the run");
    assert_eq!(dir.files(), before);
}

#[test]
fn a_checkpoint_of_another_run_is_replaced_with_a_warning() {
    let dir = with_digits();
    dir.run(&train("--epochs 1 --checkpoint c.ckpt -o a.bin > losses.jsonl")).succeeds();
    let again = dir.run(&train("--epochs 1 --seed 2 --checkpoint c.ckpt -o b.bin > losses.jsonl"));
    assert_eq!(again.codes, [0]);
    again.reports("vae-train", &["c.ckpt is of an earlier run", "--resume"]);
    dir.run("vae-encode -m c.ckpt digits.vae --npy z > c.npy; vae-encode -m b.bin digits.vae --npy z > b.npy")
        .succeeds();
    dir.assert_same("c.npy", "b.npy");
}
