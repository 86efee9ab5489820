//! Running the program, reading what it wrote, and making what it reads.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;
use vae_stream::{Frame, Reader};

/// What came out of a run.
#[derive(Debug, PartialEq, Default)]
pub struct Dump {
    /// Items of each frame.
    pub frames: Vec<usize>,
    /// Height and width.
    pub size: Vec<usize>,
    /// Bytes, or f32 in little endian.
    pub x: Vec<u8>,
    pub y: Option<Vec<u8>>,
    pub i: Vec<i64>,
}

impl Dump {
    /// Pixels, label and number of each item.
    pub fn items(&self) -> Vec<(Vec<u8>, Option<u8>, i64)> {
        let pixels = self.x.chunks(self.size.iter().product());
        let label = |k: usize| self.y.as_ref().map(|y| y[k]);
        pixels.zip(&self.i).enumerate().map(|(k, (x, i))| (x.to_vec(), label(k), *i)).collect()
    }
}

/// A folder of its own, which is also the home of the programs that run in it.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Place {
        Place(TempDir::new().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// The program with these arguments, at home here, and with nothing of the user's.
    pub fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mnist-dump"));
        command.args(args.split_whitespace()).current_dir(self.0.path());
        command.env_remove("MNIST_DIR").env_remove("XDG_DATA_HOME").env("HOME", self.0.path());
        command
    }

    /// What it writes, if all goes well.
    pub fn dump(&self, args: &str) -> Dump {
        let output = self.command(args).output().unwrap();
        assert!(output.status.success(), "mnist-dump {args}: {output:?}");
        parse(&output.stdout)
    }

    /// What it writes, and what it says, if all goes well.
    pub fn dump_and_message(&self, args: &str) -> (Dump, String) {
        let output = self.command(args).output().unwrap();
        (parse(&output.stdout), message(&output, 0))
    }

    /// The message of a run that fails with this status, and which must be one line.
    pub fn fails(&self, status: i32, args: &str) -> String {
        message(&self.command(args).output().unwrap(), status)
    }
}

/// The one line that a run says.
pub fn message(output: &Output, status: i32) -> String {
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(message.starts_with("mnist-dump: ") && message.trim_end().lines().count() == 1, "{message}");
    message
}

/// A whole stream.
pub fn parse(stream: &[u8]) -> Dump {
    let mut reader = Reader::new(Cursor::new(stream.to_vec()), "stream", "x").unwrap();
    let size = reader.head().tensor("x").unwrap().shape;
    let y = reader.head().tensor("y").map(|_| Vec::new());
    let mut dump = Dump { size, y, ..Dump::default() };
    while let Some(frame) = reader.next_frame().unwrap() {
        let Frame::Data(data) = frame else { panic!("{frame:?}") };
        dump.frames.push(data.items());
        dump.x.extend(data.need("x").unwrap().data());
        dump.i.extend(data.i64("i").unwrap());
        if let Some(y) = &mut dump.y {
            y.extend(data.u8("y").unwrap());
        }
    }
    dump
}

/// An IDX file of bytes.
pub fn idx(shape: &[u32], elements: &[u8]) -> Vec<u8> {
    idx_of(8, shape, elements)
}

/// An IDX file of elements of this type.
pub fn idx_of(code: u8, shape: &[u32], elements: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, code, shape.len() as u8];
    file.extend(shape.iter().flat_map(|n| n.to_be_bytes()));
    file.extend_from_slice(elements);
    file
}

pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Pixels of `n` images that all differ.
pub fn pixels(n: usize, size: usize) -> Vec<u8> {
    (0..n * size).map(|k| (k * 7 + k / size * 3) as u8).collect()
}

/// Ten labels again and again, out of order.
pub fn labels(n: usize) -> Vec<u8> {
    (0..n).map(|k| (k * 7 % 10) as u8).collect()
}

/// Writes `n` images of 4 x 3 and their labels under the usual names of a split.
pub fn set(place: &Place, folder: &str, split: &str, n: usize) {
    let images = idx(&[n as u32, 4, 3], &pixels(n, 12));
    place.write(&format!("{folder}/{split}-images-idx3-ubyte.gz"), &gzip(&images));
    place.write(&format!("{folder}/{split}-labels-idx1-ubyte"), &idx(&[n as u32], &labels(n)));
}

/// The folder of the real files, if the environment names one.
pub fn real() -> Option<PathBuf> {
    let folder = std::env::var_os("MNIST_DIR").map(PathBuf::from);
    if folder.is_none() {
        println!("SKIPPED: MNIST_DIR is not set");
    }
    folder.filter(|folder| Path::new(folder).is_absolute())
}
