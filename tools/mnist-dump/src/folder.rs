//! The folder of MNIST or a set like it, and the names of its files.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsStr;
use std::fs::{self, FileType};
use std::io;
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

/// Names of a split in the names of files: of training images, or of test images.
const SPLITS: [&[&str]; 2] = [&["train"], &["t10k", "test"]];
/// The end of the name of a file of images, after the split.
const IMAGES: &str = "-images-idx3-ubyte";
/// Where torchvision keeps the files, below its root or below the folder of a set.
const TORCHVISION: [&str; 6] = ["raw", "MNIST/raw", "FashionMNIST/raw", "KMNIST/raw", "QMNIST/raw", "EMNIST/raw"];
/// What the names of EMNIST's files begin with.
const EMNIST: &str = "emnist-";

/// The images of a split, 0 for training and 1 for test, of the set of this name. Without a name, it is the set of
/// MNIST's own names, or else the only one of the folder.
pub(crate) fn images(folder: &Path, set: Option<&str>, split: usize) -> Result<PathBuf> {
    let prefixes = set.map_or(vec![String::new()], |set| vec![format!("{set}-"), format!("{EMNIST}{set}-")]);
    for prefix in prefixes {
        for split in SPLITS[split] {
            if let Some(path) = find(folder, &format!("{prefix}{split}{IMAGES}"))? {
                return Ok(path);
            }
        }
    }
    let (name, sets) = (folder.display(), sets(folder, split)?);
    match (set, &sets[..]) {
        (None, [only]) => images(folder, Some(only), split),
        (None, [_, ..]) => {
            Err(Error::Usage(format!("{name}: several sets: expected --set with one of {}", sets.join(", "))))
        }
        (Some(set), [_, ..]) => {
            Err(Error::NoInput(format!("{name}: no set {set}: expected one of {}; correct --set", sets.join(", "))))
        }
        (_, []) => {
            let below: Vec<PathBuf> =
                TORCHVISION.iter().map(|raw| folder.join(raw)).filter(|raw| raw.is_dir()).collect();
            match &below[..] {
                [] => {}
                [only] => return images(only, set, split),
                several => {
                    let several: Vec<String> = several.iter().map(|raw| raw.display().to_string()).collect();
                    let several = several.join(", ");
                    return Err(Error::Usage(format!("{name}: several sets: expected --data with one of {several}")));
                }
            }
            let prefix = set.map_or(String::new(), |set| format!("{set}-"));
            let expected = format!("{prefix}{}{IMAGES}[.gz]", SPLITS[split][0]);
            let got = if folder.is_dir() { "none" } else { "no such folder" };
            Err(Error::NoInput(format!(
                "{name}: expected {expected} or a file of a similar name, got {got}; {REMEDIES}"
            )))
        }
    }
}

/// The names of the sets in a folder that have images of this split, other than MNIST's own: `qmnist` of
/// `qmnist-train-images-idx3-ubyte.gz`.
fn sets(folder: &Path, split: usize) -> Result<Vec<String>> {
    let cannot = |e| Error::io(format!("cannot read {}", folder.display()), e);
    let entries = match fs::read_dir(folder) {
        Err(e) if is_missing(&e) => return Ok(Vec::new()),
        entries => entries.map_err(cannot)?,
    };
    let mut sets = BTreeSet::new();
    for entry in entries {
        let name = entry.map_err(cannot)?.file_name().to_string_lossy().replace(".idx", "-idx");
        let name = name.strip_suffix(".gz").unwrap_or(&name).strip_suffix(IMAGES);
        let set = |split: &&str| name?.strip_suffix(split)?.strip_suffix('-');
        sets.extend(SPLITS[split].iter().filter_map(set).map(str::to_owned));
    }
    Ok(sets.into_iter().collect())
}

/// The labels beside a file of images, if they exist: `labels` and `idx1` in place of `images` and `idx3`, or
/// `idx2-int`, as in QMNIST.
pub(crate) fn labels(images: &Path) -> Result<Option<PathBuf>> {
    let Some(name) = images.file_name().and_then(OsStr::to_str) else { return Ok(None) };
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let labels = name.replace("images", "labels");
    if labels == name {
        return Ok(None);
    }
    // A file of images in a folder of its own name has its labels beside the folder.
    let folder = images.parent().unwrap_or(Path::new(""));
    let own = folder.file_name().and_then(OsStr::to_str).is_some_and(|own| spellings(name).any(|name| name == own));
    let folders = [Some(folder), folder.parent().filter(|_| own)];
    for folder in folders.into_iter().flatten() {
        for labels in [labels.replace("idx3", "idx1"), labels.replace("idx3-ubyte", "idx2-int")] {
            if let Some(path) = find(folder, &labels)? {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

/// Whether a file of images is of EMNIST, whose images are stored transposed.
pub(crate) fn is_emnist(images: &Path) -> bool {
    images.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with(EMNIST))
}

/// The file of this name in a folder, in any spelling, or in a folder of its own name. An empty one, such as a download
/// that failed has left, comes last.
fn find(folder: &Path, name: &str) -> Result<Option<PathBuf>> {
    let mut empty = None;
    for spelling in spellings(name) {
        let path = folder.join(spelling);
        match file_type(&path)? {
            None => {}
            Some(kind) if kind.is_file() && fs::metadata(&path).is_ok_and(|m| m.len() == 0) => {
                empty.get_or_insert(path);
            }
            Some(kind) if !kind.is_dir() => return Ok(Some(path)),
            Some(_) => {
                for spelling in spellings(name) {
                    let path = path.join(spelling);
                    if file_type(&path)?.is_some_and(|kind| !kind.is_dir()) {
                        return Ok(Some(path));
                    }
                }
            }
        }
    }
    Ok(empty)
}

/// A name with a hyphen or a dot before `idx`, its own first, raw or gzip.
fn spellings(name: &str) -> impl Iterator<Item = String> {
    let other = if name.contains("-idx") { name.replace("-idx", ".idx") } else { name.replace(".idx", "-idx") };
    let other = (other != name).then_some(other);
    [Some(name.to_owned()), other].into_iter().flatten().flat_map(|name| [name.clone(), name + ".gz"])
}

/// The type of the file at `path`, through links; none only if there is none.
pub(crate) fn file_type(path: &Path) -> Result<Option<FileType>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.file_type())),
        Err(e) if !is_missing(&e) => Err(Error::io(format!("cannot look at {}", path.display()), e)),
        Err(_) if fs::symlink_metadata(path).is_ok() => {
            let message = "a link to a file that does not exist: expected a file; mend or remove it";
            Err(Error::NoInput(format!("{}: {message}", path.display())))
        }
        Err(_) => Ok(None),
    }
}

/// Whether an error says that there is no such file.
fn is_missing(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename)
}
