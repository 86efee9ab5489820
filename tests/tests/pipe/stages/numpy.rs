//! Interoperability with NumPy: streams, .npy and model files, read and written by Python.
//!
//! `PYTHON` names the interpreter, and `REQUIRE_NUMPY=1` makes its absence a failure.

use crate::harness::{MODEL, TestDir, repository, skipped};

/// A folder with a model in which `$PYTHON` has a module, or none where it has not.
pub fn with_python(module: &str) -> Option<TestDir> {
    let mut dir = TestDir::with_model();
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    dir.set("PYTHON", &python);
    dir.set("PYTHONDONTWRITEBYTECODE", "1");
    dir.set("EXAMPLES", repository().join("examples"));
    let found = dir.run(&format!("$PYTHON -c 'import {module}'"));
    if found.codes == [0] {
        return Some(dir);
    }
    let required = module == "numpy" && std::env::var("REQUIRE_NUMPY").is_ok_and(|v| v == "1");
    assert!(!required, "REQUIRE_NUMPY=1, but there is no NumPy\n{found}");
    skipped(std::thread::current().name().unwrap_or("a test"), &format!("{python} has no module {module}"));
    None
}

#[test]
fn numpy_stands_in_the_middle_of_a_pipe() {
    let Some(dir) = with_python("numpy") else { return };
    dir.run("mnist-dump --synthetic=600 -o digits.vae").succeeds();
    dir.pipe("cat digits.vae | $PYTHON $EXAMPLES/vae_stream.py | vae-cat -o inverted.vae").succeeds();
    dir.run("vae-cat digits.vae --npy x > x.npy; vae-cat inverted.vae --npy x > inverted.npy").succeeds();
    assert_eq!(dir.npy::<u8>("inverted.npy"), dir.npy::<u8>("x.npy").mapv(|p| 255 - p));
    for name in ["y", "i"] {
        dir.run(&format!("vae-cat digits.vae --npy {name} > a; vae-cat inverted.vae --npy {name} > b")).succeeds();
        dir.assert_same("a", "b");
    }
    let line =
        "cat digits.vae | $PYTHON $EXAMPLES/vae_stream.py | vae-encode -m model.bin | vae-decode | grid-png -o out.png";
    dir.pipe(line).succeeds();
}

#[test]
fn a_stream_cut_short_before_numpy_is_an_error_after_it() {
    let Some(dir) = with_python("numpy") else { return };
    let line = "mnist-dump --synthetic=600 | head -c 300000 | $PYTHON $EXAMPLES/vae_stream.py 2> 1 | grid-png --max 0 -o out.png";
    let output = dir.pipe(line);
    assert_eq!(output.codes, [0, 0, 1, 65], "{output}");
    output.reports("grid-png", &["standard input", "see the message of the stage before"]);
    assert!(String::from_utf8_lossy(&dir.read("1")).contains("damaged or cut short"));
    assert!(!dir.path("out.png").exists());
}

#[test]
fn numpy_learns_of_a_stage_that_failed() {
    let Some(dir) = with_python("numpy") else { return };
    let line = "mnist-dump --synthetic=600 | head -c 300000 | vae-cat 2> 0 | $PYTHON $EXAMPLES/vae_stream.py > out.vae";
    let output = dir.pipe(line);
    assert_eq!(output.codes, [0, 0, 65, 1], "{output}");
    output.reports("vae_stream.py", &["vae-cat failed", "stops at byte 300000"]);
}

#[test]
fn numpy_loads_what_npy_writes_and_writes_what_is_read() {
    let Some(dir) = with_python("numpy") else { return };
    let code = r#"
import numpy as np
x, y, z = (np.load(name + ".npy") for name in "xyz")
assert (x.dtype, x.shape) == (np.uint8, (300, 28, 28)), (x.dtype, x.shape)
assert (y.dtype, y.shape) == (np.uint8, (300,)) and y.max() < 10, y
assert (z.dtype, z.shape) == (np.float32, (300, 4)), (z.dtype, z.shape)
np.save("big.npy", x.astype(">f8") / 255)
np.save("fortran.npy", np.asfortranarray(x.astype(np.int64)))
"#;
    dir.write("check.py", code);
    dir.run("mnist-dump --synthetic=300 -o digits.vae; vae-encode -m model.bin digits.vae --npy z > z.npy").succeeds();
    dir.run("for n in x y; do vae-cat digits.vae --npy $n > $n.npy; done; $PYTHON check.py").succeeds();
    dir.run("vae-encode -m model.bin fortran.npy --npy z > f.npy; vae-encode -m model.bin big.npy --npy z > b.npy")
        .succeeds();
    dir.assert_same("z.npy", "f.npy");
    dir.assert_near("z.npy", "b.npy", 1e-5);
}

/// Reads `model.bin` by the description of the format alone: a length, JSON, and the bytes.
const LOAD: &str = r#"
import json, sys
import numpy as np

