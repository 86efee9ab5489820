//! Input: standard input, or a file.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use vae_stream::{Reader, Records};

use crate::fd::{self, Blocking};
use crate::{Error, Result};

/// Opens the file at `path`; none and `-` are standard input. Gives its name in messages too.
///
/// # Errors
/// [`Error::Usage`] for a terminal, [`Error::NoInput`] for a missing file, and [`Error::Io`].
pub fn open(path: Option<&Path>) -> Result<(impl Read + Send + use<>, String)> {
    let (file, name) = match path.filter(|path| path.as_os_str() != "-") {
        None => (fd::stdin().map_err(|e| Error::io("standard input", e))?, "standard input".to_owned()),
        Some(path) => {
            let name = path.display().to_string();
            let file = File::open(path).map_err(|e| match e.kind() {
                io::ErrorKind::NotFound => Error::NoInput(format!("{name}: no such file")),
                _ => Error::io(format!("cannot open {name}"), e),
            })?;
            (file, name)
        }
    };
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        let remedy = "name a file; pictures are read in Python, and numpy.save writes them as one array";
        return Err(Error::NoInput(format!("{name}: expected a file, got a folder; {remedy}")));
    }
    if file.is_terminal() {
        return Err(Error::Usage(format!(
            "{name} is a terminal: expected a stream; pipe one in (mnist-dump | ...), name a file, or see --help"
        )));
    }
    Ok((Blocking(file), name))
}

/// Refuses an output that would replace an input. An input `-` is standard input.
///
/// # Errors
/// [`Error::Usage`] where both are one regular file.
pub fn check_kept<'a>(output: &Path, inputs: impl IntoIterator<Item = &'a Path>) -> Result<()> {
    let Ok(replaced) = fs::metadata(output) else { return Ok(()) };
    let is_replaced = |input: &&Path| {
        let metadata = match input.as_os_str() == "-" {
            true => fd::stdin().and_then(|stdin| stdin.metadata()),
            false => fs::metadata(input),
        };
        metadata.is_ok_and(|m| m.is_file() && (m.dev(), m.ino()) == (replaced.dev(), replaced.ino()))
    };
    match inputs.into_iter().any(|input| is_replaced(&input)) {
        true => Err(Error::Usage(format!("{} is an input too: expected another file to write", output.display()))),
        false => Ok(()),
    }
}

/// Whether there is a file, or anything else, at `path`.
///
/// # Errors
/// [`Error::Io`] where the system does not tell: that is no sign of its absence.
pub fn exists(path: &Path) -> Result<bool> {
    path.try_exists().map_err(|e| Error::io(format!("cannot look at {}", path.display()), e))
}

/// Opens a file as frames. `bare_name` is the name of the tensor of a bare .npy.
///
/// # Errors
/// As [`open`], and [`Error::Stream`] for any other format and a bad beginning.
pub fn reader(path: &Path, bare_name: &str) -> Result<Reader> {
    let (file, name) = open(Some(path))?;
    Ok(Reader::new(file, &name, bare_name)?)
}

/// Opens a log; none and `-` are standard input.
///
/// # Errors
/// As [`open`], and [`Error::Stream`] for any other format and a bad beginning.
pub fn records(path: Option<&Path>) -> Result<Records> {
    let (file, name) = open(path)?;
    Ok(Records::new(file, &name)?)
}
