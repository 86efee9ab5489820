//! Sub-folders as classes, as in torchvision's ImageFolder, and the parts for training and test.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use vae_cli::{Error, Result};
use vae_stream::sha256;

use crate::place::{Picture, Places};

/// Classes at most: labels are u16.
const MAX_CLASSES: usize = 1 << 16;
/// Bytes of the names of all classes at most, which are in one line of the stream.
const MAX_NAMES: usize = 1 << 19;
/// Names of folders with the images for training, and of those for test.
const TRAIN: &[&str] = &["train", "training"];
const TEST: &[&str] = &["test", "testing", "val", "valid", "validation"];

/// A part of the pictures.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Split {
    Train,
    Test,
    All,
}

/// Gives each picture the number of its class, and keeps those of one split, where folders or batches are splits. Gives
/// what is to be told of a guess.
pub(crate) fn label(places: &mut Places, split: Option<Split>, held_out: Option<f64>) -> Result<Option<&'static str>> {
    let top = if places.is_tree { sole_folder(places) } else { PathBuf::new() };
    let below = |path: &Path| path.strip_prefix(&top).unwrap_or(Path::new("")).to_owned();
    let is_batches = places.has_labels;
    let split_of = |path: &Path| match is_batches {
        true => Some(batch_split(path)),
        false => first(&below(path)).and_then(|folder| folder_split(&folder)),
    };
    let splits: Vec<Option<Split>> = places.pictures.iter().map(|picture| split_of(&picture.name)).collect();
    let has = |split| splits.contains(&Some(split));
    // Without --split, files beside the folders make them ordinary ones.
    let is_split = match (places.has_labels, split) {
        (true, Some(_)) => held_out.is_none(),
        (true, None) => has(Split::Train) && has(Split::Test),
        (false, _) => {
            let is_clean = split.is_some() && held_out.is_none() || !splits.contains(&None);
            places.is_tree && has(Split::Train) && has(Split::Test) && is_clean
        }
    };
    if split.is_some() && !is_split && held_out.is_none() {
        let message = "expected folders train and test, or --held-out with the fraction of test images, as in 0.1";
        return Err(Error::Usage(format!("--split: {message}")));
    }
    if held_out.is_some() && is_split {
        let message = "the pictures are in folders or batches for training and test; leave out --held-out";
        return Err(Error::Usage(format!("--held-out: {message}")));
    }
    if is_split {
        places.pictures.retain(|picture| split_of(&picture.name).is_some());
        places.folders.retain(|folder| split_of(folder).is_some());
    }
    let mut guess = None;
    if places.is_tree && !places.has_labels {
        guess = classify(places, &top, usize::from(is_split))?;
    }
    if is_split {
        if split.is_none() {
            guess = Some(
                "of pictures for training and for test, those for training are read; --split test or all says otherwise",
            );
        }
        let chosen = split.unwrap_or(Split::Train);
        let of_split = |picture: &Picture| chosen == Split::All || split_of(&picture.name) == Some(chosen);
        places.pictures.retain(of_split);
        if places.pictures.is_empty() {
            return Err(Error::NoInput("--split: expected pictures of this split, got none".into()));
        }
    }
    Ok(guess)
}

/// The part of a picture by the hash of its path: of all paths, this fraction is held out for test. So a picture stays in
/// its part whatever is added.
pub(crate) fn is_held_out(name: &Path, fraction: f64) -> bool {
    let hash = sha256(name.as_os_str().as_bytes());
    let number = u64::from_str_radix(&hash[..16], 16).expect("hexadecimal digits");
    (number as f64) < fraction * 2f64.powi(64)
}

/// The first part of a path, if others follow.
fn first(path: &Path) -> Option<PathBuf> {
    let mut parts = path.iter();
    let first = parts.next()?;
    parts.next().map(|_| first.into())
}

/// The innermost folder that holds everything.
fn sole_folder(places: &Places) -> PathBuf {
    let mut top = PathBuf::new();
    loop {
        let below = |path: &Path| path.strip_prefix(&top).ok().map(Path::to_owned);
        let folders: BTreeSet<Option<PathBuf>> =
            places.pictures.iter().map(|picture| below(&picture.name).and_then(|path| first(&path))).collect();
        let Some(Some(sole)) = folders.first().filter(|_| folders.len() == 1) else { return top };
        let next = top.join(sole);
        let is_sole = |folder: &PathBuf| folder.starts_with(&next) || next.starts_with(folder);
        if !places.folders.iter().all(is_sole) {
            return top;
        }
        top = next;
    }
}

/// The split of a folder with this name.
fn folder_split(folder: &Path) -> Option<Split> {
    let is = |names: &[&str]| names.iter().any(|name| folder.as_os_str().eq_ignore_ascii_case(name));
    if is(TRAIN) {
        Some(Split::Train)
    } else if is(TEST) {
        Some(Split::Test)
    } else {
        None
    }
}

/// The split of an image in a batch of CIFAR.
fn batch_split(name: &Path) -> Split {
    let batch = name.parent().and_then(Path::file_name).unwrap_or_default();
    if batch.as_bytes().starts_with(b"test") { Split::Test } else { Split::Train }
}

/// Gives each picture the number of its class, if all are in folders below `top`, or `skip` folders deeper.
fn classify(places: &mut Places, top: &Path, skip: usize) -> Result<Option<&'static str>> {
    let parts = |path: &Path| -> Vec<PathBuf> {
        path.strip_prefix(top).into_iter().flat_map(Path::iter).skip(skip).map(PathBuf::from).collect()
    };
    let class = |picture: &Picture| Some(parts(&picture.name)).filter(|parts| parts.len() > 1)?.into_iter().next();
    let classes: Vec<Option<PathBuf>> = places.pictures.iter().map(class).collect();
    let mut names: BTreeSet<PathBuf> = classes.iter().flatten().cloned().collect();
    if names.is_empty() {
        return Ok(None);
    }
    if classes.contains(&None) {
        return Ok(Some("there are pictures beside folders of others: they are no classes, and there are no labels y"));
    }
    for folder in &places.folders {
        if let [name] = &parts(folder)[..]
            && names.insert(name.clone())
        {
            let folder = places.path(folder);
            let message = "a class without a picture: expected at least one; remove the folder";
            return Err(Error::Data(format!("{}: {message}", folder.display())));
        }
    }
    let labels: Vec<&PathBuf> = names.iter().collect();
    for (picture, class) in places.pictures.iter_mut().zip(&classes) {
        let label = class.as_ref().and_then(|class| labels.binary_search(&class).ok());
        picture.label = label.unwrap_or_default() as u16;
    }
    places.classes = names.iter().map(|name| class_name(name.as_os_str())).collect::<Result<_>>()?;
    places.has_labels = true;
    let (count, bytes) = (places.classes.len(), places.classes.iter().map(String::len).sum::<usize>());
    if count > MAX_CLASSES || bytes > MAX_NAMES {
        let most = format!("{MAX_CLASSES} classes with {MAX_NAMES} bytes of names");
        return Err(Error::Data(format!("expected at most {most}, got {count} with {bytes}; join folders")));
    }
    Ok(None)
}

fn class_name(folder: &OsStr) -> Result<String> {
    folder.to_str().map(str::to_owned).ok_or_else(|| {
        let folder = Path::new(folder).display();
        Error::Data(format!("{folder}: the name of a class: expected UTF-8, got other bytes; rename the folder"))
    })
}
