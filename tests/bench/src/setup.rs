//! What every measurement starts from: a temporary folder with data in it, and a shell there.

use crate::peers::Peer;
use crate::times::Times;
use serde_json::Value;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;
use vae_cli::{Error, Result};

/// The folder holds `train.vae` and `test.vae`, their images and labels as `.npy` too, and `model.bin`.
pub struct Setup {
    pub folder: PathBuf,
    /// Where the programs are.
    pub tools: PathBuf,
    path: String,
    /// The command that writes images.
    pub dump: &'static str,
    /// Images in `train.vae`, and in `test.vae`.
    pub images: usize,
    pub test_images: usize,
    pub repo: PathBuf,
    pub rounds: usize,
    pub peers: Vec<Peer>,
    /// Faults, for which the benchmark fails at its end.
    alarms: RefCell<Vec<String>>,
}

impl Setup {
    pub fn new(folder: &Path, rounds: usize) -> Result<Setup> {
        let itself = std::env::current_exe().map_err(|e| Error::io("cannot find this program", e))?;
        let tools = itself.parent().map(Path::to_path_buf).unwrap_or_default();
        let repo = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_path_buf).unwrap_or_default();
        let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
        let (folder, alarms) = (folder.to_path_buf(), RefCell::default());
        let mut setup = Setup {
            folder,
            tools,
            path,
            dump: "mnist-dump",
            images: 0,
            test_images: 0,
            repo,
            rounds,
            peers: vec![],
            alarms,
        };
        if !setup.succeeds("mnist-dump -n 1") {
            setup.dump = "mnist-dump --synthetic";
        }
        let (dump, repo) = (setup.dump, setup.repo.display());
        setup.sh(&format!("{dump} -o train.vae && {dump} --split test -o test.vae"))?;
        for split in ["train", "test"] {
            setup.sh(&format!(
                "vae-cat {split}.vae --npy x > {split}.npy && vae-cat {split}.vae --npy y > {split}-y.npy"
            ))?;
        }
        setup.sh(&format!("cp {repo}/examples/mlp-400-20.bin model.bin"))?;
        setup.images = setup.items("train.vae")?;
        setup.test_images = setup.items("test.vae")?;
        setup.peers = Peer::all(&setup);
        Ok(setup)
    }

    /// Of a stream.
    fn items(&self, stream: &str) -> Result<usize> {
        let check: Value = serde_json::from_str(&self.sh(&format!("vae-cat --check {stream}"))?).unwrap_or_default();
        Ok(check["items"].as_u64().unwrap_or_default() as usize)
    }

    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]).current_dir(&self.folder).env("PATH", &self.path);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
    /// Whether a line of shell works, whatever it says.
    pub fn succeeds(&self, line: &str) -> bool {
        self.command(line).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }
    /// Runs a line of shell and gives what it wrote.
    pub fn sh(&self, line: &str) -> Result<String> {
        let output = self.command(line).stdout(Stdio::piped()).stderr(Stdio::inherit()).output();
        let output = output.map_err(|e| Error::io(format!("cannot run {line}"), e))?;
        expect_success(line, output.status)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
    /// Seconds of a line of shell, start to end; what it writes goes to `/dev/null`.
    pub fn time(&self, line: &str) -> Result<f64> {
        let begun = Instant::now();
        let status = self.command(line).status().map_err(|e| Error::io(format!("cannot run {line}"), e))?;
        expect_success(line, status)?;
        Ok(begun.elapsed().as_secs_f64())
    }
    /// Seconds of several lines in turn, so many rounds, after one that brings their files into memory.
    pub fn times(&self, rounds: usize, lines: &[&str]) -> Result<Vec<Times>> {
        let mut times = vec![Times::default(); lines.len()];
        lines.iter().try_for_each(|line| self.time(line).map(drop))?;
        for _ in 0..rounds {
            for (line, times) in lines.iter().zip(&mut times) {
                times.0.push(self.time(line)?);
            }
        }
        Ok(times)
    }

    /// Says that something is wrong, now and once more at the end, when the benchmark fails by it.
    pub fn alarm(&self, message: String) {
        println!("  !!! {message}");
        self.alarms.borrow_mut().push(message);
    }
    /// # Errors
    /// What was wrong.
    pub fn verdict(&self) -> Result<()> {
        match &self.alarms.borrow()[..] {
            [] => Ok(()),
            alarms => Err(Error::Failed(alarms.join("; "))),
        }
    }
}

fn expect_success(line: &str, status: ExitStatus) -> Result<()> {
    match status.success() {
        true => Ok(()),
        false => Err(Error::Failed(format!("{line}: {status}"))),
    }
}
