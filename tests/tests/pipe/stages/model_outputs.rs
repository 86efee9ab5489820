//! vae-model import: what a state dict does not say, entries that are no weights, wrappers in names, models that
//! another program has changed, and the comparison with outputs of PyTorch.

use std::collections::HashMap;

use ndarray::{Array1, Array2, Array3, ArrayD, Axis};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::harness::TestDir;
use crate::stages::model_import::{Shapes, classic, floats, imports, layers, refused, values};

/// A plain autoencoder whose code has a relu, which a state dict does not say.
fn autoencoder() -> Shapes {
    layers(&[("encoder.0", [16, 784]), ("encoder.2", [3, 16]), ("decoder.0", [16, 3]), ("decoder.2", [784, 16])])
}

/// A linear layer with the weights of [`floats`], in f64: y = x Wᵀ + b.
fn linear(x: &Array2<f64>, out: usize) -> Array2<f64> {
    let f64s = |shape: &[usize]| values(shape).into_iter().map(f64::from).collect::<Vec<_>>();
    let inp = x.ncols();
    let w = Array2::from_shape_vec((out, inp), f64s(&[out, inp])).expect("a matrix");
    x.dot(&w.t()) + &Array1::from_vec(f64s(&[out])).insert_axis(Axis(0))
}

/// The outputs of that autoencoder, as PyTorch computes them: x.npy, z.npy and x_hat.npy.
fn with_outputs() -> TestDir {
    let dir = TestDir::new();
    let relu = |a: Array2<f64>| a.mapv(|v| v.max(0.0));
    // A batch, each image of its own brightness.
    let x = Array3::from_shape_fn((6, 28, 28), |(n, h, w)| ((n * 7 + h * 5 + w * 3) % 11) as f32 / 200.0);
    let flat = x.mapv(f64::from).into_shape_with_order((6, 784)).expect("784 pixels");
    let z = relu(linear(&relu(linear(&flat, 16)), 3));
    let x_hat = linear(&relu(linear(&z, 16)), 784).mapv(|v| 1.0 / (1.0 + (-v).exp()));
    dir.write_npy("x.npy", &x);
    dir.write_npy("z.npy", &z.mapv(|v| v as f32));
    let x_hat: ArrayD<f32> = x_hat.mapv(|v| v as f32).into_dyn();
    dir.write_npy("x_hat.npy", &x_hat.into_shape_with_order(vec![6, 1, 28, 28]).expect("images"));
    dir.write("ae.safetensors", floats(&autoencoder()));
    dir
}

/// A .safetensors of the same tensors and of one more, with this metadata.
fn with_entry(shapes: &Shapes, (name, dtype, shape): (&str, Dtype, &[usize])) -> Vec<u8> {
    let file = floats(shapes);
    let file = SafeTensors::deserialize(&file).expect("a file");
    let zeros = vec![0; dtype.bitsize() / 8 * shape.iter().product::<usize>()];
    let more = TensorView::new(dtype, shape.to_vec(), &zeros).expect("a tensor");
    let tensors = file.tensors().into_iter().chain([(name.to_owned(), more)]);
    safetensors::serialize(tensors, None::<HashMap<String, String>>).expect("a file")
}

#[test]
fn what_a_state_dict_does_not_say_is_assumed_and_told() {
    let dir = TestDir::new();
    dir.write("vae.safetensors", floats(&classic()));
    let told = |options: &str| {
        let output = dir.run(&format!("vae-model import vae.safetensors {options} -o out.bin"));
        assert_eq!(output.codes, [0], "{output}");
        output.stderr
    };
    let all = [
        ("--activation tanh", "relu after each hidden layer (--activation)"),
        ("--input-range -1,1", "pixels from 0 to 1 (--input-range)"),
        ("--likelihood bernoulli", "Bernoulli pixels (--likelihood)"),
        ("--image 28x28", "images of 28 x 28 pixels (--image)"),
    ];
    let without = told("");
    assert!(without.starts_with("vae-model: vae.safetensors: assumed, ") && without.lines().count() == 1, "{without}");
    for (option, assumption) in all {
        assert!(without.contains(assumption), "{without}");
        assert!(!told(option).contains(assumption), "{option}");
    }
    // No option says otherwise.
    let options = all.map(|(option, _)| option).join(" ");
    let rest = "assumed, since a state dict does not say it: a sigmoid after the decoder; --verify compares";
    assert!(told(&options).contains(rest), "{}", told(&options));
    assert!(told("--likelihood gaussian").contains("Gaussian pixels of sigma 0.7071 (--sigma)"));
    assert!(!told("--likelihood gaussian --sigma 0.5").contains("Gaussian"));
    dir.write("vae.safetensors", floats(&autoencoder()));
    assert!(told("").contains("no activation after the code (--autoencoder=ACT)"));
    assert!(!told("--autoencoder=relu").contains("--autoencoder"));
}

