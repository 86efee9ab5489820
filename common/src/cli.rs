//! What every program does around its story: parse, run, say once what went wrong, and tell the shell.

use std::fs::File;
use std::io::{Write, stderr};
use std::num::NonZeroUsize;
use std::os::unix::fs::FileTypeExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

use crate::{Error, Result, fd, input, manual};

/// The exit code of a bug, after `sysexits.h`.
const BUG: u8 = 70;

static TOOL: OnceLock<String> = OnceLock::new();

/// Parses the command line, runs the program, prints `tool: message` once if it failed, and gives the exit code.
///
/// A reader that has closed the pipe is success; a failure that the stream passes on is silent. A panic is a bug of
/// ours: one line and exit 70.
pub fn main<A: clap::Parser>(run: impl FnOnce(A) -> Result<()>) -> ExitCode {
    let tool = TOOL.get_or_init(|| A::command().get_name().to_owned());
    if let Some(folder) = std::env::var_os(manual::VARIABLE).filter(|folder| !folder.is_empty()) {
        return match manual::write(A::command(), Path::new(&folder)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => {
                say(tool, &e.to_string());
                ExitCode::from(e.exit_code())
            }
        };
    }
    let args = match A::try_parse() {
        Ok(args) => args,
        Err(e) if !e.use_stderr() => {
            let _ = e.print(); // help or version
            return ExitCode::SUCCESS;
        }
        Err(e) => {
            let text = e.render().to_string();
            say(tool, text.strip_prefix("error: ").unwrap_or(&text).trim_end());
            return ExitCode::from(Error::Usage(String::new()).exit_code());
        }
    };
    panic::set_hook(Box::new(|panic| {
        say(tool_name(), &one_line(&format!("this is a bug, please report it: {panic}")));
    }));
    match panic::catch_unwind(AssertUnwindSafe(|| run(args))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(e)) => {
            if !matches!(e, Error::Closed | Error::Relayed) {
                say(tool, &one_line(&e.to_string()));
            }
            ExitCode::from(e.exit_code())
        }
        Err(_) => ExitCode::from(BUG),
    }
}

/// The name of the running program, for messages, the history of a stream and its error frames.
pub fn tool_name() -> &'static str {
    TOOL.get_or_init(|| {
        let program = std::env::args_os().next().unwrap_or_default();
        Path::new(&program).file_stem().unwrap_or_default().to_string_lossy().into_owned()
    })
}

/// Text that may come from a stream of anyone, as one line that does nothing to a terminal.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => line.push(' '),
            c if c.is_control() => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    line
}

/// Says something that is no failure, on standard error.
pub fn tell(message: &str) {
    say(tool_name(), message);
}

fn say(tool: &str, message: &str) {
    tell_line(&format!("{tool}: {message}"));
}

/// Writes one line on standard error in one piece: the stages of a pipe share it, and pieces would mix.
pub fn tell_line(line: &str) {
    let _ = stderr().write_all(format!("{line}\n").as_bytes()); // where it fails, nobody can be told
}

/// The input of a filter.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct InputArgs {
    /// What to read: a stream, .npy or newline JSON; standard input if absent or -
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

impl InputArgs {
    /// Opens it as bytes; [`Reader::open`](crate::stream::Reader::open) makes frames of them.
    ///
    /// # Errors
    /// As [`input::open`].
    pub fn open(&self) -> Result<(File, String)> {
        input::open(self.file.as_deref())
    }
}

/// Whether standard input is a pipe, or a file with something in it: not a terminal, nor `/dev/null`.
pub fn stdin_holds_something() -> bool {
    let kind = fd::stdin().and_then(|stdin| stdin.metadata());
    kind.is_ok_and(|m| m.file_type().is_fifo() || m.len() > 0)
}

/// How many threads compute.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub struct ThreadArgs {
    /// Threads to compute with; the result is the same for any number [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl ThreadArgs {
    /// The number asked for, or one for each core.
    pub fn count(self) -> usize {
        let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.threads.unwrap_or_else(cores).get()
    }
}

/// Parses a number of items in a frame, from 1 to 65536.
///
/// # Errors
/// What was expected, for anything else.
pub fn batch(text: &str) -> std::result::Result<usize, String> {
    text.parse().ok().filter(|n| (1..=1 << 16).contains(n)).ok_or_else(|| "expected 1 to 65536".to_owned())
}

/// The output of a filter, in one of three forms.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct OutputArgs {
    /// Write to FILE, which appears only when all went well; standard output if absent or -
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write one tensor of the stream as a single .npy, once the whole stream has proved good
    #[arg(long, value_name = "NAME", conflicts_with = "jsonl")]
    pub npy: Option<String>,
    /// Write newline JSON, one item per line
    #[arg(long)]
    pub jsonl: bool,
}
