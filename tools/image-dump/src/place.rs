//! Places of pictures: files, and parts of archives.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes of a file at most.
const MAX_FILE: u64 = 1 << 30;

/// A picture: its name, where its bytes are, and what is known of it beforehand.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    /// Its path below the folder or in the archive that was given.
    pub(crate) name: PathBuf,
    pub(crate) place: Place,
    /// The number of its class; 0 where there are none.
    pub(crate) label: u16,
}

/// Where the bytes of a picture are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// In the file of its name.
    File,
    /// In an archive: a picture in some format.
    Part(Span),
    /// In a batch of CIFAR: [3, 32, 32] bytes.
    Planes(Span),
    /// Nowhere: this is no file.
    NoFile(&'static str),
}

/// Bytes of an archive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// The number of the archive.
    pub(crate) archive: usize,
    pub(crate) start: u64,
    pub(crate) length: u64,
}

/// The bytes of an archive.
#[derive(Debug)]
pub(crate) enum Archive {
    File(File),
    Memory(Vec<u8>),
}

impl Archive {
    /// The number of its bytes.
    pub(crate) fn length(&self) -> io::Result<u64> {
        match self {
            Archive::File(file) => Ok(file.metadata()?.len()),
            Archive::Memory(bytes) => Ok(bytes.len() as u64),
        }
    }

    /// Some of its bytes, of which there are as many.
    pub(crate) fn read(&self, start: u64, length: u64) -> io::Result<Vec<u8>> {
        if start.checked_add(length).is_none_or(|end| self.length().is_ok_and(|length| end > length)) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match self {
            Archive::File(file) => {
                let mut bytes = vec![0; length as usize];
                file.read_exact_at(&mut bytes, start)?;
                Ok(bytes)
            }
            Archive::Memory(bytes) => Ok(bytes[start as usize..(start + length) as usize].to_vec()),
        }
    }
}

/// Pictures in order, and the archives of some.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// What names of files are relative to.
    pub(crate) root: PathBuf,
    pub(crate) pictures: Vec<Picture>,
    pub(crate) archives: Vec<Archive>,
    /// The folders that were found, which may be empty: paths as in the names.
    pub(crate) folders: Vec<PathBuf>,
    /// Whether the pictures are those of one folder or archive.
    pub(crate) is_tree: bool,
    /// Whether the pictures have labels.
    pub(crate) has_labels: bool,
    /// The names of the labels, if they have names.
    pub(crate) classes: Vec<String>,
}

impl Places {
    /// Adds a picture without a label.
    pub(crate) fn push(&mut self, name: impl Into<PathBuf>, place: Place) {
        self.pictures.push(Picture { name: name.into(), place, label: 0 });
    }

    /// The path of the file of this name.
    pub(crate) fn path(&self, name: &Path) -> PathBuf {
        self.root.join(name)
    }

    /// The bytes of a picture.
    pub(crate) fn read(&self, picture: &Picture) -> io::Result<Vec<u8>> {
        let length = match picture.place {
            Place::File => fs::metadata(self.path(&picture.name))?.len(),
            Place::Part(span) | Place::Planes(span) => span.length,
            Place::NoFile(_) => 0,
        };
        if length > MAX_FILE {
            return Err(io::Error::other(format!("expected at most {MAX_FILE} bytes, got {length}")));
        }
        match picture.place {
            Place::File => fs::read(self.path(&picture.name)),
            Place::Part(span) | Place::Planes(span) => self.archives[span.archive].read(span.start, span.length),
            Place::NoFile(what) => Err(io::Error::other(format!("expected a file, got {what}"))),
        }
    }
}
