//! vae-model import: state dicts of other programs, and its errors.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, TensorView};

use crate::harness::TestDir;
use crate::stages::numpy::with_python;

const CLASSIC: [(&str, &[usize]); 10] = [
    ("fc1.weight", &[8, 784]),
    ("fc1.bias", &[8]),
    ("fc2_mean.weight", &[3, 8]),
    ("fc2_mean.bias", &[3]),
    ("fc2_logvar.weight", &[3, 8]),
    ("fc2_logvar.bias", &[3]),
    ("fc3.weight", &[8, 3]),
    ("fc3.bias", &[8]),
    ("fc4.weight", &[784, 8]),
    ("fc4.bias", &[784]),
];

pub type Shapes = Vec<(String, Vec<usize>)>;

fn owned(shapes: &[(&str, &[usize])]) -> Shapes {
    shapes.iter().map(|(name, shape)| (name.to_string(), shape.to_vec())).collect()
}

pub fn classic() -> Shapes {
    owned(&CLASSIC)
}

/// The same, with one tensor of another shape.
fn reshaped(mut shapes: Shapes, name: &str, shape: &[usize]) -> Shapes {
    shapes.iter_mut().find(|(n, _)| n == name).expect("a tensor of this name").1 = shape.to_vec();
    shapes
}

/// Layers in the order of the name, each with its weight and bias.
pub fn layers(widths: &[(&str, [usize; 2])]) -> Shapes {
    let pair = |(name, [out, inp]): &(&str, [usize; 2])| {
        [(format!("{name}.weight"), vec![*out, *inp]), (format!("{name}.bias"), vec![*out])]
    };
    widths.iter().flat_map(pair).collect()
}

/// Small numbers, each different from its neighbours.
pub fn values(shape: &[usize]) -> Vec<f32> {
    (0..shape.iter().product()).map(|i: usize| (i * 37 % 64) as f32 / 64.0 - 0.5).collect()
}

/// A .safetensors of tensors of this kind.
fn safetensors(shapes: &Shapes, dtype: Dtype, bytes: impl Fn(f32) -> Vec<u8>) -> Vec<u8> {
    let data: Vec<Vec<u8>> = shapes.iter().map(|(_, s)| values(s).into_iter().flat_map(&bytes).collect()).collect();
    let views = shapes
        .iter()
        .zip(&data)
        .map(|((name, shape), data)| (name, TensorView::new(dtype, shape.clone(), data).expect("a tensor")));
    safetensors::serialize(views, None::<HashMap<String, String>>).expect("a file")
}

pub fn floats(shapes: &Shapes) -> Vec<u8> {
    safetensors(shapes, Dtype::F32, |v| v.to_le_bytes().to_vec())
}

/// Asserts this exit code of an import, one error line with these words, and no new file.
#[track_caller]
pub fn refused(dir: &TestDir, file: &str, options: &str, code: i32, words: &[&str]) {
    let before = dir.files();
    dir.run(&format!("vae-model import {file} {options} -o out.bin")).fails(code, "vae-model", words);
    assert_eq!(dir.files(), before, "{file} {options}");
}

/// Imports a state dict, and asserts one line on standard error, which names what is assumed.
#[track_caller]
pub fn imports(dir: &TestDir, args: &str) {
    let output = dir.run(&format!("vae-model import {args}"));
    assert_eq!(output.codes, [0], "{output}");
    output.reports("vae-model", &["assumed, since a state dict does not say it: "]);
}

#[track_caller]
fn refused_shapes(shapes: &Shapes, options: &str, words: &[&str]) {
    let dir = TestDir::new();
    dir.write("s.safetensors", floats(shapes));
    refused(&dir, "s.safetensors", options, 65, &[&["s.safetensors: "], words].concat());
}

