//! The main function of every program: parse, run, print an error once, exit.

use std::io::{Write, stderr};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::ExitCode;
use std::sync::OnceLock;

use vae_stream::one_line;

use crate::{Error, Result, manual};

/// The exit code of a bug, after `sysexits.h`.
const BUG: u8 = 70;

static TOOL: OnceLock<String> = OnceLock::new();

/// Parses the command line, runs the program, prints `tool: message` once if it failed, and gives the exit code.
///
/// A closed output is success; an error that an error frame passed on is silent. A panic is a bug: one line, and exit 70.
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

/// Prints `tool: message` on standard error, where it is no error.
pub fn tell(message: &str) {
    say(tool_name(), &one_line(message));
}

fn say(tool: &str, message: &str) {
    tell_line(&format!("{tool}: {message}"));
}

/// Prints a line on standard error in a single write: the stages of a pipe share it, and parts of lines would mix.
pub fn tell_line(line: &str) {
    let _ = stderr().write_all(format!("{line}\n").as_bytes()); // no place is left to report a failure
}
