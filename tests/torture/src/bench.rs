//! Where trials take place: a temporary folder with inputs, a working folder in it, and the programs.

use crate::case::Case;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;
use vae_cli::{Error, Result};

/// Seconds after which a program hangs.
const TIMEOUT: &str = "20";
/// The exit code of `timeout -s KILL`, and of any program that SIGKILL has ended.
pub const KILLED: i32 = 137;

/// Files by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The inputs, made in this order. They are tiny, so that a trial takes milliseconds: 6 images of 8 x 8 pixels.
const INPUTS: [&str; 9] = [
    "mnist-dump --data images-idx3-ubyte --labels labels-idx1-ubyte --batch 4 -o images.vae",
    "vae-train --hidden 8 --latent 2 --epochs 2 images.vae -o model.bin --checkpoint model.ckpt > losses.jsonl",
    "vae-train --hidden 8 --latent 2 --epochs 2 --preview 2 images.vae -o run.bin > run.vae",
    "vae-encode -m model.bin images.vae -o latents.vae",
    "vae-encode -m model.bin --embed-model images.vae -o embedded.vae",
    "vae-model export model.bin -o state.safetensors",
    "vae-cat --npy x images.vae -o images.npy",
    "mnist-dump --synthetic=60 -o digits.vae",
    "vae-train --hidden 8 --latent 2 --epochs 1 digits.vae -o digits.bin > digits.jsonl",
];

/// The folder, the programs, and the random numbers of all trials.
pub struct Bench {
    root: TempDir,
    tools: PathBuf,
    pub random: RefCell<fastrand::Rng>,
    /// Trials so far: every second one has an old file in place of the output.
    trials: Cell<usize>,
}

/// What came of a trial.
pub struct Outcome {
    /// As a shell numbers it: 128 + N of a process that signal N has ended.
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
    /// In the working folder, before and after.
    pub before: Files,
    pub files: Files,
}

impl Bench {
    /// The folder, with all inputs in it.
    ///
    /// # Errors
    /// [`Error::Failed`] where a program fails without being disturbed.
    pub fn new(tools: &Path, seed: u64) -> Result<Bench> {
        let bench = Bench::empty(tools, seed)?;
        let pixels: Vec<u8> = (0..6 * 64).map(|_| bench.random.borrow_mut().u8(..)).collect();
        bench.write("images-idx3-ubyte", &[&[0, 0, 8, 3, 0, 0, 0, 6, 0, 0, 0, 8, 0, 0, 0, 8][..], &pixels].concat())?;
        bench.write("labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 6, 0, 1, 2, 3, 4, 5])?;
        for line in INPUTS {
            let output = bench.command("sh").args(["-c", line]).current_dir(bench.root.path()).output();
            let output = output.map_err(|e| Error::io("cannot run sh", e))?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                return Err(Error::Failed(format!("{line}: {}; {}", output.status, said.trim())));
            }
        }
        Ok(bench)
    }

