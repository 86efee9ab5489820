//! Model files: open, save, and resolve the reference in a stream.

use super::{Model, ModelFile, Spec, Trained};
use crate::hugepages::Pages;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::Builder;
use vae_cli::input::{check_kept, exists};
use vae_cli::output::{Format, Output, folder};
use vae_cli::{Error, Result};
use vae_stream::{Data, Head, ModelRef, Reader, sha256};

/// The most bytes of a model file: what fits in a frame of a stream.
const MAX_BYTES: u64 = 1 << 30;

/// A model on disk, or in a stream.
pub struct Stored {
    /// Its file.
    pub file: ModelFile,
    sha256: String,
    /// The absolute path of a regular file, which another program can open too.
    path: Option<PathBuf>,
}

impl Stored {
    /// Reads a model from a file, or from a pipe such as `<(...)`.
    ///
    /// # Errors
    /// No such file; a file that is no model.
    pub fn open(path: &Path) -> Result<Stored> {
        let name = path.display().to_string();
        let (bytes, regular) = read(path)?;
        let bytes = Arc::new(bytes);
        // On a thread: the hash of the file takes as long as the check of its digest.
        let shared = bytes.clone();
        let hash = Builder::new().spawn(move || sha256(&shared));
        let file = ModelFile::new(bytes, &name)?;
        let sha256 = hash.ok().and_then(|thread| thread.join().ok()).unwrap_or_else(|| sha256(file.bytes()));
        Ok(Stored { file, sha256, path: reusable_path(path, regular) })
    }

    /// The metadata of the model.
    pub fn spec(&self) -> &Spec {
        self.file.spec()
    }

    /// SHA-256 of the file, in hexadecimal digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Refuses an output that would replace its file.
    ///
    /// # Errors
    /// [`Error::Usage`] where both are one file.
    pub fn check_kept(&self, output: Option<&Path>) -> Result<()> {
        output.map_or(Ok(()), |output| check_kept(output, self.path.as_deref()))
    }

    /// Writes a reference to this model into the head of a stream. A model without a reusable path, or with `embed` any, is
    /// embedded: returns its frame, which comes first.
    pub fn describe(&self, head: &mut Head, embed: bool) -> Option<Data> {
        let sha256 = self.sha256.clone();
        let path = self.path.as_ref().and_then(|p| p.to_str()).filter(|_| !embed);
        match path {
            Some(path) => {
                head.set_model(Some(&ModelRef::File { path: path.into(), sha256 }));
                None
            }
            None => {
                head.set_model(Some(&ModelRef::Embedded { sha256 }));
                Some(Data::model(self.file.bytes()))
            }
        }
    }

    /// The model that made the latents of a stream: `given` on the command line, embedded, at the recorded path, or under
    /// its base name in the current folder. Its hash must be the recorded one.
    ///
    /// # Errors
    /// No model with the recorded hash; names the paths that were tried.
    pub fn find(reader: &mut Reader, given: Option<&Path>) -> Result<Stored> {
        match (given, reader.head().model()) {
            (Some(path), None) => Stored::open(path),
            (Some(path), Some(recorded)) => find_given(path, recorded.sha256()),
            (None, None) => Err(Error::Usage(
                "the input names no model: expected a stream from vae-encode or vae-sample; give -m MODEL".into(),
            )),
            (None, Some(ModelRef::Embedded { sha256 })) => {
                let bytes = reader.embedded_model()?.unwrap_or_default();
                let held =
                    Pages::read(bytes, bytes.len()).map_err(|e| Error::io("cannot hold the embedded model", e))?;
                Ok(Stored { file: ModelFile::verified(held.into(), "the embedded model")?, sha256, path: None })
            }
            (None, Some(ModelRef::File { path, sha256 })) => find_file(Path::new(&path), &sha256),
        }
    }

    /// A model from bytes whose hash is verified.
    fn verified(bytes: Pages, path: &Path, regular: bool, sha256: &str) -> Result<Stored> {
        let file = ModelFile::verified(bytes.into(), &path.display().to_string())?;
        Ok(Stored { file, sha256: sha256.into(), path: reusable_path(path, regular) })
    }
}

