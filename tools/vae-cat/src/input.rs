//! The inputs of the command line as one sequence of frames.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use vae_cli::{Error, InputArgs, Result};
use vae_stream::{Data, Frame, Head, ModelRef, Reader};

use self::columns::Columns;
use self::concat::Concat;

mod columns;
mod concat;

/// Inputs one after the other, or side by side.
pub(crate) struct Input {
    head: Head,
    frames: Frames,
    /// The selected group, and its first frame.
    group: Option<(String, Option<Data>)>,
}

enum Frames {
    Concat(Box<Concat>),
    Columns(Columns),
}

impl Input {
    /// Opens the files, all plain or all `NAME=FILE`. `name` is the tensor of a bare .npy among plain ones.
    pub(crate) fn open(files: Vec<PathBuf>, name: &str) -> Result<Input> {
        let named: Vec<Option<(&str, &Path)>> = files.iter().map(|file| split(file)).collect::<Result<_>>()?;
        if let Some((name, _)) = named.iter().flatten().find(|(_, file)| file.as_os_str().is_empty()) {
            return Err(Error::Usage(format!("no file after {name}=: expected {name}=FILE")));
        }
        let plain = named.iter().position(Option::is_none);
        let named: Vec<(&str, &Path)> = named.into_iter().flatten().collect();
        let (head, frames) = if named.is_empty() {
            let concat = Concat::open(files, name)?;
            (concat.head().clone(), Frames::Concat(Box::new(concat)))
        } else if let Some(plain) = plain {
            return Err(Error::Usage(format!(
                "expected every input as NAME=FILE, or none, got {} too; join streams in a second vae-cat",
                files[plain].display()
            )));
        } else {
            let columns = Columns::open(&named)?;
            (columns.head(), Frames::Columns(columns))
        };
        Ok(Input { head, frames, group: None })
    }

    /// The head of the frames to come.
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// Bytes read so far.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.frames {
            Frames::Concat(concat) => concat.bytes(),
            Frames::Columns(columns) => columns.bytes(),
        }
    }

    /// Reads up to the first frame of `group`. Its frames alone follow, and the head describes them.
    pub(crate) fn select(&mut self, group: &str) -> Result<()> {
        let mut others = Vec::new();
        while let Some(frame) = self.next_frame()? {
            let Frame::Data(data) = frame else { continue };
            let name = data.group.as_deref().unwrap_or("the main one");
            if name == group {
                self.head.describe(&data);
                if let Some(ModelRef::Embedded { .. }) = self.head.model() {
                    self.head.set_model(None); // its frame is left out too
                }
                self.group = Some((group.to_owned(), Some(data)));
                return Ok(());
            }
            if !others.iter().any(|o| o == name) {
                others.push(name.to_owned());
            }
        }
        let others = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
        Err(Error::Data(format!("expected group {group} in the stream, got only {others}")))
    }

    /// The next frame.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame>> {
        let Some((group, first)) = &mut self.group else { return self.frames.next() };
        let found = match first.take() {
            Some(data) => Some(data),
            None => loop {
                match self.frames.next()? {
                    Some(Frame::Data(data)) if data.group.as_ref() == Some(group) => break Some(data),
                    Some(_) => {}
                    None => break None,
                }
            },
        };
        Ok(found.map(|data| Frame::Data(Data { group: None, ..data })))
    }
}

impl Frames {
    fn next(&mut self) -> Result<Option<Frame>> {
        match self {
            Frames::Concat(concat) => concat.next(),
            Frames::Columns(columns) => columns.next(),
        }
    }
}

/// A reader of the file at `path`; `-` is standard input.
fn open(path: &Path, name: &str) -> Result<Reader> {
    InputArgs { file: Some(path.to_owned()) }.reader(name)
}

/// `NAME=FILE`, unless a folder comes before the `=` or a file has that very name.
fn split(argument: &Path) -> Result<Option<(&str, &Path)>> {
    let bytes = argument.as_os_str().as_bytes();
    let Some((name, file)) = bytes.iter().position(|b| *b == b'=').map(|at| (&bytes[..at], &bytes[at + 1..])) else {
        return Ok(None);
    };
    let file = Path::new(OsStr::from_bytes(file));
    match str::from_utf8(name) {
        Ok(name) if !name.contains('/') => match is_there(argument)? {
            false => Ok(Some((name, file))),
            true if is_there(file)? => {
                vae_cli::tell(&format!(
                    "{0} is taken for the file of that very name; ./{0} says so",
                    argument.display()
                ));
                Ok(None)
            }
            true => Ok(None),
        },
        _ => Ok(None),
    }
}

/// Whether a file is there. A name that no file can have, such as one of 256 bytes, is of none.
fn is_there(path: &Path) -> Result<bool> {
    match path.try_exists() {
        Err(e) if matches!(e.kind(), ErrorKind::InvalidFilename | ErrorKind::NotADirectory) => Ok(false),
        _ => vae_cli::input::exists(path),
    }
}
