//! The options of the data, and their source.

use std::path::{Path, PathBuf};

use vae_cli::source::{Concat, Source};
use vae_cli::{Error, Result};

use crate::files::{Files, read_labels};
use crate::synthetic::Synthetic;
use crate::{amat, download, folder};

/// Numbers of built-in digits: those of MNIST's training and test images.
const SYNTHETIC: [u32; 2] = [60_000, 10_000];

/// The options of the data.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Data {
    /// A folder with MNIST's files, or one file of images, IDX or .amat [default: $MNIST_DIR, or ~/.local/share/mnist]
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// The labels, if --data is a file [default: the file beside it with "labels" for "images" in its name]
    #[arg(long, value_name = "FILE", requires = "data")]
    pub labels: Option<PathBuf>,
    /// Training or test images; all is train, then test, and `i` counts on [default: train]
    #[arg(long, value_name = "NAME")]
    pub split: Option<Split>,
    /// Draw N handwritten-looking digits, which needs no data [default: 60000 to train and 10000 to test]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true)]
    #[arg(conflicts_with_all = ["data", "labels", "download", "mirrors"])]
    pub synthetic: Option<Option<u32>>,
    /// Fetch MNIST to ~/.local/share/mnist unless it is there, and read it from there; at a terminal only fetch it
    #[arg(long, conflicts_with_all = ["data", "labels"])]
    pub download: bool,
    /// A folder on the network with MNIST's files, for --download; may be repeated, each is tried in turn
    #[arg(long = "mirror", value_name = "URL", requires = "download", default_values = download::MIRRORS)]
    pub mirrors: Vec<String>,
}

/// A split of the data.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub(crate) enum Split {
    Train,
    Test,
    All,
}

impl Data {
    /// Opens the data; `seed` is the key of the built-in digits.
    pub(crate) fn open(&self, seed: u32) -> Result<Box<dyn Source>> {
        if let Some(count) = self.synthetic {
            return self.splits(|split| {
                let count = count.unwrap_or(SYNTHETIC[split]);
                Ok(Box::new(Synthetic { seed, split: split as u32, count }))
            });
        }
        let path = match &self.data {
            Some(path) => path.clone(),
            None if self.download => folder::of_user()?,
            None => folder::default()?,
        };
        if path.exists() && !path.is_dir() { self.file(&path) } else { self.folder(&path) }
    }

    fn folder(&self, path: &Path) -> Result<Box<dyn Source>> {
        if let Some(labels) = &self.labels {
            let (labels, path) = (labels.display(), path.display());
            return Err(Error::Usage(format!("--labels {labels}: expected one file of images as --data, got {path}")));
        }
        self.splits(|split| {
            let images = folder::images(path, ["train", "t10k"][split])?;
            Ok(Box::new(Files::open(&images, folder::labels(&images).as_deref())?))
        })
    }

    fn file(&self, path: &Path) -> Result<Box<dyn Source>> {
        if self.split.is_some() {
            return Err(Error::Usage(format!("--split: expected a folder as --data, got the file {}", path.display())));
        }
        let labels = self.labels.clone().or_else(|| folder::labels(path));
        if path.extension().is_some_and(|extension| extension == "amat") {
            let mut images = amat::read(path)?;
            images.labels = labels.map(|labels| read_labels(&labels, images.count(), path)).transpose()?;
            return Ok(Box::new(images));
        }
        Ok(Box::new(Files::open(path, labels.as_deref())?))
    }

    /// The source of a split, 0 for training and 1 for test, or of both.
    fn splits(&self, open: impl Fn(usize) -> Result<Box<dyn Source>>) -> Result<Box<dyn Source>> {
        match self.split.unwrap_or(Split::Train) {
            Split::Train => open(0),
            Split::Test => open(1),
            Split::All => {
                let joined = Concat::new(open(0)?, open(1)?);
                Ok(Box::new(joined.map_err(|e| e.within("--split all"))?))
            }
        }
    }
}