/// The absolute path of a regular file, which another program can open.
fn reusable_path(path: &Path, regular: bool) -> Option<PathBuf> {
    if regular { fs::canonicalize(path).ok() } else { None }
}

fn find_given(path: &Path, expected: &str) -> Result<Stored> {
    let name = path.display().to_string();
    let (bytes, regular) = read(path)?;
    let got = sha256(&bytes);
    if got == expected {
        return Stored::verified(bytes, path, regular, expected);
    }
    ModelFile::new(bytes.into(), &name)?; // or it is no model at all
    Err(Error::Data(format!(
        "{name} is not the model that made these latents: expected sha256 {expected}, got {got}; leave out -m, or send bare \
         latents: vae-cat --npy z"
    )))
}

fn find_file(recorded: &Path, expected: &str) -> Result<Stored> {
    let here = recorded.file_name().map(PathBuf::from);
    let (mut tried, mut refused) = (vec![], None);
    for path in [Some(recorded.to_path_buf()), here].into_iter().flatten() {
        let name = path.display();
        match fs::metadata(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => tried.push(format!("{name} is not there")),
            Ok(metadata) if !metadata.is_file() => tried.push(format!("{name} is no regular file")), // reading may consume it
            _ => match read(&path) {
                Ok((bytes, regular)) if sha256(&bytes) == expected => {
                    return Stored::verified(bytes, &path, regular, expected);
                }
                Ok(_) => tried.push(format!("{name} has changed since the latents were made")),
                Err(e) => {
                    tried.push(e.to_string());
                    if let Error::Io { source, .. } = e {
                        refused = Some(source.kind());
                    }
                }
            },
        }
    }
    let tried = format!("{}; give -m MODEL, or use --embed-model", tried.join(", "));
    match refused {
        Some(kind) => Err(Error::io("cannot read the model of this stream", io::Error::new(kind, tried))),
        None => Err(Error::NoInput(format!("the model of this stream was not found: {tried}"))),
    }
}

/// The bytes of a file, and whether it is a regular one.
fn read(path: &Path) -> Result<(Pages, bool)> {
    if path.as_os_str() == "-" {
        return Err(Error::Usage("cannot read a model from standard input: expected a file, or <(...)".into()));
    }
    let name = path.display();
    let file = File::open(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => {
            Error::NoInput(format!("{name}: no such model; make one: mnist-dump | vae-train -o {name}"))
        }
        _ => Error::io(format!("cannot open {name}"), e),
    })?;
    let failed = |e| Error::io(format!("cannot read {name}"), e);
    let metadata = file.metadata().map_err(failed)?;
    let regular = metadata.is_file();
    let expected = if regular { metadata.len().min(MAX_BYTES) as usize } else { 0 };
    let bytes = Pages::read(file.take(MAX_BYTES + 1), expected).map_err(failed)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::Data(format!("{name} is not a model: expected at most {MAX_BYTES} bytes")));
    }
    Ok((bytes, regular))
}

/// Checks, before any work, that a model can be written to a path.
///
/// # Errors
/// A folder that is not there; what is no regular file, such as a device or, as `-`, standard output.
pub fn writable(path: &Path) -> Result<()> {
    let name = path.display();
    if path.as_os_str() == "-" || fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
        return Err(Error::Usage(format!("{name} is no regular file: expected a place for a new file")));
    }
    let folder = folder(path);
    if !exists(folder)? {
        return Err(Error::NoInput(format!("{}: no such folder; make it first", folder.display())));
    }
    Output::open(Some(path), Format::Safetensors).map(drop) // tries all but the new content
}

impl Model {
    /// Writes the file whole or not at all, and waits until the disk has it. Gives the SHA-256 of the file.
    ///
    /// # Errors
    /// I/O errors.
    pub fn save(&self, path: &Path) -> Result<String> {
        writable(path)?;
        let bytes = self.to_bytes();
        let mut output = Output::open(Some(path), Format::Safetensors)?;
        output.write_all(&bytes).map_err(|e| output.error(e))?;
        output.commit()?;
        Ok(sha256(&bytes))
    }
}
