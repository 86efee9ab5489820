//! vae-model export, and import of what it wrote.

use serde_json::Value;

use crate::harness::{MODEL, NETWORKS, TestDir};
use crate::stages::model_import::imports;
use crate::stages::numpy::with_python;

fn info(dir: &TestDir, name: &str) -> Value {
    dir.run(&format!("vae-model info {name}")).succeeds().json()
}

#[test]
fn every_network_comes_back_as_it_went_out() {
    let dir = TestDir::with_networks();
    for (name, ..) in NETWORKS {
        for suffix in ["safetensors", "npz"] {
            dir.run(&format!("vae-model export {name}.bin -o out.{suffix}")).succeeds();
            dir.run(&format!("vae-model import out.{suffix} -o back.bin")).succeeds();
            dir.run("vae-model verify back.bin").succeeds();
            let (went, came) = (info(&dir, &format!("{name}.bin")), info(&dir, "back.bin"));
            for part in ["network", "objective", "parameters", "tensors"] {
                assert_eq!(went[part], came[part], "{part} of {name} as .{suffix}");
            }
            dir.run(&format!("vae-model export {name}.bin > a; vae-model export back.bin > b")).succeeds();
            dir.assert_same("a", "b");
        }
    }
}

#[test]
fn what_is_imported_has_not_been_trained_here() {
    let dir = TestDir::with_model();
    dir.run("vae-model export model.bin -o out.npz").succeeds();
    dir.run("vae-model import out.npz -o back.bin").succeeds();
    let back = info(&dir, "back.bin");
    assert_eq!(back["tool"], "vae-model import 0.1.0");
    assert_eq!((&back["training"]["steps"], &back["training"]["epochs"]), (&0.into(), &0.into()));
    assert_eq!((&back["data"]["images"], &back["data"]["sha256"]), (&0.into(), &"".into()));
    dir.run("mnist-dump --synthetic=20 -o digits.vae").succeeds();
    for model in ["model", "back"] {
        let line = format!("vae-encode -m {model}.bin digits.vae | vae-decode --npy x_hat > {model}.npy");
        dir.pipe(&line).succeeds();
    }
    dir.assert_same("model.npy", "back.npy");
}

#[test]
fn the_names_of_each_family_go_out_and_come_back() {
    let dir = TestDir::with_model();
    dir.run("mnist-dump --synthetic=50 -o digits.vae").succeeds();
    dir.run("vae-train --hidden 20,10 --latent 2 --epochs 1 digits.vae -o two.bin > losses.jsonl").succeeds();
    for (names, model, layers) in [
        ("pytorch-examples", "model", "fc1 fc21 fc22 fc3 fc4"),
        ("classic", "model", "fc1 fc2_mean fc2_logvar fc3 fc4"),
        ("512-256-2", "two", "fc1 fc2 fc31 fc32 fc4 fc5 fc6"),
    ] {
        dir.run(&format!("vae-model export {model}.bin --names {names} -o out.safetensors")).succeeds();
        let file = dir.read("out.safetensors");
        let file = safetensors::SafeTensors::deserialize(&file).expect("a safetensors file");
        let mut got: Vec<String> = file.names().into_iter().map(str::to_owned).collect();
        let mut expected: Vec<String> =
            layers.split(' ').flat_map(|l| [format!("{l}.weight"), format!("{l}.bias")]).collect();
        got.sort();
        expected.sort();
        assert_eq!(got, expected);
        dir.run("vae-model import out.safetensors -o back.bin").succeeds();
        dir.run(&format!("vae-model export {model}.bin > a; vae-model export back.bin > b")).succeeds();
        dir.assert_same("a", "b");
    }
}

#[test]
fn a_checkpoint_goes_out_without_what_only_the_optimizer_needs() {
    let dir = TestDir::new();
    let line = format!("vae-train {MODEL} --epochs 1 --checkpoint c.ckpt -o m.bin > losses.jsonl");
    dir.run(&format!("mnist-dump --synthetic=50 | {line}")).succeeds();
    dir.run("vae-model export c.ckpt > a; vae-model export m.bin > b").succeeds();
    dir.assert_same("a", "b");
}

#[test]
fn names_that_do_not_fit_the_network_are_2_and_nothing_is_written() {
    let dir = TestDir::with_networks();
    for (names, model, words) in [
        ("classic", "mlp", ["--names classic", "got encoder.2 too"]),
        ("pytorch-examples", "classes", ["--names pytorch-examples", "got prior.0 too"]),
        ("512-256-2", "curved", ["--names 512-256-2", "a network without encoder.2"]),
        ("classic", "code", ["expected the layers encoder.0, mu, logvar", "a network without mu"]),
        ("classic", "conv", ["--names classic", "leave out --names"]),
    ] {
        dir.run(&format!("vae-model export {model}.bin --names {names} -o out.npz")).fails(2, "vae-model", &words);
        assert!(!dir.path("out.npz").exists());
    }
    let output = dir.run("vae-model export mlp.bin --names tensorflow -o out.npz");
    assert!(output.codes == [2] && output.stderr.contains("pytorch-examples"), "{output}");
}

#[test]
fn weights_that_python_saves_again_are_imported_by_assumption() {
    let Some(dir) = with_python("numpy") else { return };
    dir.run("mnist-dump --synthetic=50 -o digits.vae").succeeds();
    dir.run("vae-train --hidden 8 --latent 2 --activation tanh --epochs 1 digits.vae -o m.bin > losses.jsonl")
        .succeeds();
    let script = "import numpy as np; np.savez('again.npz', **np.load('out.npz'))";
    dir.run(&format!("vae-model export m.bin -o out.npz; $PYTHON -c \"{script}\"")).succeeds();
    imports(&dir, "again.npz -o back.bin");
    assert_eq!(info(&dir, "back.bin")["network"]["activation"], Value::Null, "relu, which is left out");
}
