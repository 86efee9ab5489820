//! Fixtures: a small model and IDX files, made once; MNIST; networks of every kind; and how files are read and
//! compared.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ndarray::ArrayD;
use ndarray_npy::{ReadableElement, WritableElement, read_npy, write_npy};

use super::shell::TestDir;

/// The options that make [`model`]'s network: few enough weights to train it in no time.
pub const MODEL: &str = "--hidden 32 --latent 4";

/// The path of a file that is made once, inside the target folder.
fn cached(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// A model of synthetic digits. Two runs of the tests at once may both write it: the programs replace a file in one
/// step, and training gives the same bytes.
pub fn model() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let path = cached("model.bin");
        let line = format!(
            "mnist-dump --synthetic=500 | vae-train {MODEL} --epochs 4 --batch 50 --lr 5e-3 -o {}",
            path.display()
        );
        TestDir::new().run(&line).succeeds();
        path
    })
}

/// A folder of IDX files such as MNIST's, with synthetic digits in them.
pub fn idx() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let (folder, dir) = (cached("idx"), TestDir::new());
        fs::create_dir_all(&folder).expect("a folder");
        for (split, name, items) in [("train", "train", 600), ("test", "t10k", 200)] {
            dir.run(&format!("mnist-dump --synthetic={items} --split {split} -o digits.vae")).succeeds();
            dir.run("vae-cat digits.vae --npy x > x.npy; vae-cat digits.vae --npy y > y.npy").succeeds();
            let (x, y) = (dir.npy::<u8>("x.npy"), dir.npy::<u8>("y.npy"));
            write_idx(&folder.join(format!("{name}-images-idx3-ubyte")), &x);
            write_idx(&folder.join(format!("{name}-labels-idx1-ubyte")), &y);
        }
        folder
    })
}

/// An IDX file: two zeros, 8 for bytes, the number of dimensions, the dimensions, the bytes.
fn write_idx(path: &Path, array: &ArrayD<u8>) {
    let mut bytes = vec![0, 0, 8, array.ndim() as u8];
    array.shape().iter().for_each(|size| bytes.extend((*size as u32).to_be_bytes()));
    bytes.extend(array.iter());
    fs::write(path, bytes).expect("a file to write");
}

/// The folder of MNIST, if MNIST_DIR names one.
pub fn mnist() -> Option<PathBuf> {
    let folder = std::env::var_os("MNIST_DIR").filter(|folder| !folder.is_empty())?;
    Some(fs::canonicalize(&folder).unwrap_or_else(|e| panic!("MNIST_DIR={}: {e}", folder.display())))
}

/// Networks of every kind: how to train them, and what their shapes do not tell.
pub const NETWORKS: [(&str, &str, &str); 9] = [
    ("mlp", "--hidden 20,10 --latent 3", ""),
    ("curved", "--hidden 20 --latent 3 --activation tanh,softplus", "--activation tanh,softplus"),
    ("gaussian", "--hidden 20 --latent 3 --likelihood gaussian --sigma 0.5", "--likelihood gaussian --sigma 0.5"),
    ("learned", "--hidden 20 --latent 3 --likelihood gaussian --sigma learned", ""),
    ("code", "--hidden 20,10 --latent 3 --autoencoder=relu", "--autoencoder=relu"),
    ("conv", "--conv 3,5 --latent 3 --activation leaky-relu:0.2,relu", "--activation leaky-relu:0.2,relu"),
    ("conv-code", "--conv 3 --latent 2 --autoencoder", ""),
    ("classes", "--hidden 20 --latent 3 --classes 10 --prior 8", ""),
    (
        "conv-classes",
        "--conv 3,4 --latent 3 --classes 10 --prior 8,6 --likelihood gaussian --sigma learned",
        "--likelihood gaussian --sigma learned",
    ),
];

impl TestDir {
    /// A folder with `model.bin` in it.
    pub fn with_model() -> TestDir {
        let dir = TestDir::new();
        fs::copy(model(), dir.path("model.bin")).expect("a copy of the model");
        dir
    }

    /// A folder with `NAME.bin` of each network, and the digits that these were trained on.
    pub fn with_networks() -> TestDir {
        let dir = TestDir::new();
        dir.run("mnist-dump --synthetic=60 -o digits.vae").succeeds();
        for (name, options, _) in NETWORKS {
            dir.run(&format!("vae-train {options} --epochs 1 digits.vae -o {name}.bin > losses.jsonl")).succeeds();
        }
        dir
    }

    /// The array of a .npy file.
    #[track_caller]
    pub fn npy<T: ReadableElement>(&self, name: &str) -> ArrayD<T> {
        read_npy(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Writes a .npy file.
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

    /// Asserts that two .npy files of f32 differ by less than this in every element.
    #[track_caller]
    pub fn assert_near(&self, a: &str, b: &str, tolerance: f32) {
        let (x, y) = (self.npy::<f32>(a), self.npy::<f32>(b));
        assert_eq!(x.shape(), y.shape(), "{a} and {b}");
        let largest = x.iter().zip(&y).fold(0.0, |most: f32, (x, y)| most.max((x - y).abs()));
        assert!(largest < tolerance, "{a} and {b} differ by {largest}");
    }

    /// Asserts that two files hold the same bytes.
    #[track_caller]
    pub fn assert_same(&self, a: &str, b: &str) {
        assert!(self.read(a) == self.read(b), "{a} and {b} differ");
    }

    /// Asserts that two files hold different bytes.
    #[track_caller]
    pub fn assert_differ(&self, a: &str, b: &str) {
        assert!(self.read(a) != self.read(b), "{a} and {b} are the same");
    }
}

/// A pseudorandom number generator, SplitMix64, with its state.
pub struct SplitMix64(pub u64);

impl SplitMix64 {
    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}
