//! What every measurement starts from: a temporary folder with data in it, and a shell there.

use crate::machine::Machine;
use crate::others::Stretch;
use crate::peers::Peer;
use crate::results::Results;
use crate::table::{Measured, Table};
use crate::times::Times;
use serde_json::Value;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;
use vae_cli::{Error, Result};

/// What of a section is measured, and how often.
pub struct Chosen {
    pub rounds: usize,
    pub rows: Vec<String>,
    pub programs: Vec<String>,
    pub quiet: f64,
}

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
    /// Parts of names of the chosen rows and programs; none: all.
    rows: Vec<String>,
    programs: Vec<String>,
    pub peers: Vec<Peer>,
    pub machine: Machine,
    /// Of the rows to come, but for what others take meanwhile.
    pub measured: Measured,
    /// `target/bench.json`.
    results: PathBuf,
    /// Percent of the CPU that others took during each line of shell since this was taken.
    others: RefCell<Vec<f64>>,
    /// What is measured while they take more is measured again.
    quiet: f64,
    /// Faults, for which the benchmark fails at its end.
    alarms: RefCell<Vec<String>>,
}

impl Setup {
    /// `peers`: whether any are needed.
    pub fn new(folder: &Path, results: PathBuf, chosen: Chosen, peers: bool) -> Result<Setup> {
        let itself = std::env::current_exe().map_err(|e| Error::io("cannot find this program", e))?;
        let tools = itself.parent().map(Path::to_path_buf).unwrap_or_default();
        let repo = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_path_buf).unwrap_or_default();
        let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
        let folder = folder.to_path_buf();
        let Chosen { rounds, rows, programs, quiet } = chosen;
        let mut setup = Setup {
            folder,
            tools,
            path,
            dump: "mnist-dump",
            images: 0,
            test_images: 0,
            repo,
            rounds,
            rows,
            programs,
            peers: vec![],
            machine: Machine::here(),
            measured: Measured::default(),
            results,
            quiet,
            others: RefCell::default(),
            alarms: RefCell::default(),
        };
        if !setup.succeeds("mnist-dump -n 1") {
            setup.dump = "mnist-dump --synthetic";
        }
        let (dump, repo) = (setup.dump, setup.repo.display());
        setup.sh(&format!("{dump} -o train.vae && {dump} --split test -o test.vae"))?;
        setup.arrays("train")?;
        setup.arrays("test")?;
        setup.sh(&format!("cp {repo}/examples/mlp-400-20.bin model.bin"))?;
        setup.images = setup.items("train.vae")?;
        setup.test_images = setup.items("test.vae")?;
        if peers {
            setup.peers = Peer::all(&setup);
        }
        setup.others.take(); // nothing was measured yet
        Ok(setup)
    }

    /// Images and labels of a stream as arrays too.
    fn arrays(&self, name: &str) -> Result<()> {
        self.sh(&format!("vae-cat {name}.vae --npy x > {name}.npy && vae-cat {name}.vae --npy y > {name}-y.npy"))
            .map(drop)
    }
    /// The training images, or the first of them, by the name of their files without a suffix.
    pub fn train(&self, first: Option<usize>) -> Result<String> {
        let Some(first) = first else { return Ok("train".into()) };
        let name = format!("train-{first}");
        if !self.folder.join(format!("{name}-y.npy")).exists() {
            self.sh(&format!("vae-cat train.vae --take {first} -o {name}.vae"))?;
            self.arrays(&name)?;
        }
        Ok(name)
    }
    /// Whether `--rows` chooses this one.
    pub fn wants_row(&self, name: &str) -> bool {
        is_chosen(&self.rows, name)
    }
    /// Whether `--programs` chooses this one.
    pub fn wants_program(&self, name: &str) -> bool {
        is_chosen(&self.programs, name)
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
    /// What a line of shell wrote, whether it worked or not.
    pub fn output(&self, line: &str) -> Result<String> {
        let output = self.command(line).stdout(Stdio::piped()).output();
        let output = output.map_err(|e| Error::io(format!("cannot run {line}"), e))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
    /// Runs a line of shell and gives what it wrote.
    pub fn sh(&self, line: &str) -> Result<String> {
        self.undisturbed(|| {
            let output = self.command(line).stdout(Stdio::piped()).stderr(Stdio::inherit()).output();
            let output = output.map_err(|e| Error::io(format!("cannot run {line}"), e))?;
            expect_success(line, output.status)?;
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        })
    }
    /// Seconds of a line of shell, start to end; what it writes goes to `/dev/null`.
    pub fn time(&self, line: &str) -> Result<f64> {
        self.undisturbed(|| {
            let begun = Instant::now();
            let status = self.command(line).status().map_err(|e| Error::io(format!("cannot run {line}"), e))?;
            expect_success(line, status)?;
            Ok(begun.elapsed().as_secs_f64())
        })
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

    /// What a measurement gives; where other programs took more than `--quiet` meanwhile, what it gives at its second or
    /// third time.
    fn undisturbed<T>(&self, measure: impl Fn() -> Result<T>) -> Result<T> {
        let mut left = 3;
        loop {
            left -= 1;
            let stretch = Stretch::begin();
            let measured = measure()?;
            let others = stretch.others();
            if left == 0 || others.is_none_or(|percent| percent <= self.quiet) {
                self.others.borrow_mut().extend(others);
                return Ok(measured);
            }
        }
    }
    /// Adds the new rows of tables to `target/bench.json`, at once: the rest of a run may be cut short.
    pub fn keep<'a>(&self, tables: impl IntoIterator<Item = &'a mut Table>) -> Result<()> {
        let others = self.others.borrow_mut().drain(..).reduce(f64::max);
        let measured = Measured { others, ..self.measured.clone() };
        let mut results = Results::read(&self.results);
        for table in tables {
            let new = table.rows.iter_mut().filter(|row| row.measured == Measured::default());
            new.for_each(|row| row.measured = measured.clone());
            if !table.rows.is_empty() {
                results.add(&self.machine, table.clone());
            }
        }
        results.write(&self.results)
    }
    /// Says what is left out, and why.
    pub fn note(&self, message: &str) {
        eprintln!("bench: {message}");
    }
    /// Says what was measured just now.
    pub fn progress(&self, message: &str) {
        eprintln!("  {message}");
    }
    /// Says that something is wrong, now and once more at the end, when the benchmark fails by it.
    pub fn alarm(&self, message: String) {
        eprintln!("  !!! {message}");
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

/// Whether a name holds one of these words, in whatever case; if there are none, it does.
pub fn is_chosen(words: &[String], name: &str) -> bool {
    let name = name.to_lowercase();
    words.is_empty() || words.iter().any(|word| name.contains(&word.to_lowercase()))
}

fn expect_success(line: &str, status: ExitStatus) -> Result<()> {
    match status.success() {
        true => Ok(()),
        false => Err(Error::Failed(format!("{line}: {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::is_chosen;

    #[test]
    fn a_row_is_chosen_by_a_part_of_its_name() {
        let words = ["wide".to_owned(), "JAX".to_owned()];
        assert!(is_chosen(&words, "wide") && is_chosen(&words, "jax fp32") && !is_chosen(&words, "classic-128"));
        assert!(is_chosen(&[], "classic-128"), "no words choose all");
    }
}