#[test]
fn wrappers_before_all_names_are_left_out() {
    let dir = TestDir::new();
    dir.write("plain.safetensors", floats(&classic()));
    let wrapped = classic().into_iter().map(|(name, shape)| (format!("_orig_mod.module.{name}"), shape)).collect();
    dir.write("wrapped.safetensors", floats(&wrapped));
    imports(&dir, "plain.safetensors -o a");
    imports(&dir, "wrapped.safetensors -o b");
    dir.assert_same("a", "b");
    let wrong = reshaped(wrapped, "_orig_mod.module.fc4.weight", &[784, 9]);
    refused_shapes(&wrong, "", &["_orig_mod.module.fc4.weight", "expected shape [784, 8], got [784, 9]"]);
}

#[test]
fn floats_of_every_width_are_read() {
    let dir = TestDir::new();
    dir.write("f32.safetensors", floats(&classic()));
    dir.write("f64.safetensors", safetensors(&classic(), Dtype::F64, |v| f64::from(v).to_le_bytes().to_vec()));
    // These numbers have few enough digits for 16 bits, of which f16 has 3 fewer for the exponent.
    dir.write("bf16.safetensors", safetensors(&classic(), Dtype::BF16, |v| v.to_le_bytes()[2..].to_vec()));
    let half = |v: f32| match (v.to_bits() >> 16 & 0x8000, v.to_bits() >> 13 & 0x3_ffff) {
        (sign, 0) => sign as u16,
        (sign, rest) => (sign | (rest - (112 << 10))) as u16,
    };
    dir.write("f16.safetensors", safetensors(&classic(), Dtype::F16, |v| half(v).to_le_bytes().to_vec()));
    imports(&dir, "f32.safetensors -o expected.bin");
    for name in ["f64", "bf16", "f16"] {
        imports(&dir, &format!("{name}.safetensors -o got.bin"));
        dir.assert_same("expected.bin", "got.bin");
    }
}

#[test]
fn archives_of_numpy_are_read_packed_or_not_in_any_order_of_bytes_and_axes() {
    let Some(dir) = with_python("numpy, safetensors.numpy") else { return };
    dir.write("plain.safetensors", floats(&classic()));
    let code = r#"
import numpy as np
from safetensors.numpy import load_file
state = load_file("plain.safetensors")
np.savez("plain.npz", **state)
np.savez_compressed("packed.npz", **state)
np.savez("fortran.npz", **{k: np.asfortranarray(v) for k, v in state.items()})
np.savez("big.npz", **{k: v.astype(">f8") for k, v in state.items()})
np.savez("half.npz", **{k: v.astype("f2") for k, v in state.items()})
"#;
    dir.write("make.py", code);
    dir.run("$PYTHON make.py").succeeds();
    imports(&dir, "plain.safetensors -o expected.bin");
    for name in ["plain", "packed", "fortran", "big", "half"] {
        imports(&dir, &format!("{name}.npz -o got.bin"));
        dir.assert_same("expected.bin", "got.bin");
    }
}

#[test]
fn principal_components_are_a_model_too() {
    let dir = TestDir::new();
    dir.write("pca.safetensors", floats(&owned(&[("mean", &[784]), ("components", &[5, 784])])));
    imports(&dir, "pca.safetensors -o pca.bin");
    dir.run("vae-model verify pca.bin > verified").succeeds();
    let info = dir.run("vae-model info pca.bin").succeeds().json();
    assert_eq!((&info["network"]["kind"], &info["network"]["latent"]), (&"pca".into(), &5.into()));
    dir.pipe("mnist-dump --synthetic=5 | vae-encode -m pca.bin | vae-decode | vae-cat --check").succeeds();
}

#[test]
fn classes_are_seen_in_the_widths_and_images_may_be_of_any_size() {
    let dir = TestDir::new();
    let shapes = layers(&[
        ("encoder.0", [8, 20 * 16 + 7]),
        ("mu", [3, 8]),
        ("logvar", [3, 8]),
        ("decoder.0", [8, 3 + 7]),
        ("decoder.2", [20 * 16, 8]),
    ]);
    dir.write("s.safetensors", floats(&shapes));
    imports(&dir, "s.safetensors --image 20x16 -o s.bin");
    let network = &dir.run("vae-model info s.bin").succeeds().json()["network"];
    assert_eq!(network["labels"]["classes"], 7);
    assert_eq!(network["image"], serde_json::json!([20, 16]));
    refused_shapes(&shapes, "", &["320 pixels are no square", "--image HxW"]);
    refused_shapes(&shapes, "--image 20x20", &["--image 20x20", "expected 320 pixels"]);
}

