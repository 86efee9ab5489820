//! Where the state of a run is kept, and how it is found again.

use common::model::{Model, Stored, writable};
use common::train::Trainer;
use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use vae_cli::{Error, Result};

const EPOCH: &str = "{epoch}";

/// The file, or one for each epoch, that a run can go on from.
pub struct Checkpoints {
    /// May hold `{epoch}` in its last part.
    path: PathBuf,
    /// Asked for by name, so not removed when the run is complete.
    kept: bool,
    /// The last one of this run.
    last: RefCell<Option<PathBuf>>,
}

impl Checkpoints {
    pub fn new(output: &Path, asked: Option<&Path>) -> Result<Checkpoints> {
        let default = || {
            let mut name = output.as_os_str().to_owned();
            name.push(".ckpt");
            PathBuf::from(name)
        };
        let path = asked.map_or_else(default, Path::to_path_buf);
        let checkpoints = Checkpoints { path, kept: asked.is_some(), last: RefCell::new(None) };
        writable(&checkpoints.of(0))?;
        let same_folder = fs::canonicalize(folder(output)).ok() == fs::canonicalize(folder(&checkpoints.path)).ok();
        if same_folder && output.file_name().is_some_and(|name| checkpoints.is_one(name)) {
            return Err(Error::Usage("--checkpoint and -o name the same file: expected two".into()));
        }
        Ok(checkpoints)
    }
    pub fn kept(&self) -> bool {
        self.kept
    }
    /// The name without its folder, cut at `{epoch}` if that is in it.
    fn pattern(&self) -> Option<(&str, &str)> {
        self.path.file_name()?.to_str()?.split_once(EPOCH)
    }
    fn of(&self, epoch: usize) -> PathBuf {
        match self.pattern() {
            Some((before, after)) => self.path.with_file_name(format!("{before}{epoch}{after}")),
            None => self.path.clone(),
        }
    }
    /// The epoch in the name of a file, if it is one of ours.
    fn epoch(&self, name: &std::ffi::OsStr) -> Option<usize> {
        let (before, after) = self.pattern()?;
        let digits = name.to_str()?.strip_prefix(before)?.strip_suffix(after)?;
        digits.parse().ok().filter(|epoch: &usize| epoch.to_string() == digits)
    }
    fn is_one(&self, name: &std::ffi::OsStr) -> bool {
        self.epoch(name).is_some() || self.path.file_name() == Some(name)
    }
    /// The file of the furthest epoch that is there.
    fn newest(&self) -> Option<PathBuf> {
        if self.pattern().is_none() {
            return Some(self.path.clone()).filter(|p| p.exists());
        }
        let epochs = fs::read_dir(folder(&self.path)).ok()?.filter_map(|entry| self.epoch(&entry.ok()?.file_name()));
        Some(self.of(epochs.max()?))
    }

    /// With `resume` the state to go on from, if there is one. Without, tells of one that this run will replace, and
    /// refuses those of a pattern, which a later --resume could not tell from this run's.
    pub fn begin(&self, resume: bool, output: &Path) -> Result<Option<Model>> {
        let (newest, output) = (self.newest(), output.display());
        match newest {
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
            None if resume && Path::new(&output.to_string()).exists() => {
                vae_cli::tell(&format!("no checkpoint, so training starts anew, and {output} will be replaced"));
            }
            None => {}
        }
        Ok(None)
    }
    /// Writes the state as it is now.
    pub fn save(&self, trainer: &Trainer) -> Result<()> {
        let progress = trainer.progress();
        let path = self.of(progress.epoch - (progress.at == 0) as usize);
        trainer.checkpoint()?.save(&path)?;
        *self.last.borrow_mut() = Some(path);
        Ok(())
    }
    /// After a complete run, unless it was asked for by name.
    pub fn remove(&self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Adds to the error of a run that failed what is left of it.
    pub fn mention(&self, error: Error) -> Error {
        match (error, &*self.last.borrow()) {
            (Error::Failed(message), Some(path)) => {
                Error::Failed(format!("{message}; the last good checkpoint is {}", path.display()))
            }
            (error, _) => error,
        }
    }
    /// What to say when a signal has stopped the run.
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

fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A command line that a shell reads as these words.
fn shell(words: &[String]) -> String {
    let plain = |w: &str| !w.is_empty() && w.chars().all(|c| c.is_ascii_alphanumeric() || "-_./,=:+@%".contains(c));
    let quoted = words.iter().map(|w| if plain(w) { w.clone() } else { format!("'{}'", w.replace('\'', r"'\''")) });
    quoted.collect::<Vec<_>>().join(" ")
}
