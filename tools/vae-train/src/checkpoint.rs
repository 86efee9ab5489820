//! The checkpoints of a run: their names, writing, finding and removing them.

use common::model::{Model, Stored, writable};
use common::train::Trainer;
use std::cell::RefCell;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::{fs, io};
use vae_cli::input::exists;
use vae_cli::output::{Version, folder, tell_replaced};
use vae_cli::{Error, Result};

/// The digits of an epoch at most.
const MAX_WIDTH: usize = 19;

/// The checkpoint file of a run, or one per epoch.
pub struct Checkpoints {
    path: PathBuf,
    /// Of one for each epoch.
    pattern: Option<Pattern>,
    /// Named by --checkpoint, so not removed after a complete run.
    kept: bool,
    /// The latest of this run.
    last: RefCell<Option<PathBuf>>,
    /// The model file, as it was at the beginning.
    output: (PathBuf, Version),
    /// The checkpoint, as this run has found or written it.
    known: RefCell<(PathBuf, Version)>,
}

/// A file name with `{epoch}`, or `{epoch:03}` for three digits.
struct Pattern {
    before: String,
    width: usize,
    after: String,
}

impl Pattern {
    /// The pattern of a file name; none without braces.
    fn parse(name: &str) -> Result<Option<Pattern>, String> {
        let Some(open) = name.find(['{', '}']) else { return Ok(None) };
        let (before, rest) = name.split_at(open);
        let end = rest.find('}').map_or(rest.len(), |at| at + 1);
        let (field, after) = rest.split_at(end);
        let width = match field {
            "{epoch}" => Some(0),
            _ => field.strip_prefix("{epoch:0").and_then(|width| width.strip_suffix('}')).and_then(|width| {
                width.parse().ok().filter(|digits| (1..=MAX_WIDTH).contains(digits) && !width.starts_with(['0', '+']))
            }),
        };
        match width {
            Some(width) if !after.contains(['{', '}']) => {
                Ok(Some(Pattern { before: before.to_owned(), width, after: after.to_owned() }))
            }
            Some(_) => Err(rest[end..].to_owned()),
            None => Err(field.to_owned()),
        }
    }

    /// The file name of an epoch.
    fn name(&self, epoch: usize) -> String {
        let Pattern { before, width, after } = self;
        format!("{before}{epoch:0width$}{after}")
    }

    /// The epoch in a file name of the pattern.
    fn epoch(&self, name: &OsStr) -> Option<usize> {
        let name = name.to_str()?;
        let digits = name.strip_prefix(&self.before)?.strip_suffix(&self.after)?;
        digits.parse().ok().filter(|epoch| self.name(*epoch) == name)
    }
}

impl Checkpoints {
    pub fn new(output: &Path, named: Option<&Path>) -> Result<Checkpoints> {
        let default = || {
            let mut name = output.as_os_str().to_owned();
            name.push(".ckpt");
            PathBuf::from(name)
        };
        let path = named.map_or_else(default, Path::to_path_buf);
        let pattern = match named.and_then(Path::file_name).and_then(OsStr::to_str).map(Pattern::parse) {
            None => None,
            Some(parsed) => parsed.map_err(|got| {
                let path = path.display();
                let expected = "expected {epoch} or {epoch:03} between braces, once";
                Error::Usage(format!("--checkpoint {path}: {expected}, got {got}; correct the name"))
            })?,
        };
        let checkpoints = Checkpoints {
            pattern,
            kept: named.is_some(),
            last: RefCell::new(None),
            output: (output.to_owned(), Version::of(output)),
            known: RefCell::new((path.clone(), Version::of(&path))),
            path,
        };
        writable(&checkpoints.of(0))?;
        let resolved = |path| {
            fs::canonicalize(folder(path))
                .map_err(|e| Error::io(format!("cannot look at {}", folder(path).display()), e))
        };
        if resolved(output)? == resolved(&checkpoints.path)?
            && output.file_name().is_some_and(|name| checkpoints.is_checkpoint(name))
        {
            return Err(Error::Usage("--checkpoint and -o name the same file: expected two".into()));
        }
        Ok(checkpoints)
    }
    pub fn kept(&self) -> bool {
        self.kept
    }
    fn of(&self, epoch: usize) -> PathBuf {
        self.pattern.as_ref().map_or_else(|| self.path.clone(), |pattern| self.path.with_file_name(pattern.name(epoch)))
    }
    fn is_checkpoint(&self, name: &OsStr) -> bool {
        self.pattern.as_ref().is_some_and(|p| p.epoch(name).is_some()) || self.path.file_name() == Some(name)
    }
    /// The existing file of the latest epoch. A file that cannot be looked at may hold days of work: that is an error.
    fn newest(&self) -> Result<Option<PathBuf>> {
        let Some(pattern) = &self.pattern else {
            return Ok(exists(&self.path)?.then(|| self.path.clone()));
        };
        let folder = folder(&self.path);
        let names = || fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>();
        let names = names().map_err(|e| Error::io(format!("cannot list {}", folder.display()), e))?;
        Ok(names.iter().filter_map(|name| pattern.epoch(name)).max().map(|epoch| self.of(epoch)))
    }