#[test]
fn the_range_that_an_encoder_expects_is_kept() {
    let dir = TestDir::new();
    dir.write("s.safetensors", floats(&classic()));
    imports(&dir, "s.safetensors -o unit.bin");
    imports(&dir, "s.safetensors --input-range -1,1 -o signed.bin");
    let range = |name: &str| dir.run(&format!("vae-model info {name}.bin")).succeeds().json()["data"]["range"].clone();
    assert_eq!((range("unit"), range("signed")), (serde_json::json!([0.0, 1.0]), serde_json::json!([-1.0, 1.0])));
    // Black for one is grey for the other.
    dir.write_npy("grey.npy", &ndarray::Array3::from_elem((1, 28, 28), 0.5f32));
    dir.write_npy("black.npy", &ndarray::Array3::from_elem((1, 28, 28), 0.0f32));
    dir.run("vae-encode -m signed.bin grey.npy --npy z > a.npy; vae-encode -m unit.bin black.npy --npy z > b.npy")
        .succeeds();
    dir.assert_same("a.npy", "b.npy");
}

#[test]
fn names_that_are_not_known_are_refused_with_those_that_are() {
    let shapes = layers(&[("enc.linear1", [8, 784]), ("enc.linear2", [3, 8])]);
    refused_shapes(&shapes, "", &["tensor enc.linear1.bias is not known", "encoder.N.weight", "fc1 fc21 fc22 fc3 fc4"]);
    let mut more = classic();
    more.extend(layers(&[("bn1", [8, 8])]));
    refused_shapes(&more, "", &["tensor bn1.bias is not known"]);
}

#[test]
fn a_tensor_that_is_missing_is_called_by_the_name_it_would_have() {
    for missing in CLASSIC.map(|(name, _)| name) {
        let shapes = classic().into_iter().filter(|(name, _)| name != missing).collect();
        refused_shapes(&shapes, "", &[&format!("no tensor {missing}")]);
    }
}

#[test]
fn layers_that_are_not_numbered_as_ours_are_refused() {
    let stacks = [("encoder.0", [8, 784]), ("encoder.3", [8, 8]), ("mu", [3, 8]), ("logvar", [3, 8])];
    let shapes = layers(&[&stacks[..], &[("decoder.0", [784, 3])]].concat());
    refused_shapes(&shapes, "", &["no tensor encoder.2.weight", "0, 2, 4", "got encoder.3.bias"]);
    let shapes = layers(&[&stacks[2..], &[("decoder.2", [784, 3])]].concat());
    refused_shapes(&shapes, "", &["no tensor decoder.0.weight", "got decoder.2.bias"]);
    let shapes = layers(&[("mu", [3, 784]), ("logvar", [3, 784])]);
    refused_shapes(&shapes, "", &["no tensor decoder.0.weight", "[units, latent dimensions]"]);
}

#[test]
fn a_tensor_of_another_shape_is_named_with_what_was_expected() {
    for (name, got, words) in [
        ("fc1.bias", &[9][..], ["tensor fc1.bias", "expected shape [8], got [9]"]),
        ("fc2_logvar.weight", &[4, 8], ["tensor fc2_logvar.weight", "expected shape [3, 8], got [4, 8]"]),
        ("fc3.weight", &[9, 3], ["tensor fc3.weight", "expected shape [8, 3], got [9, 3]"]),
        ("fc1.weight", &[8, 28, 28], ["tensor fc1.weight", "expected 2 dimensions, got shape [8, 28, 28]"]),
        ("fc1.weight", &[8, 700], ["fc1.weight has 700 inputs", "fc4.weight has 784 outputs"]),
        ("fc4.weight", &[700, 8], ["fc1.weight has 784 inputs", "fc4.weight has 700 outputs"]),
        ("fc3.weight", &[8, 5], ["fc3.weight has 5 inputs", "fc2_mean.weight has 3 outputs"]),
    ] {
        refused_shapes(&reshaped(classic(), name, got), "", &words);
    }
}