    /// The folder without inputs.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn empty(tools: &Path, seed: u64) -> Result<Bench> {
        let failed = |e| Error::io("cannot make a temporary folder", e);
        let root = tempfile::tempdir().map_err(failed)?;
        fs::create_dir(root.path().join("work")).map_err(failed)?;
        let random = RefCell::new(fastrand::Rng::with_seed(seed));
        Ok(Bench { root, tools: tools.to_path_buf(), random, trials: Cell::new(0) })
    }

    /// The path of an input.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The working folder.
    pub fn work(&self) -> PathBuf {
        self.path("work")
    }

    /// Writes an input.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        fs::write(self.path(name), bytes).map_err(|e| Error::io(format!("cannot write {name}"), e))
    }

    /// Reads an input.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        fs::read(self.path(name)).map_err(|e| Error::io(format!("cannot read {name}"), e))
    }

    /// A random number below `bound`.
    pub fn below(&self, bound: usize) -> usize {
        self.random.borrow_mut().usize(..bound.max(1))
    }

    /// A program in the working folder, ours first on PATH.
    pub fn command(&self, program: &str) -> Command {
        let path = format!("{}:{}", self.tools.display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new(program);
        command.current_dir(self.work()).env("PATH", path).env("VAE_DEVICE", "cpu").env_remove("MNIST_DIR");
        command.stdin(Stdio::null());
        command
    }

    /// The words of a command line, the program by its path: what a prefix runs need not search for it.
    pub fn words(&self, case: &Case) -> Vec<String> {
        let tool = self.tools.join(&case.words[0]).display().to_string();
        [&[tool][..], &case.words[1..]].concat()
    }

    /// The standard input of a command line.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn stdin(&self, case: &Case) -> Result<Stdio> {
        let Some(name) = &case.stdin else { return Ok(Stdio::null()) };
        let file = File::open(self.work().join(name)).map_err(|e| Error::io(format!("cannot open {name}"), e))?;
        Ok(file.into())
    }

    /// Empties the working folder, and puts in it what the command line expects; every second time also an old file in place
    /// of each output.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn prepare(&self, case: &Case) -> Result<()> {
        let trial = self.trials.get();
        self.trials.set(trial + 1);
        self.prepare_with(case, trial % 2 == 1)
    }

    /// The same, with old files or without.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn prepare_with(&self, case: &Case, old: bool) -> Result<()> {
        let failed = |e| Error::io("cannot prepare the working folder", e);
        for entry in fs::read_dir(self.work()).map_err(failed)? {
            fs::remove_file(entry.map_err(failed)?.path()).map_err(failed)?;
        }
        for (name, source) in &case.before {
            fs::copy(self.path(source), self.work().join(name)).map_err(failed)?;
        }
        for name in case.outputs.iter().filter(|_| old) {
            fs::write(self.work().join(name), "old\n").map_err(failed)?;
        }
        Ok(())
    }

    /// Runs a command line behind the words of `prefix`, with a time limit.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn run(&self, case: &Case, prefix: &[&str]) -> Result<Outcome> {
        self.run_with(case, prefix, |_| {})
    }

    /// The same, with changes to the environment or to the standard files.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn run_with(&self, case: &Case, prefix: &[&str], change: impl FnOnce(&mut Command)) -> Result<Outcome> {
        self.prepare(case)?;
        self.run_again(case, prefix, change)
    }

    /// The same in a working folder that stays as it is.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn run_again(&self, case: &Case, prefix: &[&str], change: impl FnOnce(&mut Command)) -> Result<Outcome> {
        let before = files(&self.work())?;
        let mut command = self.command("timeout");
        command.args(["-s", "KILL", TIMEOUT]).args(prefix).args(self.words(case)).stdin(self.stdin(case)?);
        change(&mut command);
        let output = command.output().map_err(|e| Error::io("cannot run timeout", e))?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = code(output.status);
        Ok(Outcome { code, stdout: output.stdout, stderr, before, files: files(&self.work())? })
    }

    /// Whether a command of the shell works.
    pub fn has(&self, line: &str) -> bool {
        self.command("sh").args(["-c", line]).output().is_ok_and(|output| output.status.success())
    }
}

/// The exit code of a status, as a shell numbers it.
pub fn code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// The files of a folder.
///
/// # Errors
/// [`Error::Io`].
pub fn files(folder: &Path) -> Result<Files> {
    let read = |entry: io::Result<fs::DirEntry>| {
        let entry = entry?;
        Ok((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?))
    };
    let all = fs::read_dir(folder).and_then(|entries| entries.map(read).collect());
    all.map_err(|e| Error::io(format!("cannot read the files of {}", folder.display()), e))
}

/// The machine and the day.
pub fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu =
        info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("", |(_, cpu)| cpu);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let date = Command::new("date").args(["-u", "+%F"]).output().map(|o| o.stdout).unwrap_or_default();
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    format!("{cpu} · {cores} cores · Linux {kernel} · {}", String::from_utf8_lossy(&date).trim())
}
