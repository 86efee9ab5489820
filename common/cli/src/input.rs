//! Where bytes come from: standard input, or a file.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::Path;

use vae_stream::{Reader, Records};

use crate::{Error, Result, fd};

/// Opens the file at `path`, or standard input for none or `-`, and gives what messages call it.
///
/// # Errors
/// [`Error::Usage`] for a terminal, [`Error::NoInput`] for a file that is not there, [`Error::Io`] where the system
/// refuses.
pub fn open(path: Option<&Path>) -> Result<(File, String)> {
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
    if file.is_terminal() {
        return Err(Error::Usage(format!(
            "{name} is a terminal: expected a stream; pipe one in (mnist-dump | ...), name a file, or see --help"
        )));
    }
    Ok((file, name))
}

/// Opens a file as frames. A bare .npy, which names nothing, is called `bare_name`.
///
/// # Errors
/// As [`open`], and [`Error::Data`] for all that is no stream, .npy or newline JSON.
pub fn reader(path: &Path, bare_name: &str) -> Result<Reader> {
    let (file, name) = open(Some(path))?;
    Ok(Reader::new(file, &name, bare_name)?)
}

/// Opens a file as records, or standard input for none or `-`.
///
/// # Errors
/// As [`open`], and [`Error::Data`] for what is neither newline JSON nor a stream.
pub fn records(path: Option<&Path>) -> Result<Records> {
    let (file, name) = open(path)?;
    Ok(Records::new(file, &name)?)
}