#[test]
fn outputs_of_pytorch_show_an_activation_that_was_not_told() {
    let dir = with_outputs();
    for arrays in ["x.npy,z.npy,x_hat.npy", "x=x.npy,mu=z.npy,x_hat=x_hat.npy", "x.npy,z.npy", "x.npy,x_hat.npy"] {
        let options = format!("--verify {arrays}");
        refused(&dir, "ae.safetensors", &options, 65, &["differs by up to", "0.001", "no activation after the code"]);
        let line = format!("vae-model import ae.safetensors --autoencoder=relu {options} -o out.bin");
        let output = dir.run(&line);
        assert_eq!(output.codes, [0], "{output}");
        assert!(output.stderr.contains("verified with outputs of PyTorch: "), "{output}");
        std::fs::remove_file(dir.path("out.bin")).expect("a model");
    }
}

#[test]
fn what_outputs_have_shown_is_no_longer_assumed() {
    let dir = with_outputs();
    let told = |arrays: &str| {
        dir.run(&format!("vae-model import ae.safetensors --autoencoder=relu --verify {arrays} -o out.bin")).stderr
    };
    let both = told("x.npy,z.npy,x_hat.npy");
    assert!(!both.contains("a sigmoid") && !both.contains("--activation"), "{both}");
    assert!(both.contains("Bernoulli pixels (--likelihood)"), "{both}");
    assert!(told("z.npy,x_hat.npy").contains("relu after each hidden layer"));
}

#[test]
fn arrays_that_cannot_be_compared_are_refused() {
    let dir = with_outputs();
    dir.write_npy("y.npy", &Array1::<u8>::zeros(6));
    dir.write_npy("nan.npy", &Array2::<f32>::from_elem((6, 3), f32::NAN));
    dir.write_npy("five.npy", &Array2::<f32>::zeros((5, 3)));
    dir.write_npy("signed.npy", &Array3::<f32>::from_elem((6, 28, 28), -1.0));
    dir.write("lfs", "version https://git-lfs.github.com/spec/v1\n");
    for (arrays, code, words) in [
        ("x.npy", 2, ["--verify", "expected x with mu, z or x_hat"]),
        ("x.npy,y.npy,z.npy", 2, ["--verify y", "no labels"]),
        ("x.npy,x=x.npy,z.npy", 2, ["--verify", "x twice"]),
        ("x.npy,z=nan.npy", 65, ["z differs by up to NaN", "for NaN in item 0"]),
        ("x.npy,z=five.npy", 65, ["--verify z", "expected [6, 3], got [5, 3]"]),
        ("x=signed.npy,z.npy", 65, ["--verify x", "expected [0, 1]"]),
        ("x=z.npy,z.npy", 65, ["--verify x", "got [3]"]),
        ("x=lfs,z.npy", 65, ["--verify x: lfs: ", "git lfs pull"]),
        ("x=no.npy,z.npy", 66, ["no.npy", "no such file"]),
    ] {
        refused(&dir, "ae.safetensors", &format!("--verify {arrays}"), code, &words);
    }
    let output = dir.run("vae-model import ae.safetensors --verify q=x.npy -o out.bin");
    assert!(output.codes == [2] && output.stderr.contains("one of x, y, z, mu and x_hat"), "{output}");
}

