//! Where the state of a run is kept, and how it is found again.

use common::model::{Model, Stored, writable};
use common::train::Trainer;
use common::{Error, Result};
use std::fs;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};

const EPOCH: &str = "{epoch}";

/// The file, or one for each epoch, that a run can go on from.
pub struct Checkpoints {
    /// May hold `{epoch}` in its last part.
    path: PathBuf,
    /// Asked for by name, so not removed when the run is complete.
    kept: bool,
}

impl Checkpoints {
    pub fn new(output: &Path, asked: Option<&Path>) -> Result<Checkpoints> {
        let default = || {
            let mut name = output.as_os_str().to_owned();
            name.push(".ckpt");
            PathBuf::from(name)
        };
        let checkpoints = Checkpoints { path: asked.map_or_else(default, Path::to_path_buf), kept: asked.is_some() };
        writable(&checkpoints.of(0))?;
        if checkpoints.of(0) == output {
            return Err(Error::Usage("--checkpoint and -o name the same file: expected two".into()));
        }
        Ok(checkpoints)
    }
    pub fn kept(&self) -> bool {
        self.kept
    }
    /// The name without its folder, cut at `{epoch}` if that is in it.
    fn name(&self) -> (&Path, Option<(&str, &str)>) {
        let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        (folder, self.path.file_name().and_then(|n| n.to_str()).and_then(|n| n.split_once(EPOCH)))
    }
    fn of(&self, epoch: usize) -> PathBuf {
        match self.name().1 {
            Some((before, after)) => self.path.with_file_name(format!("{before}{epoch}{after}")),
            None => self.path.clone(),
        }
    }
    /// The file of the furthest epoch that is there.
    fn newest(&self) -> Option<PathBuf> {
        let (folder, Some((before, after))) = self.name() else {
            return Some(self.path.clone()).filter(|p| p.exists());
        };
        let epoch = |entry: fs::DirEntry| {
            entry.file_name().to_str()?.strip_prefix(before)?.strip_suffix(after)?.parse::<usize>().ok()
        };
        let newest = fs::read_dir(folder).ok()?.filter_map(|entry| epoch(entry.ok()?)).max()?;
        Some(self.of(newest))
    }

    /// The state to go on from, if there is one.
    pub fn latest(&self) -> Result<Option<Model>> {
        self.newest().map(|path| Ok(Stored::open(&path)?.model)).transpose()
    }
    /// Tells of a state that a new run is about to replace.
    pub fn warn_of_replacing(&self) {
        if let Some(path) = self.newest() {
            let path = path.display();
            let _ = writeln!(
                stderr(),
                "vae-train: {path} is of an earlier run and will be replaced; --resume goes on from it"
            );
        }
    }
    /// Writes the state as it is now.
    pub fn save(&self, trainer: &Trainer) -> Result<()> {
        let progress = trainer.progress();
        let epoch = progress.epoch - (progress.at == 0) as usize;
        trainer.checkpoint().map_err(|e| self.mention(e))?.save(&self.of(epoch)).map(|_| ())
    }
    /// After a complete run, unless it was asked for by name.
    pub fn remove(&self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Adds to the error of a run that failed what is left of it.
    pub fn mention(&self, error: Error) -> Error {
        match (error, self.newest()) {
            (Error::Failed(message), Some(path)) => {
                Error::Failed(format!("{message}; the last good checkpoint is {}", path.display()))
            }
            (error, _) => error,
        }
    }
    /// What to say when a signal has stopped the run.
    pub fn interrupted(&self, signal: i32) -> Error {
        let path = self.newest().unwrap_or_else(|| self.path.clone());
        let mut command: Vec<String> = std::env::args().collect();
        if !command.iter().any(|arg| arg == "--resume") {
            command.push("--resume".into());
        }
        let message = format!("stopped; {} has the state; to go on: {}", path.display(), shell(&command));
        Error::Interrupted { signal, message }
    }
}

/// A command line that a shell reads as these words.
fn shell(words: &[String]) -> String {
    let plain = |w: &str| !w.is_empty() && w.chars().all(|c| c.is_ascii_alphanumeric() || "-_./,=:+@%".contains(c));
    let quoted = words.iter().map(|w| if plain(w) { w.clone() } else { format!("'{}'", w.replace('\'', r"'\''")) });
    quoted.collect::<Vec<_>>().join(" ")
}