def load(path):
    raw = open(path, "rb").read()
    end = 8 + int.from_bytes(raw[:8], "little")
    header, data = json.loads(raw[8:end]), raw[end:]
    metadata = header.pop("__metadata__")
    spans = sorted(t["data_offsets"] for t in header.values())
    assert [0] + [b for _, b in spans] == [a for a, _ in spans] + [len(data)], "the tensors fill the file"
    assert all(t["dtype"] == "F32" for t in header.values())
    assert end % 8 == 0, "the tensors are aligned"
    array = lambda t: np.frombuffer(data[slice(*t["data_offsets"])], "<f4").reshape(t["shape"])
    return metadata, {name: array(t) for name, t in header.items()}
"#;

#[test]
fn a_model_file_has_the_layout_of_safetensors_and_the_names_of_pytorch() {
    let Some(dir) = with_python("numpy") else { return };
    let code = r#"
metadata, tensors = load("model.bin")
assert list(metadata) == ["vae"] and json.loads(metadata["vae"])["network"]["hidden"] == [32], metadata
shapes = {name: list(a.shape) for name, a in tensors.items()}
assert shapes == {
    "encoder.0.weight": [32, 784], "encoder.0.bias": [32],
    "mu.weight": [4, 32], "mu.bias": [4], "logvar.weight": [4, 32], "logvar.bias": [4],
    "decoder.0.weight": [32, 4], "decoder.0.bias": [32], "decoder.2.weight": [784, 32], "decoder.2.bias": [784],
}, shapes
"#;
    dir.write("check.py", format!("{LOAD}{code}"));
    dir.run("$PYTHON check.py").succeeds();
}

#[test]
fn the_safetensors_package_loads_the_same() {
    let Some(dir) = with_python("safetensors.numpy") else { return };
    let code = r#"
from safetensors.numpy import load_file
_, tensors = load("model.bin")
theirs = load_file("model.bin")
assert theirs.keys() == tensors.keys()
assert all((theirs[name] == a).all() and theirs[name].dtype == a.dtype for name, a in tensors.items())
"#;
    dir.write("check.py", format!("{LOAD}{code}"));
    dir.run("$PYTHON check.py").succeeds();
}

#[test]
fn numpy_computes_the_same_latents_and_images_from_the_model() {
    let Some(dir) = with_python("numpy") else { return };
    let code = r#"
_, w = load("model.bin")
x, mu, logvar, x_hat = (np.load(name + ".npy").astype(np.float64) for name in ["x", "mu", "logvar", "x_hat"])
linear = lambda name, v: v @ w[name + ".weight"].T.astype(np.float64) + w[name + ".bias"]
h = np.maximum(linear("encoder.2", np.maximum(linear("encoder.0", x.reshape(len(x), -1) / 255), 0)), 0)
for name, ours in [("mu", mu), ("logvar", logvar)]:
    assert abs(linear(name, h) - ours).max() < 1e-4, (name, abs(linear(name, h) - ours).max())
h = np.maximum(linear("decoder.2", np.maximum(linear("decoder.0", linear("mu", h)), 0)), 0)
theirs = 1 / (1 + np.exp(-linear("decoder.4", h)))
assert abs(theirs.reshape(x_hat.shape) - x_hat).max() < 1e-5, abs(theirs.reshape(x_hat.shape) - x_hat).max()
"#;
    dir.write("check.py", format!("{LOAD}{code}"));
    let train = "vae-train --hidden 40,20 --latent 3 --epochs 3 --lr 1e-2 digits.vae -o model.bin > losses.jsonl";
    dir.run(&format!("mnist-dump --synthetic=300 -o digits.vae; {train}")).succeeds();
    dir.run("vae-encode -m model.bin --emit mu,logvar,z --keep x digits.vae | vae-decode -o all.vae").succeeds();
    dir.run("for n in x mu logvar x_hat; do vae-cat all.vae --npy $n > $n.npy; done; $PYTHON check.py").succeeds();
}

#[test]
fn pytorch_gives_the_same_reconstructions() {
    let Some(dir) = with_python("torch, safetensors") else { return };
    dir.run("mnist-dump --synthetic=100 --npy x > x.npy").succeeds();
    dir.pipe("vae-encode -m model.bin x.npy | vae-decode --npy x_hat > ours.npy").succeeds();
    dir.run("$PYTHON $EXAMPLES/load_in_pytorch.py model.bin x.npy theirs.npy").succeeds();
    dir.assert_near("ours.npy", "theirs.npy", 1e-5);
}

#[test]
fn a_model_trained_on_arrays_of_numpy_is_the_same_as_one_trained_on_the_stream() {
    let Some(dir) = with_python("numpy") else { return };
    let save = "import numpy as np; np.save('again.npy', np.load('x.npy'))";
    dir.run(&format!(
        "mnist-dump --synthetic=100 -o digits.vae; vae-cat digits.vae --npy x > x.npy; $PYTHON -c \"{save}\""
    ))
    .succeeds();
    for (input, output) in [("digits.vae", "a.bin"), ("again.npy", "b.bin")] {
        dir.run(&format!("vae-train {MODEL} --epochs 1 {input} -o {output} > losses.jsonl")).succeeds();
    }
    dir.assert_same("a.bin", "b.bin");
}
