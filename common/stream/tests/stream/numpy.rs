//! The other side of the format: real NumPy, and the reader and writer in examples/vae_stream.py.
//!
//! `PYTHON` names the interpreter, and `REQUIRE_NUMPY=1` makes its absence a failure.

use std::path::Path;
use std::process::{Command, Stdio};

use ndarray::{Array3, array};
use serde_json::json;
use vae_stream::{Data, Dtype, Frame, Tensor};

use crate::{fault, frames, head, images, joined, read, write};

/// Runs Python code with `input` in standard input, in the folder of the example; its output, or none where there is no
/// NumPy to run it with.
fn python(code: &str, input: &[u8]) -> Option<(bool, Vec<u8>, String)> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let run = |code: &str| {
        let mut command = Command::new(&python);
        command.args(["-c", code]).current_dir(&examples).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    };
    let found = run("import numpy").output();
    if !found.as_ref().is_ok_and(|o| o.status.success()) {
        assert_ne!(std::env::var("REQUIRE_NUMPY").as_deref(), Ok("1"), "{python} cannot import numpy: {found:?}");
        println!("SKIPPED: {python} cannot import numpy");
        return None;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), input).unwrap();
    // A pipe, since NumPy may treat a file in its own way.
    let mut cat = Command::new("cat").arg(file.path()).stdout(Stdio::piped()).spawn().unwrap();
    let output = run(code).stdin(cat.stdout.take().unwrap()).output().unwrap();
    cat.wait().unwrap();
    Some((output.status.success(), output.stdout, String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[test]
fn numpy_reads_every_frame() {
    let code = "
import sys, json, vae_stream
for line, arrays in vae_stream.read(sys.stdin.buffer):
    line.pop('crc32')
    print(json.dumps([line, {n: [str(a.dtype), a.tolist()] for n, a in arrays.items()}]))
";
    let Some((ok, stdout, stderr)) = python(code, &joined().0) else { return };
    assert!(ok, "{stderr}");
    let seen: Vec<serde_json::Value> =
        String::from_utf8(stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(seen.len(), 2 + frames().len() + 1, "two heads, the frames of the first and one of the second");
    assert_eq!(seen[0][0]["future"], json!({"kept": [1, null]}));
    assert_eq!(seen[2][1]["x"], json!(["uint8", [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]]]));
    assert_eq!(seen[3][0]["text"], json!("é\n"));
    assert_eq!(seen[5][1]["z"], json!(["float32", [[0.5, -1.0], [f64::from(f32::MIN_POSITIVE), 3.0]]]));
}

#[test]
fn numpy_writes_what_we_read() {
    let code = "
import sys, vae_stream, numpy as np
x = np.arange(24, dtype='>f8').reshape(4, 2, 3)
batches = [dict(x=np.asfortranarray(x), y=np.array([1, 2, 3, 4])), dict(x=x[::2, ::-1], y=[5, 6])]
vae_stream.write(sys.stdout.buffer, batches, note='hello')
";
    let Some((ok, stdout, stderr)) = python(code, b"") else { return };
    assert!(ok, "{stderr}");
    let (head, frames) = read(&stdout).unwrap();
    assert_eq!(head.get("note"), Some(&json!("hello")));
    let [Frame::Data(first), Frame::Data(second)] = &frames[..] else { panic!("expected two frames, got {frames:?}") };
    assert_eq!(first.need("x").unwrap().dtype(), Dtype::F64);
    assert_eq!(first.f32("x").unwrap().into_raw_vec_and_offset().0, (0..24u8).map(f32::from).collect::<Vec<_>>());
    assert_eq!(
        second.f32("x").unwrap(),
        array![[[3., 4., 5.], [0., 1., 2.]], [[15., 16., 17.], [12., 13., 14.]]].into_dyn()
    );
    assert_eq!(second.u8("y").unwrap(), array![5, 6].into_dyn());
}

#[test]
fn numpy_notices_damage() {
    let code = "
import sys, vae_stream
data = sys.stdin.buffer.read()
import io
for at in range(0, len(data), 7):
    for bad in (data[:at], data[:at] + bytes([data[at] ^ 4]) + data[at + 1:]):
        try:
            for _ in vae_stream.read(io.BytesIO(bad)): pass
        except ValueError: continue
        sys.exit(f'byte {at}: nobody noticed')
";
    let Some((ok, _, stderr)) = python(code, &write(&head(), frames())) else { return };
    assert!(ok, "{stderr}");
}

#[test]
fn the_program_is_a_filter() {
    let x = Array3::from_shape_fn((2, 2, 3), |(n, h, w)| (100 * n + 10 * h + w) as u8);
    let data = Data::new([("x", Tensor::from_array(&x))]);
    let stream = write(&vae_stream::Head::of(&data), [data.into()]);
    let code = "import runpy; runpy.run_path('vae_stream.py', run_name='__main__')";
    let Some((ok, stdout, stderr)) = python(code, &stream) else { return };
    assert!(ok, "{stderr}");
    let [Frame::Data(inverted)] = &read(&stdout).unwrap().1[..] else { panic!("expected one frame") };
    assert_eq!(inverted.u8("x").unwrap(), x.mapv(|v| 255 - v).into_dyn());

    let (ok, stdout, stderr) = python(code, &stream[..stream.len() - 1]).unwrap();
    assert!(!ok && stderr.starts_with("vae_stream.py: ") && stderr.lines().count() == 1, "{stderr}");
    fault(&stdout);
}

#[test]
fn the_program_stops_quietly_when_its_reader_has_enough() {
    let data = Data::new([("x", Tensor::from_array(&Array3::<u8>::zeros((400, 28, 28))))]);
    let stream = write(&vae_stream::Head::of(&data), [data.into()]);
    let code = "
import subprocess, sys
program = subprocess.Popen([sys.executable, 'vae_stream.py'], stdin=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
program.stdout.read(1)
program.stdout.close()
message = program.stderr.read()
assert (program.wait(), message) == (0, b''), message
";
    let Some((ok, _, stderr)) = python(code, &stream) else { return };
    assert!(ok, "{stderr}");
}

#[test]
fn whatever_numpy_saves_we_read() {
    let code = "
import sys, itertools, numpy as np
for kind, order, layout in itertools.product('b1 i1 u1 i2 u2 i4 u4 i8 u8 f2 f4 f8'.split(), '<>', 'CF'):
    a = np.array(np.arange(30).reshape(5, 2, 3) % 2, dtype=order + kind, order=layout)
    np.save(sys.stdout.buffer, a)
    np.lib.format.write_array(sys.stdout.buffer, a, version=(3, 0))
";
    let Some((ok, stdout, stderr)) = python(code, b"") else { return };
    assert!(ok, "{stderr}");
    let expected = Array3::from_shape_fn((5, 2, 3), |(n, h, w)| ((6 * n + 3 * h + w) % 2) as i64).into_dyn();
    let starts = stdout.windows(6).enumerate().filter(|(_, w)| w == b"\x93NUMPY").map(|(at, _)| at);
    let mut starts: Vec<usize> = starts.collect();
    assert_eq!(starts.len(), 12 * 2 * 2 * 2);
    starts.push(stdout.len());
    for (i, file) in starts.windows(2).enumerate() {
        let [Frame::Data(data)] = &read(&stdout[file[0]..file[1]]).unwrap().1[..] else { panic!("expected one frame") };
        assert_eq!(data.i64("x").unwrap(), expected, "file {i}");
    }
}

#[test]
fn numpy_reads_the_one_npy_that_we_write() {
    use vae_stream::{Memory, Writer};
    let memory = Memory::default();
    let writer = Writer::npy(memory.clone(), &head(), "x").unwrap();
    writer.run(|out| out.write(images(5))).unwrap();
    let code = "import sys, io, numpy as np; a = np.load(io.BytesIO(sys.stdin.buffer.read())); print(a.dtype, a.shape, a.sum())";
    let Some((_, stdout, stderr)) = python(code, &memory.bytes()) else { return };
    assert_eq!(String::from_utf8(stdout).unwrap().trim(), "uint8 (2, 2, 3) 126", "{stderr}");
}