#[test]
fn a_convolution_of_another_size_is_refused() {
    let dir = TestDir::new();
    let line = "vae-train --conv 3,4 --latent 2 --epochs 1 -o conv.bin > losses.jsonl";
    dir.run(&format!("mnist-dump --synthetic=20 | {line}")).succeeds();
    let tensors = dir.run("vae-model info conv.bin").succeeds().json()["tensors"].clone();
    let sizes = |shape: &serde_json::Value| {
        shape.as_array().expect("a shape").iter().map(|n| n.as_u64().expect("a size") as usize).collect()
    };
    let conv: Shapes =
        tensors.as_object().expect("tensors").iter().map(|(name, shape)| (name.clone(), sizes(shape))).collect();
    let small = reshaped(conv.clone(), "encoder.2.weight", &[4, 3, 3, 3]);
    refused_shapes(&small, "", &["tensor encoder.2.weight", "expected shape [4, 3, 5, 5], got [4, 3, 3, 3]"]);
    let flat = reshaped(conv.clone(), "mu.weight", &[2, 100]);
    refused_shapes(&flat, "", &["tensor mu.weight", "expected shape [2, 196], got [2, 100]"]);
    refused_shapes(&conv, "--image 32x32", &["tensor mu.weight", "expected shape [2, 256], got [2, 196]"]);
    let normed = conv.into_iter().chain([("encoder.1.weight".to_owned(), vec![3])]).collect();
    refused_shapes(&normed, "", &["unexpected tensor encoder.1.weight"]);
}

#[test]
fn one_head_for_mu_and_sigma_is_refused_with_the_reason() {
    let chain = layers(&[("fc1", [8, 784]), ("fc2", [6, 8]), ("fc3", [8, 3]), ("fc4", [784, 8])]);
    refused_shapes(&chain, "", &["fc2 has 6 outputs and fc3 has 3 inputs", "relu", "mu = fc2[:3]"]);
    let stacks = layers(&[
        ("encoder.0", [9, 784]),
        ("encoder.2", [8, 9]),
        ("encoder.4", [6, 8]),
        ("decoder.0", [8, 3]),
        ("decoder.2", [9, 8]),
        ("decoder.4", [784, 9]),
    ]);
    refused_shapes(&stacks, "", &["encoder.4 has 6 outputs and decoder.0 has 3 inputs", "mu and sigma", "relu"]);
}

#[test]
fn numbers_that_no_weight_can_be_are_refused() {
    let dir = TestDir::new();
    for (name, dtype, bytes, words) in [
        ("whole", Dtype::I32, vec![1, 0, 0, 0], ["floating-point", "I32"]),
        ("nan", Dtype::F32, f32::NAN.to_le_bytes().to_vec(), ["holds NaN", "finite"]),
        ("large", Dtype::F64, 1e300f64.to_le_bytes().to_vec(), ["holds inf", "finite"]),
    ] {
        dir.write("s.safetensors", safetensors(&classic(), dtype, |_| bytes.clone()));
        refused(&dir, "s.safetensors", "", 65, &words);
        assert!(!dir.path("out.bin").exists(), "{name}");
    }
    refused_shapes(&reshaped(classic(), "fc1.bias", &[0]), "", &["tensor fc1.bias is empty"]);
    refused_shapes(&vec![], "", &["no tensors"]);
}

#[test]
fn layers_that_are_too_large_are_refused() {
    let shapes = layers(&[
        ("encoder.0", [70_000, 4]),
        ("mu", [1, 70_000]),
        ("logvar", [1, 70_000]),
        ("decoder.0", [70_000, 1]),
        ("decoder.2", [4, 70_000]),
    ]);
    refused_shapes(&shapes, "", &["70000", "65536"]);
}

