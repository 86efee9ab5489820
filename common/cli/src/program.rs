//! The main function of every program: parse, run, print an error once, exit.

use std::io::{Write, stderr};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use clap::error::{ContextKind, ContextValue};
use signal_hook::{consts::SIGXFSZ, flag};
use vae_stream::one_line;

use crate::fd::Blocking;
use crate::{Error, Result, manual};

/// The exit code of a bug, after `sysexits.h`.
const BUG: u8 = 70;

static TOOL: OnceLock<String> = OnceLock::new();

/// Parses the command line, runs the program, prints `tool: message` once if it failed, and gives the exit code.
///
/// A closed output is success; an error that an error frame passed on is silent. A panic is a bug: one line, and exit 70.
pub fn main<A: clap::Parser>(run: impl FnOnce(A) -> Result<()>) -> ExitCode {
    let tool = TOOL.get_or_init(|| A::command().get_name().to_owned());
    // A file beyond its limit (ulimit -f) is then a failed write, and not the end of the program.
    let _ = flag::register(SIGXFSZ, Arc::default());
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
            let tip = tip_of_equals(&A::command(), &e);
            say(tool, &format!("{}{tip}", text.strip_prefix("error: ").unwrap_or(&text).trim_end()));
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

/// What to write of an argument that was meant as the value of the option before it, which takes one after `=` alone.
fn tip_of_equals(command: &clap::Command, error: &clap::Error) -> String {
    let Some(ContextValue::String(stranger)) = error.get(ContextKind::InvalidArg) else { return String::new() };
    let args: Vec<_> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let before = args.windows(2).find(|pair| pair[1] == *stranger).and_then(|pair| pair[0].strip_prefix("--"));
    let commands = std::iter::once(command).chain(command.get_subcommands());
    let option =
        commands.flat_map(clap::Command::get_arguments).find(|arg| arg.get_long() == before && before.is_some());
    match option.and_then(|arg| arg.get_long().filter(|_| arg.is_require_equals_set())) {
        Some(long) => format!("\n\n  tip: the value of --{long} follows an equals sign: --{long}={stranger}"),
        None => String::new(),
    }
}

/// The name of the running program, for messages, the history of a stream and its error frames.
pub fn tool_name() -> &'static str {
    TOOL.get_or_init(|| {
        let program = std::env::args_os().next().unwrap_or_default();
        Path::new(&program).file_stem().unwrap_or_default().to_string_lossy().into_owned()
    })
}

/// The same, of a program that has come far enough to know it; without an allocation.
pub(crate) fn known_name() -> &'static str {
    TOOL.get().map_or("vae", String::as_str)
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
    let _ = Blocking(stderr()).write_all(format!("{line}\n").as_bytes()); // no place is left to report a failure
}
