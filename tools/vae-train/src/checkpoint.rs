//! The checkpoints of a run: their names, writing, finding and removing them.

use common::model::{Model, Stored, writable};
use common::train::Trainer;
use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::{fs, io};
use vae_cli::input::exists;
use vae_cli::output::folder;
use vae_cli::{Error, Result};

const EPOCH: &str = "{epoch}";

/// The checkpoint file of a run, or one per epoch.
pub struct Checkpoints {
    /// May hold `{epoch}` in its file name.
    path: PathBuf,
    /// Named by --checkpoint, so not removed after a complete run.
    kept: bool,
    /// The latest of this run.
    last: RefCell<Option<PathBuf>>,
}

impl Checkpoints {
    pub fn new(output: &Path, named: Option<&Path>) -> Result<Checkpoints> {
        let default = || {
            let mut name = output.as_os_str().to_owned();
            name.push(".ckpt");
            PathBuf::from(name)
        };
        let path = named.map_or_else(default, Path::to_path_buf);
        let checkpoints = Checkpoints { path, kept: named.is_some(), last: RefCell::new(None) };
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
    /// The file name before and after `{epoch}`.
    fn pattern(&self) -> Option<(&str, &str)> {
        self.path.file_name()?.to_str()?.split_once(EPOCH)
    }
    fn of(&self, epoch: usize) -> PathBuf {
        match self.pattern() {
            Some((before, after)) => self.path.with_file_name(format!("{before}{epoch}{after}")),
            None => self.path.clone(),
        }
    }
    /// The epoch in a file name of the pattern.
    fn epoch(&self, name: &std::ffi::OsStr) -> Option<usize> {
        let (before, after) = self.pattern()?;
        let digits = name.to_str()?.strip_prefix(before)?.strip_suffix(after)?;
        digits.parse().ok().filter(|epoch: &usize| epoch.to_string() == digits)
    }
    fn is_checkpoint(&self, name: &std::ffi::OsStr) -> bool {
        self.epoch(name).is_some() || self.path.file_name() == Some(name)
    }
    /// The existing file of the latest epoch. A file that cannot be looked at may hold days of work: that is an error.
    fn newest(&self) -> Result<Option<PathBuf>> {
        if self.pattern().is_none() {
            return Ok(exists(&self.path)?.then(|| self.path.clone()));
        }
        let folder = folder(&self.path);
        let names = || fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>();
        let names = names().map_err(|e| Error::io(format!("cannot list {}", folder.display()), e))?;
        Ok(names.iter().filter_map(|name| self.epoch(name)).max().map(|epoch| self.of(epoch)))
    }

    /// The checkpoint to continue from, with `resume` and if there is one. Without `resume`, warns of one that this run will
    /// replace, and refuses those of a pattern, which a later --resume could not tell from this run's.
    pub fn open(&self, resume: bool, output: &Path) -> Result<Option<Model>> {
        match self.newest()? {
            Some(path) if resume => {
                let model = Stored::open(&path)?.file.model();
                *self.last.borrow_mut() = Some(path);
                return Ok(Some(model));
            }
            Some(path) if self.pattern().is_some() => {
                let path = path.display();
                return Err(Error::Usage(format!(
                    "{path} is of an earlier run: expected none; --resume goes on, or remove it"
                )));
            }
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
        trainer.checkpoint()?.save(&path)?;
        *self.last.borrow_mut() = Some(path);
        Ok(())
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
