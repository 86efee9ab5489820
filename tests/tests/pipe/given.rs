//! What many tests start from: a small model, made once, data, and how to look at results.

use std::fs;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ndarray::ArrayD;
use ndarray_npy::{ReadableElement, WritableElement, read_npy, write_npy};

pub use crate::place::Place;

/// The options that make [`model`]'s network: few enough weights to train it in no time.
pub const MODEL: &str = "--hidden 32 --latent 4";

/// Where what is made once is kept, inside the target folder.
fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// A model of synthetic digits. (Programs write whole files or none, and training gives the same bytes, so that even two
/// runs of the tests at once cannot disturb each other.)
pub fn model() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let path = kept("model.bin");
        let line = format!(
            "mnist-dump --synthetic=500 | vae-train {MODEL} --epochs 4 --batch 50 --lr 5e-3 -o {}",
            path.display()
        );
        Place::new().run(&line).succeeds();
        path
    })
}

/// A folder of IDX files such as MNIST's, with synthetic digits in them.
pub fn idx() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let (folder, place) = (kept("idx"), Place::new());
        fs::create_dir_all(&folder).expect("a folder");
        for (split, name, items) in [("train", "train", 600), ("test", "t10k", 200)] {
            place.run(&format!("mnist-dump --synthetic={items} --split {split} -o digits.vae")).succeeds();
            place.run("vae-cat digits.vae --npy x > x.npy; vae-cat digits.vae --npy y > y.npy").succeeds();
            let (x, y) = (place.npy::<u8>("x.npy"), place.npy::<u8>("y.npy"));
            write_idx(&folder.join(format!("{name}-images-idx3-ubyte")), &x);
            write_idx(&folder.join(format!("{name}-labels-idx1-ubyte")), &y);
        }
        folder
    })
}

/// Two zeros, 8 for bytes, the number of dimensions, the dimensions, the bytes.
fn write_idx(path: &Path, array: &ArrayD<u8>) {
    let mut bytes = vec![0, 0, 8, array.ndim() as u8];
    array.shape().iter().for_each(|size| bytes.extend((*size as u32).to_be_bytes()));
    bytes.extend(array.iter());
    fs::write(path, bytes).expect("a file to write");
}

/// The folder of the real MNIST, where MNIST_DIR names one.
pub fn mnist() -> Option<PathBuf> {
    let folder = std::env::var_os("MNIST_DIR").filter(|folder| !folder.is_empty())?;
    Some(fs::canonicalize(&folder).unwrap_or_else(|e| panic!("MNIST_DIR={}: {e}", folder.display())))
}

/// Tells, past the harness that hides what successful tests print, that a test did not run.
pub fn skipped(test: &str, why: &str) {
    let _ = writeln!(stderr(), "SKIPPED {test}: {why}");
}

impl Place {
    /// Whether a program is on this machine; where it is not, the test tells that it does not run.
    pub fn has(&self, program: &str) -> bool {
        let there = self.run(&format!("command -v {program}")).codes == [0];
        if !there {
            skipped(std::thread::current().name().unwrap_or("a test"), &format!("there is no {program}"));
        }
        there
    }
    /// A folder with `model.bin` in it.
    pub fn with_model() -> Place {
        let place = Place::new();
        fs::copy(model(), place.path("model.bin")).expect("a copy of the model");
        place
    }

    /// An array that a program wrote.
    #[track_caller]
    pub fn npy<T: ReadableElement>(&self, name: &str) -> ArrayD<T> {
        read_npy(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Makes a .npy.
    pub fn write_npy<T: WritableElement, D: ndarray::Dimension>(&self, name: &str, array: &ndarray::Array<T, D>) {
        write_npy(self.path(name), array).expect("a file to write");
    }

    /// Width and height of a PNG.
    #[track_caller]
    pub fn png(&self, name: &str) -> [u32; 2] {
        let bytes = self.read(name);
        assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.len() > 24, "{name} is no PNG: {bytes:02x?}");
        [16, 20].map(|at| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("4 bytes")))
    }

    /// Whether two .npy of f32 differ by less than this anywhere.
    #[track_caller]
    pub fn assert_near(&self, a: &str, b: &str, tolerance: f32) {
        let (x, y) = (self.npy::<f32>(a), self.npy::<f32>(b));
        assert_eq!(x.shape(), y.shape(), "{a} and {b}");
        let largest = x.iter().zip(&y).fold(0.0, |most: f32, (x, y)| most.max((x - y).abs()));
        assert!(largest < tolerance, "{a} and {b} differ by {largest}");
    }

    /// Whether two files hold the same bytes.
    #[track_caller]
    pub fn assert_same(&self, a: &str, b: &str) {
        assert!(self.read(a) == self.read(b), "{a} and {b} differ");
    }

    /// Whether two files hold different bytes.
    #[track_caller]
    pub fn assert_differ(&self, a: &str, b: &str) {
        assert!(self.read(a) != self.read(b), "{a} and {b} are the same");
    }
}

/// Numbers that look random and are the same every time (SplitMix64).
pub struct Draws(pub u64);

impl Draws {
    /// A number below `most`.
    pub fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % most as u64) as usize
    }
}
