//! The folder of MNIST, and the names of its files.

use std::env;
use std::path::{Path, PathBuf};

use vae_cli::{Error, Result};

/// The remedies of missing data.
const REMEDIES: &str = "name a folder with --data DIR or in MNIST_DIR, or fetch MNIST with --download, \
                                     or take the built-in digits with --synthetic";

/// `mnist` in the user's data folder: `$XDG_DATA_HOME`, or `~/.local/share`.
pub(crate) fn of_user() -> Result<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")));
    let message = "no folder for the user's data: neither XDG_DATA_HOME nor HOME is an absolute path; set one of them";
    Ok(data.ok_or_else(|| Error::NoInput(message.into()))?.join("mnist"))
}

/// The default folder: `$MNIST_DIR`, or the user's.
pub(crate) fn default() -> Result<PathBuf> {
    match env::var_os("MNIST_DIR") {
        Some(folder) if !folder.is_empty() => Ok(folder.into()),
        _ => of_user(),
    }
}

/// The images of a split (`train` or `t10k`), under one of their usual names.
pub(crate) fn images(folder: &Path, split: &str) -> Result<PathBuf> {
    let (hyphen, dot) = (format!("{split}-images-idx3-ubyte"), format!("{split}-images.idx3-ubyte"));
    let found = first_existing([&hyphen, &dot].into_iter().flat_map(|name| raw_or_gzip(&folder.join(name))));
    found.ok_or_else(|| {
        let got = if folder.is_dir() { "neither" } else { "no such folder" };
        let folder = folder.display();
        Error::NoInput(format!("{folder}: expected {hyphen}[.gz] or {dot}[.gz], got {got}; {REMEDIES}"))
    })
}

/// The labels beside a file of images, if they exist: `labels` and `idx1` in place of `images` and `idx3`.
pub(crate) fn labels(images: &Path) -> Option<PathBuf> {
    let name = images.file_name()?.to_str()?;
    let labels = name.replace("images", "labels").replace("idx3", "idx1");
    if labels == name {
        return None;
    }
    let labels = labels.strip_suffix(".gz").unwrap_or(&labels);
    first_existing(raw_or_gzip(&images.with_file_name(labels)))
}

fn raw_or_gzip(raw: &Path) -> [PathBuf; 2] {
    let mut gzip = raw.as_os_str().to_owned();
    gzip.push(".gz");
    [raw.into(), gzip.into()]
}

fn first_existing(paths: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    paths.into_iter().find(|path| path.exists())
}
