//! A temporary folder, a shell in it, and the exit code and output of a command line.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::{Write, stderr};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Once, OnceLock};

use serde_json::Value;
use signal_hook::{consts::SIGINT, flag::register_conditional_default};
use tempfile::TempDir;

/// The names of all programs.
pub const TOOLS: [&str; 12] = [
    "mnist-dump",
    "image-dump",
    "vae-train",
    "vae-encode",
    "vae-decode",
    "vae-sample",
    "vae-eval",
    "vae-model",
    "vae-plot",
    "vae-cat",
    "grid-png",
    "vae-watch",
];

/// Seconds after which a command line is stopped, and its test fails.
const TIMEOUT: &str = "300";

/// Lets SIGINT end the programs that a test starts, and this one, also where the shell that started it ignores SIGINT
/// (`nohup`, or `&` in a script): a signal that is handled here has its default action there.
fn let_sigint_end_programs() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        register_conditional_default(SIGINT, Arc::new(AtomicBool::new(true))).expect("a handler of SIGINT");
    });
}

/// The folder of the built programs, target/<profile>.
pub fn tools() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let exe = std::env::current_exe().expect("the path of this program");
        let folder = exe.ancestors().nth(2).expect("target/<profile>/deps/<test>").to_owned();
        let missing: Vec<&str> = TOOLS.into_iter().filter(|tool| !folder.join(tool).is_file()).collect();
        let (missing, folder_name) = (missing.join(", "), folder.display());
        assert!(missing.is_empty(), "no {missing} in {folder_name}: run `make test`, which builds the programs first");
        folder
    })
}

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of the workspace")
}

/// A temporary folder, the working directory of its command lines, with an environment of its own: the built programs
/// on PATH, no MNIST and no GPU unless a test sets them.
pub struct TestDir {
    root: TempDir,
    variables: BTreeMap<&'static str, OsString>,
}

impl TestDir {
    /// An empty folder.
    pub fn new() -> TestDir {
        let root = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(root.path().join("work")).expect("a folder in it");
        TestDir { root, variables: BTreeMap::new() }
    }

    /// Sets a variable of the environment.
    pub fn set(&mut self, name: &'static str, value: impl Into<OsString>) {
        self.variables.insert(name, value.into());
    }

    /// The path of a file here.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("work").join(name)
    }

    /// The bytes of a file here.
    #[track_caller]
    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}; there is only {:?}", self.files()))
    }

    /// Writes a file here.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).expect("a file to write");
    }

    /// The names of all files here, hidden ones too.
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("")).expect("the folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// A program to be run here, without a shell around it.
    pub fn command(&self, program: &str) -> Command {
        let_sigint_end_programs();
        let mut path = OsString::from(tools());
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut command = Command::new(program);
        command.current_dir(self.path("")).stdin(Stdio::null());
        command.env_remove("MNIST_DIR").env("XDG_DATA_HOME", self.root.path().join("home"));
        command.env("VAE_DEVICE", "cpu"); // also where there is a GPU
        command.env("PATH", path).envs(&self.variables);
        command
    }

    /// Runs a command line with `sh`.
    pub fn run(&self, line: &str) -> CommandOutput {
        self.shell(&["sh", "-c", line], line)
    }

    /// Runs a command line that ends in a pipe with `bash`, and keeps the exit code of every stage of the pipe.
    pub fn pipe(&self, line: &str) -> CommandOutput {
        let statuses = self.root.path().join("statuses");
        let script = format!("{line}\necho \"${{PIPESTATUS[@]}}\" > '{}'", statuses.display());
        let output = self.shell(&["bash", "-c", &script], line);
        let text = fs::read_to_string(&statuses).unwrap_or_else(|e| panic!("no statuses: {e}\n{output}"));
        let codes = text.split_whitespace().map(|code| code.parse().expect("a number")).collect();
        CommandOutput { codes, ..output }
    }

    /// Runs a command line with a terminal as its standard output; none where there is no `script` to make one.
    pub fn run_at_terminal(&self, line: &str) -> Option<(i32, String)> {
        self.has("script").then(|| {
            let output = self.run(&format!("script -qec '{line}' /dev/null"));
            (output.codes[0], String::from_utf8_lossy(&output.stdout).into_owned())
        })
    }

    /// Whether a program is on this machine; where it is not, says that the test is skipped.
    pub fn has(&self, program: &str) -> bool {
        let found = self.run(&format!("command -v {program}")).codes == [0];
        if !found {
            skipped(std::thread::current().name().unwrap_or("a test"), &format!("there is no {program}"));
        }
        found
    }

    fn shell(&self, shell: &[&str], line: &str) -> CommandOutput {
        let output = self.command("timeout").arg(TIMEOUT).args(shell).output().expect("timeout and a shell");
        CommandOutput {
            line: line.to_owned(),
            codes: vec![code(output.status)],
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Says, past the test runner that hides what successful tests print, that a test was skipped.
pub fn skipped(test: &str, why: &str) {
    let _ = writeln!(stderr(), "SKIPPED {test}: {why}");
}

/// The exit code of a status, as a shell numbers it: 128 + N of a process that signal N has ended.
pub fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// The exit codes and the output of a command line.
#[derive(Debug)]
pub struct CommandOutput {
    pub line: String,
    /// One exit code, or that of each stage of a pipe.
    pub codes: Vec<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl CommandOutput {
    /// Asserts exit code 0 and an empty standard error.
    #[track_caller]
    pub fn succeeds(self) -> CommandOutput {
        assert!(self.codes.iter().all(|code| *code == 0), "expected success\n{self}");
        assert_eq!(self.stderr, "", "expected an empty standard error\n{self}");
        self
    }

    /// Asserts this exit code, of the last stage, and one error line of this tool that holds all these words.
    #[track_caller]
    pub fn fails(self, code: i32, tool: &str, words: &[&str]) -> CommandOutput {
        assert_eq!(self.codes.last(), Some(&code), "expected exit code {code}\n{self}");
        self.reports(tool, words)
    }

    /// Asserts one line on standard error, of this tool, that holds all these words.
    #[track_caller]
    pub fn reports(self, tool: &str, words: &[&str]) -> CommandOutput {
        assert_eq!(self.stderr.lines().count(), 1, "expected one line on standard error\n{self}");
        assert!(self.stderr.starts_with(&format!("{tool}: ")), "expected a message of {tool}\n{self}");
        for word in words {
            assert!(self.stderr.contains(word), "expected {word:?} in the message\n{self}");
        }
        self
    }

    /// Standard output as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap_or_else(|e| panic!("expected text: {e}\n{self}"))
    }

    /// Standard output as newline JSON.
    #[track_caller]
    pub fn records(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("expected JSON: {e}\n{self}"));
        self.text().lines().map(parse).collect()
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap_or_else(|e| panic!("expected JSON: {e}\n{self}"))
    }
}

impl fmt::Display for CommandOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4000;
        let shown = &self.stdout[..self.stdout.len().min(SHOWN)];
        writeln!(f, "---- command\n{}\n---- exit {:?}", self.line, self.codes)?;
        writeln!(
            f,
            "---- stdout, {} bytes\n{}",
            self.stdout.len(),
            shown.escape_ascii().to_string().replace("\\n", "\n")
        )?;
        write!(f, "---- stderr\n{}----", self.stderr)
    }
}
