//! Output: standard output, or a file that appears whole or not at all.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, IoSlice, IsTerminal, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use vae_stream::Sink;

use crate::fd::{self, Blocking};
pub use crate::format::Format;
use crate::new_file::NewFile;
pub use crate::new_file::{Version, folder, tell_replaced};
use crate::{Error, Result};

/// Bytes of the buffer. Larger writes bypass it.
const BUFFER: usize = 64 << 10;

/// A buffered writer to standard output or to a file.
///
/// A regular file takes its name in [`commit`](Output::commit), so that a failure leaves the old one. Any other file
/// (`/dev/full`, a FIFO, `/dev/stdout`) is written directly.
pub struct Output {
    new: Option<NewFile>, // dropped before its file
    to: BufWriter<Blocking<File>>,
    name: String,
    is_pipe: bool,
}

impl Output {
    /// Opens the file at `path`; none and `-` are standard output. An extension of another format is told.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that cannot be made or cannot take its name, and for a standard output that was closed before the program began,
    /// [`Error::Usage`] for binary on a terminal.
    pub fn open(path: Option<&Path>, format: Format) -> Result<Output> {
        let (file, name, new) = match path.filter(|p| p.as_os_str() != "-") {
            None => (fd::stdout().map_err(|e| Error::io("standard output", e))?, "standard output".to_owned(), None),
            Some(path) => {
                let name = path.display().to_string();
                format.tell_mismatch(path);
                let (file, new) = open_file(path).map_err(|e| Error::io(format!("cannot write {name}"), e))?;
                (file, name, new)
            }
        };
        if !format.is_text() && file.is_terminal() {
            return Err(Error::Usage(format!(
                "{name} is a terminal: expected a pipe or a file for binary data; add -o FILE or | and a tool that reads it"
            )));
        }
        let kind = file.metadata().map_err(|e| Error::io(name.clone(), e))?.file_type();
        let is_pipe = kind.is_fifo() || kind.is_socket();
        Ok(Output { to: BufWriter::with_capacity(BUFFER, Blocking(file)), name, new, is_pipe })
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
        self.new.take().map_or(Ok(()), |new| new.commit(&self.to.get_ref().0))
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

fn open_file(path: &Path) -> io::Result<(File, Option<NewFile>)> {
    match fs::metadata(path) {
        Ok(meta) if !meta.is_file() => Ok((File::options().write(true).open(path)?, None)),
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => NewFile::create(through_links(path)?).map(|(file, new)| (file, Some(new))),
    }
}

/// The target of symbolic links, which may lead to no file yet: it is made there, and the links stay.
fn through_links(path: &Path) -> io::Result<PathBuf> {
    const MAX_LINKS: usize = 40; // the limit of Linux
    let mut target = path.to_path_buf();
    for _ in 0..=MAX_LINKS {
        match fs::read_link(&target) {
            Ok(to) => target = folder(&target).join(to),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) => return Ok(target),
            Err(e) => return Err(e),
        }
    }
    Err(Errno::LOOP.into())
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        // Past the buffer: whoever has many slices has much, and flushes.
        self.to.flush()?;
        self.to.get_mut().write_vectored(slices)
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
        self.new.is_none()
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