#[test]
fn a_conditional_model_is_compared_with_labels() {
    let dir = TestDir::new();
    let train = "vae-train --classes 10 --hidden 8 --latent 2 --epochs 1 -o m.bin > losses.jsonl";
    dir.run(&format!("mnist-dump --synthetic=300 -o d.vae; {train} < d.vae; vae-model export m.bin -o m.npz"))
        .succeeds();
    dir.run("vae-encode -m m.bin d.vae -o z.vae; vae-decode z.vae --npy x_hat > x_hat.npy").succeeds();
    dir.run("for n in x y; do vae-cat d.vae --npy $n > $n.npy; done; vae-cat z.vae --npy z > z.npy").succeeds();
    let output = dir.run("vae-model import m.npz --verify x.npy,y.npy,z.npy,x_hat.npy -o out.bin");
    assert!(output.codes == [0] && output.stderr.contains("z within 0.0e0, x_hat within 0.0e0"), "{output}");
    std::fs::remove_file(dir.path("out.bin")).expect("a model");
    refused(&dir, "m.npz", "--verify x.npy,z.npy", 65, &["no labels", "10 classes"]);
}

#[test]
fn entries_that_are_no_weights_are_left_out_and_told_once() {
    let dir = TestDir::new();
    dir.write("plain.safetensors", floats(&classic()));
    imports(&dir, "plain.safetensors -o plain.bin");
    let averaged = classic().into_iter().map(|(name, shape)| (format!("module.{name}"), shape)).collect();
    for entry in [
        ("n_averaged", Dtype::I64, &[][..]),
        ("n_averaged", Dtype::F32, &[]),
        ("fc1.num_batches_tracked", Dtype::I64, &[]),
        ("module.step", Dtype::I32, &[1]),
        ("module.mask", Dtype::BOOL, &[3, 4]),
    ] {
        dir.write("s.safetensors", with_entry(&averaged, entry));
        let output = dir.run("vae-model import s.safetensors -o out.bin");
        let told = format!("left out, since they are no weights of the network: {}\n", entry.0);
        assert!(output.codes == [0] && output.stderr.matches(&told).count() == 1, "{output}");
        dir.assert_same("plain.bin", "out.bin");
    }
    std::fs::remove_file(dir.path("out.bin")).expect("a model");
    for (name, words) in [
        ("fc5.weight", ["tensor fc5.weight", "floating-point"]),
        ("module.fc1.running_mean", ["of batch normalisation", "torch.nn.utils.fusion"]),
    ] {
        let dtype = if name == "fc5.weight" { Dtype::I64 } else { Dtype::F32 };
        dir.write("s.safetensors", with_entry(&averaged, (name, dtype, &[8])));
        refused(&dir, "s.safetensors", "", 65, &words);
    }
}

#[test]
fn averaged_weights_are_read_from_an_npz_too() {
    let Some(dir) = crate::stages::numpy::with_python("numpy") else { return };
    let code = r#"
import numpy as np
state = dict(np.load("plain.npz"))
averaged = {"module." + k: v for k, v in state.items()}
np.savez("averaged.npz", n_averaged=np.int64(5), **averaged)
np.savez("floats.npz", n_averaged=np.float32(5), **averaged)
"#;
    dir.write("make.py", code);
    dir.run("vae-model export model.bin -o plain.npz && $PYTHON make.py").succeeds();
    dir.run("vae-model import plain.npz -o plain.bin").succeeds();
    for name in ["averaged", "floats"] {
        let output = dir.run(&format!("vae-model import {name}.npz -o out.bin"));
        assert!(output.codes == [0] && output.stderr.contains("left out, "), "{output}");
        dir.assert_same("plain.bin", "out.bin");
    }
}