#[test]
fn a_model_is_no_state_dict() {
    let dir = TestDir::with_model();
    refused(&dir, "model.bin", "", 65, &["model.bin: a model already"]);
}

#[test]
fn a_pickle_is_refused_with_what_converts_it() {
    let dir = TestDir::new();
    dir.write("old.pth", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.");
    let words = [
        "old.pth: a pickle",
        "weights_only=True",
        r#"torch.load("old.pth""#,
        r#"numpy.savez("old.npz""#,
        "can run code",
    ];
    refused(&dir, "old.pth", "", 65, &words);
    let Some(dir) = with_python("zipfile") else { return };
    let zip = "import zipfile; z = zipfile.ZipFile('vae.pt', 'w'); z.writestr('vae/data.pkl', b'.'); z.close()";
    dir.run(&format!("$PYTHON -c \"{zip}\"")).succeeds();
    refused(&dir, "vae.pt", "", 65, &["vae.pt: a pickle", r#"numpy.savez("vae.npz""#]);
}

#[test]
fn what_torch_saves_can_be_imported_after_the_conversion_that_is_named() {
    let Some(dir) = with_python("torch, numpy") else { return };
    let code = r#"
import torch
from torch import nn
vae = nn.ModuleDict(dict(fc1=nn.Linear(784, 8), fc21=nn.Linear(8, 3), fc22=nn.Linear(8, 3), fc3=nn.Linear(3, 8), fc4=nn.Linear(8, 784)))
torch.save(vae.state_dict(), "vae.pt")
"#;
    dir.write("save.py", code);
    dir.run("$PYTHON save.py").succeeds();
    let output = dir.run("vae-model import vae.pt -o out.bin").fails(65, "vae-model", &["in Python: "]);
    let (_, code) = output.stderr.trim_end().split_once("in Python: ").expect("code");
    dir.write("convert.py", code);
    dir.run("$PYTHON convert.py").succeeds();
    imports(&dir, "vae.npz -o out.bin");
    assert_eq!(dir.run("vae-model verify out.bin").succeeds().text(), "out.bin: good\n");
}

#[test]
fn what_is_neither_safetensors_nor_npz_is_refused() {
    let dir = TestDir::with_model();
    dir.run("vae-model export model.bin -o s.safetensors; vae-model export model.bin -o s.npz").succeeds();
    dir.run("mnist-dump --synthetic=3 -o digits.vae; grid-png digits.vae -o p.png; vae-cat digits.vae --npy x > x.npy")
        .succeeds();
    dir.write("text", "a text\n");
    dir.write("empty", "");
    for name in ["text", "empty", "p.png", "digits.vae", "x.npy"] {
        refused(&dir, name, "", 65, &[name, "expected .safetensors or .npz"]);
    }
    for name in ["s.safetensors", "s.npz"] {
        let whole = dir.read(name);
        for length in [whole.len() - 1, whole.len() / 2, 100, 9] {
            dir.write("cut", &whole[..length]);
            refused(&dir, "cut", "", 65, &["cut: "]);
        }
    }
    refused(&dir, "nowhere.npz", "", 66, &["nowhere.npz: no such file"]);
}

#[test]
fn an_archive_that_is_damaged_or_holds_something_else_is_refused() {
    let dir = TestDir::with_model();
    dir.run("vae-model export model.bin -o s.npz").succeeds();
    let mut bytes = dir.read("s.npz");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    dir.write("bad.npz", bytes);
    refused(&dir, "bad.npz", "", 65, &["bad.npz: ", "checksum"]);
    let Some(dir) = with_python("numpy") else { return };
    let code = r#"
import numpy as np, zipfile
with zipfile.ZipFile("text.npz", "w") as z: z.writestr("readme.txt", "text")
np.savez("objects.npz", **{"mu.weight": np.array([{}], dtype=object)})
np.savez("number.npz", **{"mu.weight": np.float32(1)})
np.savez("labels.npz", **{"mu.weight": np.zeros((2, 3), int)})
claim = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }"
with zipfile.ZipFile("claim.npz", "w") as z: z.writestr("mu.weight.npy", claim.ljust(127) + b"\n" + bytes(8))
with zipfile.ZipFile("bomb.npz", "w", zipfile.ZIP_DEFLATED) as z:
    with z.open("mu.weight.npy", "w", force_zip64=True) as f:
        for _ in range(1100): f.write(bytes(1 << 20))
"#;
    dir.write("make.py", code);
    dir.run("$PYTHON make.py").succeeds();
    for (name, words) in [
        ("text.npz", ["expected a zip archive of .npy files", "readme.txt"]),
        ("objects.npz", ["tensor mu.weight", "as dtype"]),
        ("number.npz", ["tensor mu.weight", "a single number"]),
        ("labels.npz", ["tensor mu.weight", "floating-point"]),
        ("claim.npz", ["tensor mu.weight", "got 8"]),
        ("bomb.npz", ["too large for a model", "unpacked"]),
    ] {
        refused(&dir, name, "", 65, &words);
    }
}

#[test]
fn options_that_do_not_go_with_the_weights_are_2() {
    let dir = TestDir::new();
    dir.write("s.safetensors", floats(&classic()));
    for (options, words) in [
        ("--autoencoder", ["--autoencoder", "fc2_mean.weight"]),
        ("--sigma 0.5", ["--sigma", "--likelihood gaussian"]),
        ("--likelihood gaussian --sigma learned", ["got 1", "fixed --sigma"]),
        ("--likelihood gaussian --sigma 0", ["--sigma is 0", "0.001"]),
        ("--input-range 1,-1", ["--input-range is 1", "black below white"]),
        ("--activation relu,relu,tanh", ["--activation", "got 3"]),
        ("-o -", ["cannot be used multiple times", "--output"]),
    ] {
        let output = dir.run(&format!("vae-model import s.safetensors {options} -o out.bin"));
        assert_eq!(output.codes, [2], "{output}");
        words.into_iter().for_each(|word| assert!(output.stderr.contains(word), "expected {word}\n{output}"));
        assert_eq!(dir.files(), ["s.safetensors"]);
    }
    dir.run("vae-model import s.safetensors -o -").fails(2, "vae-model", &["- is no regular file"]);
    for options in ["--image 28", "--sigma wide", "--input-range 1", "--activation sin", "--likelihood poisson"] {
        let output = dir.run(&format!("vae-model import s.safetensors {options} -o out.bin"));
        let option = options.split(' ').next().expect("an option");
        assert!(output.codes == [2] && output.stderr.contains(option), "{output}");
        assert_eq!(dir.files(), ["s.safetensors"]);
    }
}

#[test]
fn weights_of_keras_are_told_by_their_shapes_and_strangers_by_their_names() {
    let transposed =
        |shapes: Shapes| shapes.into_iter().map(|(name, s)| (name, s.into_iter().rev().collect())).collect();
    refused_shapes(&transposed(classic()), "", &["fc3.weight is [3, 8], with a bias for each column", "w.T"]);
    let more = |name: &str| [classic(), owned(&[(name, &[8, 784])])].concat();
    refused_shapes(&more("optimizer.fc1.weight"), "", &["tensor optimizer.fc1.weight is not known"]);
    refused_shapes(&more("fc1.weight_mask"), "", &["tensor fc1.weight_mask", "torch.nn.utils.prune.remove"]);
    let without_biases = classic().into_iter().filter(|(name, _)| name.ends_with("weight")).collect();
    refused_shapes(&without_biases, "", &["no tensor fc1.bias", "save zeros"]);
}

#[test]
fn a_state_dict_comes_from_standard_input_too() {
    let dir = TestDir::new();
    dir.write("s.safetensors", floats(&classic()));
    imports(&dir, "s.safetensors -o a");
    imports(&dir, "- -o b < s.safetensors");
    dir.assert_same("a", "b");
}
