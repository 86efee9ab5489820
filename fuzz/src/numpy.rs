//! .npy as NumPy reads it, in a Python process.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::{Value, json};
use vae_stream::Tensor;

/// Reads a length and a file of that length again and again, and answers with a line of JSON and the elements, in C order
/// and little endian.
const READER: &str = "
import io, json, sys, numpy
from numpy.lib import format
while length := sys.stdin.buffer.read(4):
    data = io.BytesIO(sys.stdin.buffer.read(int.from_bytes(length, 'little')))
    try:
        array = format.read_array(data, allow_pickle=False)
        elements = array.astype(array.dtype.newbyteorder('<')).tobytes()
        answer = {'dtype': array.dtype.newbyteorder('<').str, 'shape': array.shape, 'nbytes': len(elements)}
    except Exception as e:
        answer, elements = {'error': str(e), 'nbytes': 0}, b''
    sys.stdout.buffer.write(json.dumps(answer).encode() + b'\\n' + elements)
    sys.stdout.buffer.flush()
";

/// A running Python.
struct Python {
    _process: Child,
    input: ChildStdin,
    output: ChildStdout,
}

/// What is read as a tensor here, NumPy reads as the same one.
pub fn numpy(data: &[u8]) {
    static PYTHON: OnceLock<Option<Mutex<Python>>> = OnceLock::new();
    let Some(python) = PYTHON.get_or_init(|| Python::start().map(Mutex::new)) else { return };
    let Ok(tensor) = Tensor::from_npy(data) else { return };
    let (answer, elements) = python.lock().unwrap_or_else(PoisonError::into_inner).read(data);
    let ours = json!({"dtype": tensor.dtype().name(), "shape": tensor.shape(), "nbytes": tensor.data().len()});
    assert_eq!((answer, &elements[..]), (ours, tensor.data()));
}

impl Python {
    /// The Python of `$PYTHON`, or python3, if it has NumPy; says so where it has not.
    fn start() -> Option<Python> {
        let name = std::env::var("PYTHON").unwrap_or("python3".into());
        let has_numpy = Command::new(&name).args(["-c", "import numpy"]).stderr(Stdio::null()).status();
        if !has_numpy.is_ok_and(|status| status.success()) {
            assert!(std::env::var_os("REQUIRE_NUMPY").is_none(), "REQUIRE_NUMPY is set, and {name} has no NumPy");
            eprintln!("SKIPPED numpy: {name} has no NumPy; set PYTHON");
            return None;
        }
        let mut process = Command::new(&name)
            .args(["-c", READER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a Python that was there");
        let (input, output) = (process.stdin.take().expect("a pipe"), process.stdout.take().expect("a pipe"));
        Some(Python { _process: process, input, output })
    }

    fn read(&mut self, data: &[u8]) -> (Value, Vec<u8>) {
        let length = u32::try_from(data.len()).expect("a small input");
        self.input.write_all(&[&length.to_le_bytes(), data].concat()).expect("Python reads");
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let mut byte = [0];
            self.output.read_exact(&mut byte).expect("Python answers");
            line.extend(byte);
        }
        let answer: Value = serde_json::from_slice(&line).expect("an answer in JSON");
        let mut elements = vec![0; answer["nbytes"].as_u64().expect("a length") as usize];
        self.output.read_exact(&mut elements).expect("Python answers");
        (answer, elements)
    }
}
