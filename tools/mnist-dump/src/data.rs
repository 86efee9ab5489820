//! The options of the data, and their source.

use std::path::{Path, PathBuf};

use vae_cli::source::{Concat, Source};
use vae_cli::{Error, Result};

use crate::files::{Files, read_labels};
use crate::synthetic::Synthetic;
use crate::transposed::Transposed;
use crate::{download, folder, npz, text};

/// Numbers of built-in digits: those of MNIST's training and test images.
const SYNTHETIC: [u32; 2] = [60_000, 10_000];

/// The options of the data.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Data {
    /// A folder with MNIST's files or those of a set like it, or one file of images: IDX, .amat, .csv with
    /// the label first, or .npz as Keras and MedMNIST have [default: $MNIST_DIR, or ~/.local/share/mnist]
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// The labels, if --data is a file [default: the file beside it with "labels" for "images" in its name]
    #[arg(long, value_name = "FILE", requires = "data")]
    pub labels: Option<PathBuf>,
    /// Training or test images; all is train, then test, and `i` counts on [default: train]
    #[arg(long, value_name = "NAME")]
    pub split: Option<Split>,
    /// The set of a folder that holds several: the beginning of its files' names, emnist-letters or letters, qmnist
    /// [default: MNIST's own names, which begin with the split, or else the only set]
    #[arg(long, value_name = "NAME")]
    pub set: Option<String>,
    /// Transpose the images: rows become columns, which makes images of EMNIST upright
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub transpose: Option<bool>,
    /// Draw N handwritten-looking digits, which needs no data [default: 60000 to train and 10000 to test]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true)]
    #[arg(conflicts_with_all = ["data", "labels", "set", "download", "mirrors"])]
    pub synthetic: Option<Option<u32>>,
    /// Fetch MNIST to ~/.local/share/mnist unless it is there, and read it from there; at a terminal only fetch it
    #[arg(long, conflicts_with_all = ["data", "labels", "set"])]
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
        let source = match self.synthetic {
            Some(count) => {
                let synthetic = |split: usize| {
                    let count = count.unwrap_or(SYNTHETIC[split]);
                    Box::new(Synthetic { seed, split: split as u32, count }) as Box<dyn Source>
                };
                join(self.splits().iter().map(|split| synthetic(*split)).collect())?
            }
            None => self.read()?,
        };
        Ok(if self.transpose == Some(true) { Box::new(Transposed::new(source)) } else { source })
    }

    fn read(&self) -> Result<Box<dyn Source>> {
        let path = match &self.data {
            Some(path) if path.as_os_str() == "-" => "/dev/stdin".into(),
            Some(path) => path.clone(),
            None if self.download => folder::of_user()?,
            None => folder::default()?,
        };
        match folder::file_type(&path)? {
            Some(kind) if !kind.is_dir() => self.file(&path),
            _ => self.folder(&path),
        }
    }

    fn folder(&self, path: &Path) -> Result<Box<dyn Source>> {
        if let Some(labels) = &self.labels {
            let (labels, path) = (labels.display(), path.display());
            return Err(Error::Usage(format!("--labels {labels}: expected one file of images as --data, got {path}")));
        }
        let images = self.splits().iter().map(|split| folder::images(path, self.set.as_deref(), *split));
        let images = images.collect::<Result<Vec<_>>>()?;
        self.hint(&images[0]);
        let open = |images: &PathBuf| {
            let labels = folder::labels(images)?;
            Ok(Box::new(Files::open(images, labels.as_deref())?) as Box<dyn Source>)
        };
        join(images.iter().map(open).collect::<Result<_>>()?)
    }

    fn file(&self, path: &Path) -> Result<Box<dyn Source>> {
        let has_extension = |name| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(name));
        if has_extension("npz") && self.labels.is_none() && self.set.is_none() {
            let read = |split: &usize| Ok(Box::new(npz::read(path, *split)?) as Box<dyn Source>);
            return join(self.splits().iter().map(read).collect::<Result<_>>()?);
        }
        for (option, is_given) in [("--split", self.split.is_some()), ("--set", self.set.is_some())] {
            if is_given {
                let path = path.display();
                return Err(Error::Usage(format!("{option}: expected a folder as --data, got the file {path}")));
            }
        }
        let labels = self.labels.clone().map_or_else(|| folder::labels(path), |labels| Ok(Some(labels)))?;
        if has_extension("amat") || has_extension("csv") {
            let mut images = text::read(path, has_extension("csv"))?;
            if let Some(labels) = labels {
                images.labels = Some(read_labels(&labels, images.count(), path)?);
            }
            return Ok(Box::new(images));
        }
        self.hint(path);
        Ok(Box::new(Files::open(path, labels.as_deref())?))
    }

    /// Says of EMNIST that its images are transposed, unless the command line says what to do.
    fn hint(&self, images: &Path) {
        if self.transpose.is_none() && folder::is_emnist(images) {
            let file = images.display();
            vae_cli::tell(&format!(
                "{file}: images of EMNIST are stored transposed, and come so; --transpose makes them upright, \
                 --transpose=false leaves them without this message"
            ));
        }
    }

    /// The splits in their order, 0 for training and 1 for test.
    fn splits(&self) -> &'static [usize] {
        match self.split.unwrap_or(Split::Train) {
            Split::Train => &[0],
            Split::Test => &[1],
            Split::All => &[0, 1],
        }
    }
}

/// The sources of one or two splits, one after the other.
fn join(sources: Vec<Box<dyn Source>>) -> Result<Box<dyn Source>> {
    let mut sources = sources.into_iter();
    let first = sources.next().expect("a split");
    match sources.next() {
        None => Ok(first),
        Some(second) => Ok(Box::new(Concat::new(first, second).map_err(|e| e.within("--split all"))?)),
    }
}
