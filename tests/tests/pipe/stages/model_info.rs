//! vae-model info and verify.

use common::model::Model;

use crate::harness::{MODEL, TestDir};

/// Writes a copy of `model.bin` with other weights and a valid digest.
fn altered(dir: &TestDir, name: &str, change: impl FnOnce(&mut Model)) {
    let mut model = Model::from_bytes(&dir.read("model.bin"), "model.bin").expect("a model");
    change(&mut model);
    dir.write(name, model.to_bytes());
}

fn with_checkpoint() -> TestDir {
    let dir = TestDir::with_model();
    let line = format!("vae-train {MODEL} --epochs 1 --checkpoint c.ckpt -o m.bin > losses.jsonl");
    dir.run(&format!("mnist-dump --synthetic=50 | {line}")).succeeds();
    dir
}

#[test]
fn a_model_is_described_as_one_object_with_the_hash_that_streams_record() {
    let dir = TestDir::with_model();
    let info = dir.run("vae-model info model.bin").succeeds().json();
    let head = dir.run("vae-sample -m model.bin -n 0 | vae-cat --head").succeeds().json();
    assert_eq!(info["sha256"], head["model"]["sha256"]);
    assert_eq!(info["network"]["hidden"], serde_json::json!([32]));
    assert_eq!(info["objective"]["likelihood"], "bernoulli");
    assert_eq!(info["data"]["images"], 500);
    assert_eq!(info["training"]["epochs"], 4);
    assert_eq!(info["tool"], "vae-train 0.1.0");
    assert_eq!(info["tensors"]["mu.weight"], serde_json::json!([4, 32]));
    let parameters = (784 * 32 + 32) + 2 * (32 * 4 + 4) + (4 * 32 + 32) + (32 * 784 + 784);
    assert_eq!(info["parameters"], parameters);
    assert!(info.get("checkpoint").is_none(), "{info}");
    dir.run("vae-model info model.bin -o info.json; vae-model info model.bin | cmp - info.json").succeeds();
}

#[test]
fn a_checkpoint_is_described_with_how_far_it_is() {
    let dir = with_checkpoint();
    let info = dir.run("vae-model info c.ckpt").succeeds().json();
    assert_eq!(info["checkpoint"]["epoch"], 2, "{info}");
    assert_eq!(info["parameters"], dir.run("vae-model info model.bin").succeeds().json()["parameters"]);
    assert!(info["tensors"].get("adam.m.mu.weight").is_some(), "{info}");
}

#[test]
fn good_models_and_checkpoints_are_called_good() {
    let dir = with_checkpoint();
    let output = dir.run("vae-model verify model.bin c.ckpt m.bin").succeeds();
    assert_eq!(output.text(), "model.bin: good\nc.ckpt: good\nm.bin: good\n");
}

#[test]
fn a_damaged_model_is_65_and_the_good_ones_are_still_named() {
    let dir = with_checkpoint();
    let mut bytes = dir.read("m.bin");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    dir.write("bad.bin", bytes);
    let output = dir.run("vae-model verify model.bin bad.bin c.ckpt");
    assert_eq!(output.text(), "model.bin: good\nc.ckpt: good\n");
    output.fails(65, "vae-model", &["bad.bin is damaged", "sha256"]);
    let output = dir.run("vae-model verify bad.bin no.bin model.bin");
    assert_eq!(output.text(), "model.bin: good\n");
    output.fails(65, "vae-model", &["2 of 3 files are bad", "bad.bin is damaged", "no.bin: no such model"]);
    dir.run("vae-model verify no.bin").fails(66, "vae-model", &["no.bin: no such model"]);
}

#[test]
fn a_tensor_that_is_missing_misshapen_or_not_finite_is_65_and_named() {
    let dir = with_checkpoint();
    altered(&dir, "missing.bin", |m| drop(m.weights.remove("logvar.bias")));
    altered(&dir, "shape.bin", |m| m.weights.get_mut("mu.bias").expect("a bias").shape = vec![2, 2]);
    altered(&dir, "nan.bin", |m| m.weights.get_mut("mu.bias").expect("a bias").values[3] = f32::NAN);
    altered(&dir, "wide.bin", |m| m.spec.network.latent = 5);
    let moments = Model::from_bytes(&dir.read("c.ckpt"), "c.ckpt").map(|mut model| {
        model.weights.remove("adam.v.mu.bias");
        model.to_bytes()
    });
    dir.write("moments.ckpt", moments.expect("a checkpoint"));
    for (name, words) in [
        ("missing.bin", ["missing.bin: ", "no tensor logvar.bias"]),
        ("shape.bin", ["tensor mu.bias", "expected shape [4], got [2, 2]"]),
        ("nan.bin", ["tensor mu.bias holds NaN as value 3", "finite"]),
        ("wide.bin", ["tensor mu.weight", "expected shape [5, 32], got [4, 32]"]),
        ("moments.ckpt", ["moments.ckpt: ", "no tensor adam.v.mu.bias"]),
    ] {
        dir.run(&format!("vae-model verify {name}")).fails(65, "vae-model", &words);
        // Export and page reject such a model too.
        dir.run(&format!("vae-model export {name} -o out")).fails(65, "vae-model", &words);
        dir.run(&format!("vae-model page -m {name} -o out")).fails(65, "vae-model", &words);
        assert!(!dir.path("out").exists());
    }
}

#[test]
fn what_is_no_model_is_no_model_for_every_command() {
    let dir = TestDir::new();
    dir.write("text.bin", "a text\n");
    for line in ["info text.bin", "verify text.bin", "export text.bin", "page -m text.bin"] {
        let output = dir.run(&format!("vae-model {line} > out"));
        output.fails(65, "vae-model", &["text.bin is not a model", "vae-train"]);
        assert!(dir.read("out").is_empty(), "{line}");
    }
}

#[test]
fn a_model_is_named_by_position_or_by_option_in_every_command() {
    let dir = TestDir::with_model();
    for command in ["info", "verify", "export", "page"] {
        dir.run(&format!("vae-model {command} model.bin > a; vae-model {command} -m model.bin > b")).succeeds();
        dir.assert_same("a", "b");
        for line in [format!("{command} -m model.bin model.bin"), command.to_owned()] {
            let output = dir.run(&format!("vae-model {line}"));
            assert!(output.codes == [2] && output.stdout.is_empty(), "{output}");
        }
    }
    let both = dir.run("cp model.bin n.bin; vae-model verify -m model.bin -m n.bin").succeeds();
    assert_eq!(both.text(), "model.bin: good\nn.bin: good\n");
}

#[test]
fn a_full_disk_and_a_closed_output_are_74() {
    let dir = TestDir::with_model();
    for line in ["info model.bin", "verify model.bin", "export model.bin", "page -m model.bin"] {
        let words = ["cannot write standard output", "No space left"];
        dir.run(&format!("vae-model {line} > /dev/full")).fails(74, "vae-model", &words);
        dir.run(&format!("vae-model {line} >&-")).fails(74, "vae-model", &["standard output", "closed"]);
        dir.pipe(&format!("vae-model {line} | true")).succeeds();
    }
}
