//! The options that say which data to read, and what they open.

use std::path::{Path, PathBuf};

use common::{Error, Result};

use crate::source::{Files, Joined, Source};
use crate::synthetic::Synthetic;
use crate::{amat, download, folder};

/// Items of the built-in digits, as many as MNIST has of training and of test images.
const SYNTHETIC: [u32; 2] = [60_000, 10_000];

/// What to read.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Data {
    /// Folder with MNIST's files, or one file of images, IDX or .amat [default: $MNIST_DIR, then ~/.local/share/mnist]
    #[arg(long, value_name = "PATH", hide_default_value = true)]
    pub data: Option<PathBuf>,

    /// Labels of the file given as --data [default: the file beside it that has "labels" for "images" in its name]
    #[arg(long, value_name = "FILE", requires = "data")]
    pub labels: Option<PathBuf>,

    /// Which images; all is training images, then test images [default: train]
    #[arg(long, value_enum)]
    pub split: Option<Split>,

    /// Handwritten-looking digits from the built-in pen, which need no data; --seed chooses others
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, value_parser = clap::value_parser!(u32).range(1..))]
    #[arg(conflicts_with_all = ["data", "download"])]
    pub synthetic: Option<Option<u32>>,

    /// Fetch MNIST to the user's data folder first, if it is not there yet, and read it from there
    #[arg(long, conflicts_with = "data")]
    pub download: bool,

    /// Where to fetch from: the URL of a folder with the four .gz files; may be repeated
    #[arg(long = "mirror", value_name = "URL", requires = "download", default_values_t = download::MIRRORS.map(String::from))]
    pub mirrors: Vec<String>,
}

/// A part of the data.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq)]
pub(crate) enum Split {
    Train,
    Test,
    All,
}

impl Data {
    /// Opens what is asked for; `seed` is that of the built-in digits.
    pub(crate) fn open(&self, seed: u32) -> Result<Box<dyn Source>> {
        if let Some(count) = self.synthetic {
            return self.parts(|split| {
                let count = count.unwrap_or(SYNTHETIC[split]);
                Ok(Box::new(Synthetic { seed, split: split as u32, count }))
            });
        }
        let path = match &self.data {
            Some(path) => path.clone(),
            None if self.download => folder::of_user()?,
            None => folder::usual()?,
        };
        if path.is_dir() || !path.exists() {
            if self.labels.is_some() {
                return Err(Error::Usage(format!(
                    "--labels goes with one file as --data, and {} is none",
                    path.display()
                )));
            }
            return self.parts(|split| {
                let images = folder::images(&path, ["train", "t10k"][split])?;
                Ok(Box::new(Files::open(&images, folder::labels(&images).as_deref())?))
            });
        }
        if self.split.is_some() {
            let path = path.display();
            return Err(Error::Usage(format!("--split chooses among the files of a folder, and {path} is one file")));
        }
        self.file(&path)
    }

    fn file(&self, path: &Path) -> Result<Box<dyn Source>> {
        if path.extension().is_some_and(|extension| extension == "amat") {
            return Ok(Box::new(amat::read(path)?));
        }
        let labels = self.labels.clone().or_else(|| folder::labels(path));
        Ok(Box::new(Files::open(path, labels.as_deref())?))
    }

    /// The source of the split, 0 for training and 1 for test, or of both.
    fn parts(&self, open: impl Fn(usize) -> Result<Box<dyn Source>>) -> Result<Box<dyn Source>> {
        match self.split.unwrap_or(Split::Train) {
            Split::Train => open(0),
            Split::Test => open(1),
            Split::All => Ok(Box::new(Joined::new(open(0)?, open(1)?)?)),
        }
    }
}