#[test]
fn wrappers_are_left_out_wherever_they_stand_in_a_name() {
    let dir = TestDir::new();
    dir.write("plain.safetensors", floats(&autoencoder()));
    imports(&dir, "plain.safetensors -o plain.bin");
    let renamed = |rename: &dyn Fn(&str) -> String| -> Shapes {
        autoencoder().into_iter().map(|(name, shape)| (rename(&name), shape)).collect()
    };
    let only_encoder = |name: &str| name.replace("encoder.", "encoder._orig_mod.");
    let both = |name: &str| name.replace("encoder.", "encoder.module.").replace("decoder.", "_orig_mod.decoder.");
    let sharded =
        |name: &str| format!("_fsdp_wrapped_module.{}", name.replace("der.", "der._checkpoint_wrapped_module."));
    let lightning = |name: &str| format!("state_dict.model.{name}");
    let renamings: [&dyn Fn(&str) -> String; 5] =
        [&only_encoder, &both, &sharded, &lightning, &|name| format!("my_vae._orig_mod.{name}")];
    for rename in renamings {
        dir.write("s.safetensors", floats(&renamed(rename)));
        imports(&dir, "s.safetensors -o out.bin");
        dir.assert_same("plain.bin", "out.bin");
    }
    std::fs::remove_file(dir.path("out.bin")).expect("a model");
    let twice = [renamed(&|name| name.to_owned()), renamed(&both)].concat();
    dir.write("s.safetensors", floats(&twice));
    refused(&dir, "s.safetensors", "", 65, &["are both decoder.0.bias", "_orig_mod.decoder.0.bias", "expected one"]);
}

/// Writes `to` as Python's save_file writes the halved tensors of `from`, with its metadata or without.
fn halved(dir: &TestDir, from: &str, to: &str, keep_metadata: bool) {
    let bytes = dir.read(from);
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("a header");
    let metadata = header.metadata().clone().filter(|_| keep_metadata);
    let file = SafeTensors::deserialize(&bytes).expect("a file");
    let half = |data: &[u8]| -> Vec<u8> {
        let values = data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b) / 2.0);
        values.flat_map(f32::to_le_bytes).collect()
    };
    let data: Vec<_> = file.tensors().into_iter().map(|(n, t)| (n, t.shape().to_vec(), half(t.data()))).collect();
    let views = data.iter().map(|(n, shape, d)| (n, TensorView::new(Dtype::F32, shape.clone(), d).expect("a tensor")));
    dir.write(to, safetensors::serialize(views, metadata).expect("a file"));
}

#[test]
fn a_model_that_another_program_has_changed_is_imported() {
    let dir = TestDir::new();
    let options = "--hidden 8 --latent 2 --activation tanh --likelihood gaussian --sigma 0.5 --epochs 1";
    let train = format!("vae-train {options} --checkpoint c.ckpt -o model.bin > losses.jsonl");
    dir.run(&format!("mnist-dump --synthetic=50 | {train}")).succeeds();
    for file in ["model.bin", "c.ckpt"] {
        halved(&dir, file, "bare.bin", false);
        halved(&dir, file, "changed.bin", true);
        let words = ["bare.bin is a safetensors file without the metadata key", "vae-model import"];
        dir.run("vae-model info bare.bin").fails(65, "vae-model", &words);
        let words = ["changed.bin is damaged", "changed on purpose: vae-model import"];
        dir.run("vae-model info changed.bin").fails(65, "vae-model", &words);

        // The metadata says what a state dict does not.
        let output = dir.run("vae-model import changed.bin -o out.bin");
        assert!(output.codes == [0] && !output.stderr.contains("assumed"), "{output}");
        let told = "--activation tanh --likelihood gaussian --sigma 0.5";
        let output = dir.run(&format!("vae-model import bare.bin {told} -o bare-out.bin"));
        assert_eq!(output.codes, [0], "{output}");
        dir.assert_same("out.bin", "bare-out.bin");
        dir.run("vae-model verify out.bin > verified").succeeds();
        let [was, is] = ["model.bin", "out.bin"].map(|m| dir.run(&format!("vae-model info {m}")).succeeds().json());
        assert_eq!((&was["network"], &was["objective"]), (&is["network"], &is["objective"]));
        assert_eq!((&is["training"]["epochs"], &is["data"]["images"]), (&0.into(), &0.into()));
    }
    let mut bytes = dir.read("changed.bin");
    let version = b"\\\"vae_model\\\":"; // JSON in JSON
    let at = bytes.windows(version.len()).position(|w| w == version).expect("the version");
    bytes[at + version.len()] = b'9';
    dir.write("newer.bin", bytes);
    refused(&dir, "newer.bin", "", 65, &["bad metadata", "save the tensors without metadata"]);
}
