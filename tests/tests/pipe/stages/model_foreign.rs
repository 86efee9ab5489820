//! Files that people bring in place of a model, of a state dict or of a stream.

use crate::harness::TestDir;
use crate::stages::model_import::refused;

/// Files that are none of what a program reads, and their names.
const FILES: [(&str, &[u8], &str); 15] = [
    ("lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab\nsize 12345\n", "a Git LFS pointer"),
    ("page", b"\n<!doctype html><html><title>Sign in</title></html>", "a web page"),
    ("denied", b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "a web page"),
    ("zstd", b"\x28\xb5\x2f\xfd\x04\x00\x41\x00", "zstd data"),
    ("xz", b"\xfd7zXZ\x00\x00\x04\xe6\xd6", "xz data"),
    ("bzip2", b"BZh91AY&SY\x01", "bzip2 data"),
    ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "gzip data"),
    ("jpeg", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "a JPEG picture"),
    ("gif", b"GIF89a\x01\x00\x01\x00", "a GIF picture"),
    ("pdf", b"%PDF-1.7\n%", "a PDF"),
    ("hdf5", b"\x89HDF\r\n\x1a\n\x00\x00", "an HDF5 file"),
    ("onnx", b"\x08\x07\x12\x07pytorch\x1a\x052.1.0", "a network in the format of ONNX"),
    ("gguf", b"GGUF\x03\x00\x00\x00\x0c\x00", "a network in the format of GGUF"),
    ("parquet", b"PAR1\x15\x04\x15\x10", "a Parquet table"),
    ("csv", b"label,pixel0,pixel1,pixel2\n5,0,0,0\n", "a text table"),
];

#[test]
fn a_file_in_another_format_is_named_wherever_it_is_given() {
    let dir = TestDir::with_model();
    let tar = [&b"weights.npz"[..], &[0; 246], b"ustar\x0000", &[0; 247]].concat();
    dir.run("mnist-dump --synthetic=3 -o digits.vae").succeeds();
    for (file, bytes, name) in FILES.into_iter().chain([("tar", &tar[..], "a tar archive")]) {
        dir.write(file, bytes);
        refused(&dir, file, "", 65, &[&format!("{file}: "), "expected .safetensors or .npz, got", name]);
        let words = [&format!("{file} is not a model: expected a safetensors file, got")[..], name];
        dir.run(&format!("vae-model info {file}")).fails(65, "vae-model", &words);
        dir.run(&format!("vae-encode -m {file} digits.vae -o out")).fails(65, "vae-encode", &words);
        let words = [&format!("{file}: expected a stream, .npy or newline JSON, got")[..], name];
        dir.run(&format!("vae-encode -m model.bin {file} -o out")).fails(65, "vae-encode", &words);
        assert!(!dir.path("out").exists());
    }
}

#[test]
fn what_stands_for_the_file_comes_with_its_remedy() {
    let dir = TestDir::with_model();
    for (file, remedy) in [
        ("lfs", "git lfs pull"),
        ("page", "download it again"),
        ("denied", "download it again"),
        ("zstd", "unpack it (zstd -dc)"),
        ("xz", "unpack it (xz -dc)"),
    ] {
        let (_, bytes, _) = FILES.into_iter().find(|(name, ..)| *name == file).expect("a file of this name");
        dir.write(file, bytes);
        refused(&dir, file, "", 65, &[remedy]);
        dir.run(&format!("vae-model info {file}")).fails(65, "vae-model", &[remedy]);
        dir.run(&format!("vae-encode -m model.bin {file} -o out")).fails(65, "vae-encode", &[remedy]);
    }
    dir.write("empty", "");
    dir.run("vae-model info empty").fails(65, "vae-model", &["got an empty file", "download or make it again"]);
}

#[test]
fn other_files_of_these_programs_are_no_models_and_are_named() {
    let dir = TestDir::with_model();
    dir.run("mnist-dump --synthetic=3 -o digits.vae; vae-cat digits.vae --npy x > x.npy").succeeds();
    dir.run("vae-model export model.bin -o weights.npz; vae-model info model.bin -o info.json").succeeds();
    for (file, words) in [
        ("digits.vae", ["got a stream", "vae-train"]),
        ("x.npy", ["got a NumPy array (.npy)", "vae-train"]),
        ("info.json", ["got JSON", "vae-train"]),
        ("weights.npz", ["got a zip archive", "vae-model import"]),
    ] {
        dir.run(&format!("vae-model info {file}")).fails(65, "vae-model", &words);
    }
    for (file, name) in [("digits.vae", "got a stream"), ("x.npy", "numpy.savez"), ("info.json", "got JSON")] {
        refused(&dir, file, "", 65, &[name]);
    }
}

#[test]
fn weights_of_keras_come_with_their_conversion() {
    let dir = TestDir::new();
    dir.write("model.weights.h5", b"\x89HDF\r\n\x1a\n\x00\x00");
    refused(&dir, "model.weights.h5", "", 65, &["an HDF5 file", "numpy.savez its weights", "transposed to [out, in]"]);
    dir.run("vae-model info model.weights.h5").fails(65, "vae-model", &["vae-model import"]);
    let Some(dir) = crate::stages::numpy::with_python("numpy") else { return };
    let code = r#"
import numpy as np, zipfile
with zipfile.ZipFile("vae.keras", "w") as z:
    z.writestr("config.json", "{}")
    z.writestr("model.weights.h5", "")
np.savez("kernels.npz", **{"dense/kernel:0": np.zeros((784, 8), "f4"), "dense/bias:0": np.zeros(8, "f4")})
np.savez("flax.npz", **{"params.Dense_0.kernel": np.zeros((784, 8), "f4")})
np.savez("list.npz", np.zeros((784, 8), "f4"), np.zeros(8, "f4"))
"#;
    dir.write("make.py", code);
    dir.run("$PYTHON make.py").succeeds();
    refused(&dir, "vae.keras", "", 65, &["a model of Keras", "transposed to [out, in]"]);
    refused(&dir, "kernels.npz", "", 65, &["tensor dense/bias:0", "transpose each kernel"]);
    refused(&dir, "flax.npz", "", 65, &["tensor params.Dense_0.kernel", "transpose each kernel"]);
    refused(&dir, "list.npz", "", 65, &["tensor arr_0", "numpy.savez(FILE, **weights)"]);
}
