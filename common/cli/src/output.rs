//! Output: standard output, or a file that appears whole or not at all.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, IoSlice, IsTerminal, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use atomic_write_file::AtomicWriteFile;
use vae_stream::Sink;

use crate::{Error, Result, fd};

/// Bytes of the buffer. Larger writes bypass it.
const BUFFER: usize = 64 << 10;

/// Whether a terminal can show the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It cannot: a terminal is refused.
    Binary,
    /// It can.
    Text,
}

/// A buffered writer to standard output or to a file.
///
/// A regular file is written under a temporary name and renamed by [`commit`](Output::commit), so that a failure leaves the
/// old one. Any other file (`/dev/full`, a FIFO, `/dev/stdout`) is written directly.
pub struct Output {
    to: BufWriter<File>,
    name: String,
    replaces: Option<AtomicWriteFile>,
    is_pipe: bool,
}

impl Output {
    /// Opens the file at `path`; none and `-` are standard output.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that cannot be made and for a standard output that was closed before the program began,
    /// [`Error::Usage`] for binary on a terminal.
    pub fn open(path: Option<&Path>, kind: Kind) -> Result<Output> {
        let (file, name, replaces) = match path.filter(|p| p.as_os_str() != "-") {
            None => (fd::stdout().map_err(|e| Error::io("standard output", e))?, "standard output".to_owned(), None),
            Some(path) => {
                let name = path.display().to_string();
                let (file, replaces) = open_file(path).map_err(|e| Error::io(format!("cannot write {name}"), e))?;
                (file, name, replaces)
            }
        };
        if kind == Kind::Binary && file.is_terminal() {
            return Err(Error::Usage(format!(
                "{name} is a terminal: expected a pipe or a file for binary data; add -o FILE or | and a tool that reads it"
            )));
        }
        let kind = file.metadata().map_err(|e| Error::io(name.clone(), e))?.file_type();
        let is_pipe = kind.is_fifo() || kind.is_socket();
        Ok(Output { to: BufWriter::with_capacity(BUFFER, file), name, replaces, is_pipe })
    }

    /// Flushes the buffer, so that a live reader sees all.
    ///
    /// # Errors
    /// [`Error::Closed`] where the reader has closed the output, else [`Error::Io`].
    pub fn push(&mut self) -> Result<()> {
        self.to.flush().map_err(|e| self.error(e))
    }

    /// Flushes the buffer, and gives the file its name. Without it, an old file stays.
    ///
    /// # Errors
    /// As [`push`](Output::push), and [`Error::Io`] where the file cannot take its name.
    pub fn commit(mut self) -> Result<()> {
        self.close().map_err(|e| self.error(e))
    }

    fn close(&mut self) -> io::Result<()> {
        self.to.flush()?;
        self.replaces.take().map_or(Ok(()), AtomicWriteFile::commit)
    }

    /// The error of a failed write, with the name of the output.
    pub fn error(&self, source: io::Error) -> Error {
        Error::io(format!("cannot write {}", self.name), source)
    }
}

/// Closes standard output for its reader, in a program that goes on.
///
/// # Errors
/// [`Error::Io`] where the system refuses.
pub fn close_stdout() -> Result<()> {
    fd::close_stdout().map_err(|e| Error::io("cannot close standard output", e))
}

fn open_file(path: &Path) -> io::Result<(File, Option<AtomicWriteFile>)> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| through_links(path));
    match fs::metadata(path) {
        Ok(meta) if !meta.is_file() => Ok((File::options().write(true).open(path)?, None)),
        _ => {
            let file = AtomicWriteFile::open(target)?;
            Ok((file.try_clone()?, Some(file)))
        }
    }
}

/// The target of symbolic links that lead to no file yet: it is made there, and the links stay.
fn through_links(path: &Path) -> PathBuf {
    const MAX_LINKS: usize = 40; // the limit of Linux
    let mut target = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&target) {
            Ok(to) => target = target.parent().unwrap_or(Path::new(".")).join(to),
            Err(_) => break,
        }
    }
    target
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.to.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Sink for Output {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_pipe(&self) -> bool {
        self.is_pipe
    }

    fn is_direct(&self) -> bool {
        self.replaces.is_none()
    }

    fn commit(mut self: Box<Self>) -> io::Result<()> {
        self.close()
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Output({})", self.name)
    }
}
