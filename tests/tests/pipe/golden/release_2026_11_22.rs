//! The release of 22 November 2026, whose models, checkpoints, streams, records and options every later one reads. Its
//! programs made the files, by `tests/golden/2026-11-22/make.sh`.

use std::fs;

use serde_json::Value;

use crate::harness::{TestDir, repository};

/// The files were computed without wide instructions. With others, float32 sums of 144 products go in another order, by
/// which latents and pixels change by at most 5e-7.
const TOLERANCE: f32 = 1e-5;

/// The path of a file of the release.
fn release(name: &str) -> String {
    repository().join("tests/golden/2026-11-22").join(name).display().to_string()
}

/// The text of a file of the release.
fn text(name: &str) -> String {
    fs::read_to_string(release(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Each kind of model and the options that made it.
fn models() -> Vec<(String, String)> {
    let split = |line: &str| line.split_once(' ').map(|(name, options)| (name.to_owned(), options.to_owned()));
    text("models.txt").lines().map(|line| split(line).expect("a name and options")).collect()
}

/// A folder with a copy of every file.
fn with_release() -> TestDir {
    let mut dir = TestDir::new();
    dir.set("RELEASE", release(""));
    dir.run("cp $RELEASE/* .").succeeds();
    dir
}

/// Newline JSON, or one JSON value over several lines.
fn json(text: &str) -> Vec<Value> {
    let values = serde_json::Deserializer::from_str(text).into_iter();
    values.map(|value| value.unwrap_or_else(|e| panic!("{e}: {text}"))).collect()
}

/// Asserts that every key of a value of the release is there with a value of the same type.
#[track_caller]
fn assert_has_keys(path: &str, old: &Value, new: &Value) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old {
                let new = new.get(key).unwrap_or_else(|| panic!("no key {path}.{key} in {new:?}"));
                assert_has_keys(&format!("{path}.{key}"), value, new);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            assert_eq!(old.len(), new.len(), "{path}");
            old.iter().zip(new).for_each(|(old, new)| assert_has_keys(path, old, new));
        }
        _ => assert_eq!(std::mem::discriminant(old), std::mem::discriminant(new), "{path}: {old}, now {new}"),
    }
}

/// Asserts that there are as many records as in a file of the release, of the same kinds and with the same keys.
#[track_caller]
fn assert_records(file: &str, new: &[Value]) {
    let old = json(&text(file));
    assert_eq!(old.len(), new.len(), "{file}: {new:?}");
    for (old, new) in old.iter().zip(new) {
        assert_eq!(old["kind"], new["kind"], "{file}");
        assert_has_keys(file, old, new);
    }
}

#[test]
fn a_model_of_each_kind_encodes_and_decodes_to_the_recorded_values() {
    let dir = with_release();
    assert_eq!(models().len(), 6);
    for (name, _) in models() {
        dir.run(&format!("vae-encode -m {name}.bin test.vae -o z.vae; vae-cat z.vae --npy z > z.npy")).succeeds();
        dir.run("vae-decode z.vae --npy x_hat > x_hat.npy").succeeds();
        dir.assert_near("z.npy", &format!("{name}-z.npy"), TOLERANCE);
        dir.assert_near("x_hat.npy", &format!("{name}-x_hat.npy"), TOLERANCE);
        dir.run(&format!("vae-eval -m {name}.bin test.vae; vae-model page -m {name}.bin -o page.html")).succeeds();
        dir.run(&format!("vae-model export {name}.bin -o w.safetensors")).succeeds();
    }
    let verified = dir.run("vae-model verify *.bin").succeeds();
    assert_eq!(
        verified.text().lines().count(),
        6 + 2 * 2,
        "models, checkpoints, and the models they end in: {verified}"
    );
}

#[test]
fn a_run_resumed_from_a_checkpoint_in_mid_epoch_ends_in_the_recorded_bytes() {
    let dir = with_release();
    for (name, options) in models().into_iter().filter(|(name, _)| ["mlp", "conv"].contains(&&**name)) {
        let resume = |variables: &str, more: &str| {
            dir.run(&format!("cp {name}-checkpoint.bin c.bin")).succeeds();
            let run = format!("{options} --epochs 60 --batch 7 --lr 3e-3 --seed 3 images.vae");
            let line = format!("{variables} vae-train {run} --resume --checkpoint c.bin {more} -o model.bin");
            let records = dir.run(&line).succeeds().records();
            let epochs: Vec<u64> =
                records.iter().filter_map(|r| (r["kind"] == "epoch").then(|| r["epoch"].as_u64())?).collect();
            assert!(epochs[0] > 10 && epochs.last() == Some(&60), "{name}: {epochs:?}");
            records[epochs.len()]["train"]["loss"].as_f64().expect("a loss")
        };
        // Portable arithmetic has the same bits on every CPU, unless the compiler was told to fuse it for one.
        let recorded = resume("VAE_CPU=portable", "");
        if cfg!(not(target_feature = "fma")) {
            dir.assert_same("model.bin", &format!("{name}-resumed.bin"));
            resume("VAE_CPU=portable", "--threads 3 --every 5");
            dir.assert_same("model.bin", &format!("{name}-resumed.bin"));
        }
        let loss = resume("", "");
        // 250 steps let a rounding error of 1e-7 grow, but not far.
        assert!((loss - recorded).abs() < 1e-3 * recorded, "{name}: expected {recorded}, got {loss}");
    }
}

#[test]
fn streams_are_read_with_the_model_beside_them_or_in_them() {
    let dir = with_release();
    dir.run("vae-decode latents.vae --npy x_hat > near.npy").succeeds();
    dir.assert_near("near.npy", "mlp-x_hat.npy", TOLERANCE);
    dir.run("vae-decode -m mlp.bin latents.jsonl --npy x_hat > lines.npy").succeeds();
    dir.assert_near("lines.npy", "mlp-x_hat.npy", TOLERANCE);

    dir.run("vae-cat embedded.vae --npy mu > mu.npy; vae-cat latents.vae --npy z > z.npy").succeeds();
    dir.assert_same("mu.npy", "mlp-z.npy");
    dir.assert_same("z.npy", "mlp-z.npy");
    // The draws of seed 3.
    dir.run("vae-encode -m mlp.bin --sample --seed 3 test.vae --npy z > drawn.npy").succeeds();
    dir.run("vae-cat embedded.vae --npy z > z.npy").succeeds();
    dir.assert_near("z.npy", "drawn.npy", TOLERANCE);
    // The model in the stream, where there is no file of it.
    dir.run("mkdir alone && mv embedded.vae alone").succeeds();
    dir.run("cd alone && vae-decode embedded.vae --tensor mu --npy x_hat > ../sent.npy").succeeds();
    dir.assert_near("sent.npy", "mlp-x_hat.npy", TOLERANCE);
    assert_eq!(dir.run("vae-decode alone/embedded.vae | vae-cat --check").succeeds().json()["items"], 10);
}

#[test]
fn images_are_the_same_as_a_stream_as_npy_and_as_newline_json() {
    let dir = with_release();
    for name in ["test.vae", "images.jsonl", "images.npy"] {
        dir.run(&format!("vae-cat {name} --npy x > x.npy")).succeeds();
        dir.assert_same("x.npy", "images.npy");
    }
    dir.run("vae-cat test.vae --npy y > y.npy; vae-cat images.jsonl --npy y > json.npy").succeeds();
    assert_eq!(dir.npy::<u8>("y.npy").mapv(i64::from), dir.npy::<i64>("json.npy"), "JSON does not tell the dtype");
}

#[test]
fn heads_and_counts_of_streams_have_the_recorded_keys() {
    let dir = with_release();
    assert_records("head.json", &[dir.run("vae-cat --head latents.vae").succeeds().json()]);
    assert_eq!(json(&text("head.json"))[0], dir.run("vae-cat --head latents.vae").succeeds().json());
    assert_eq!(json(&text("check.json"))[0], dir.run("vae-cat --check preview.vae").succeeds().json());
    let history = dir.run("vae-cat latents.vae | vae-cat --head").succeeds().json()["history"].clone();
    assert_eq!(history.as_array().map(Vec::len), Some(3), "the two programs before, and vae-cat: {history}");
}

#[test]
fn logs_and_previews_are_plotted_watched_and_drawn() {
    let dir = with_release();
    dir.run("vae-plot loss run.jsonl preview.vae --size 400x300 -o loss.png").succeeds();
    assert_eq!(dir.png("loss.png"), [400, 300]);
    dir.run("vae-plot latent latents.vae --size 400x300 -o latent.png").succeeds();
    assert_eq!(dir.png("latent.png"), [400, 300]);
    for name in ["run.jsonl", "preview.vae"] {
        dir.run(&format!("vae-watch --port 0 {name} > copy 2> log")).succeeds();
        dir.assert_same(name, "copy");
    }
    dir.run("grid-png preview.vae --suptitle '{epoch} {loss:.1f} {test.kl}' -o '{group}-{epoch}.png'").succeeds();
    for name in ["recon-1.png", "recon-2.png", "sample-1.png", "sample-2.png"] {
        dir.png(name);
    }
}

#[test]
fn records_have_the_recorded_keys() {
    let dir = with_release();
    let train = "vae-train --hidden 8 --latent 2";
    let run = dir.run(&format!("{train} --epochs 3 --batch 8 --test test.vae images.vae -o run.bin")).succeeds();
    assert_records("run.jsonl", &run.records());
    assert_records("info.json", &[dir.run("vae-model info mlp.bin").succeeds().json()]);
    let eval = dir.run("vae-eval -m mlp.bin -k 5 --per-image test.vae").succeeds().records();
    assert_records("eval.jsonl", &eval);
    for (old, new) in json(&text("eval.jsonl")).iter().zip(&eval) {
        for (key, old) in old.as_object().expect("an object").iter().filter(|(_, value)| value.is_f64()) {
            let (old, new) = (old.as_f64().expect("a number"), new[key].as_f64().expect("a number"));
            assert!((old - new).abs() < 1e-4 * old.abs().max(1.0), "{key}: expected {old}, got {new}");
        }
    }
}

#[test]
fn every_option_with_every_value_that_has_a_name_is_accepted() {
    let dir = with_release();
    // Options before --help are parsed, and nothing else runs.
    let line = "while read -r line; do $line --help > /dev/null 2> error || { echo \"$line\"; cat error; }; done < options.txt";
    assert_eq!(dir.run(line).succeeds().text(), "");
    assert!(text("options.txt").lines().count() > 300);
    assert_ne!(dir.run("vae-train --no-such-option --help").codes, [0]);
    assert_ne!(dir.run("vae-train --likelihood no-such-value --help").codes, [0]);
}