    /// The checkpoint to continue from, with `resume` and if there is one. Without `resume`, warns of one that this run will
    /// replace, and refuses those of a pattern, which a later --resume could not tell from this run's.
    pub fn open(&self, resume: bool, output: &Path) -> Result<Option<Model>> {
        match self.newest()? {
            Some(path) if resume => {
                let model = Stored::open(&path)?.file.model();
                *self.known.borrow_mut() = (path.clone(), Version::of(&path));
                *self.last.borrow_mut() = Some(path);
                return Ok(Some(model));
            }
            Some(path) if self.pattern.is_some() => {
                let path = path.display();
                return Err(Error::Usage(format!(
                    "{path} is of an earlier run: expected none; --resume goes on, or remove it"
                )));
            }
            Some(path) if self.tell_of_another(&path) => {}
            // A place for it, such as a mount of its own.
            Some(path) if fs::metadata(&path).is_ok_and(|file| file.len() == 0) => {}
            Some(path) => vae_cli::tell(&format!(
                "{} is of an earlier run and will be replaced; --resume goes on from it",
                path.display()
            )),
            None if resume && exists(output)? => vae_cli::tell(&format!(
                "no checkpoint: training starts from scratch, and {} will be replaced",
                output.display()
            )),
            None => {}
        }
        Ok(None)
    }
    /// Writes the state of the trainer.
    pub fn save(&self, trainer: &Trainer) -> Result<()> {
        let progress = trainer.progress();
        let path = self.of(progress.epoch - (progress.at == 0) as usize);
        self.tell_of_another(&path);
        trainer.checkpoint()?.save(&path)?;
        *self.known.borrow_mut() = (path.clone(), Version::of(&path));
        *self.last.borrow_mut() = Some(path);
        Ok(())
    }
    /// Says once that another run has written a file which this one is about to write; gives whether it has.
    pub fn tell_of_another(&self, path: &Path) -> bool {
        let known = self.known.borrow();
        let before = [&self.output, &*known].into_iter().find(|(known, _)| known == path);
        let is_replaced = before.map_or(Version::default(), |(_, version)| *version).is_replaced(path);
        if is_replaced {
            tell_replaced(path);
        }
        is_replaced
    }
    /// Removes it, unless it was named.
    pub fn remove(&self) {
        if self.kept {
            return;
        }
        match fs::remove_file(&self.path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                vae_cli::tell(&format!("cannot remove {}, which is not needed any more: {e}", self.path.display()));
            }
            _ => {}
        }
    }

    /// The error of a failed run with its last checkpoint.
    pub fn mention(&self, error: Error) -> Error {
        let with = |message: &dyn fmt::Display, path: &Path| {
            format!("{message}; the last good checkpoint is {}", path.display())
        };
        match (error, &*self.last.borrow()) {
            (Error::Failed(message), Some(path)) => Error::Failed(with(&message, path)),
            (Error::Io { what, source }, Some(path)) => {
                Error::Io { what, source: io::Error::new(source.kind(), with(&source, path)) }
            }
            (error, _) => error,
        }
    }
    /// The error of a run that a signal has stopped, with the command to resume it.
    pub fn interrupted(&self, signal: i32) -> Error {
        let mut command: Vec<String> = std::env::args_os().map(|a| a.to_string_lossy().into_owned()).collect();
        if !command.iter().any(|arg| arg == "--resume") {
            command.push("--resume".into());
        }
        let state =
            self.last.borrow().as_ref().map_or_else(String::new, |path| format!("{} has the state; ", path.display()));
        let message = format!("stopped; {state}with the same images, to go on: {}", shell(&command));
        Error::Interrupted { signal, message }
    }
}

/// The words quoted for a shell.
fn shell(words: &[String]) -> String {
    let plain = |w: &str| !w.is_empty() && w.chars().all(|c| c.is_ascii_alphanumeric() || "-_./,=:+@%".contains(c));
    let quoted = words.iter().map(|w| if plain(w) { w.clone() } else { format!("'{}'", w.replace('\'', r"'\''")) });
    quoted.collect::<Vec<_>>().join(" ")
}
