//! The rules by which every trial is judged.

use crate::bench::{Bench, KILLED, Outcome};
use crate::case::Case;

/// What a condition allows.
pub struct Rules<'a> {
    /// Exit codes.
    pub codes: &'a [i32],
    /// Whether a failure must say why: not where the message itself may have been lost.
    pub says: bool,
}

impl Rules<'_> {
    /// # Errors
    /// The complaint.
    pub fn judge(&self, bench: &Bench, case: &Case, got: &Outcome) -> Result<(), String> {
        let code = got.code;
        match code {
            KILLED => return Err("hangs".to_owned()),
            128.. => return Err(format!("is ended by signal {}", code - 128)),
            127 if got.stderr.contains("error while loading shared libraries") => return Ok(()), // it never began
            _ if !self.codes.contains(&code) => return Err(format!("exit {code}, expected one of {:?}", self.codes)),
            _ => {}
        }
        let said = got.stderr.lines().count();
        let most = case.good.lines + 1; // of a failure, or what is told of a success
        if said > most {
            return Err(format!("{said} lines of message, expected at most {most}"));
        }
        if code != 0 && self.says && !got.stderr.contains(&format!("{}: ", case.tool())) {
            return Err(format!("exit {code} without a message"));
        }
        if code == 0 { complete(case, got) } else { untouched(bench, case, got) }
    }
}

/// Exit 0: every output is that of an undisturbed run.
///
/// # Errors
/// The complaint.
fn complete(case: &Case, got: &Outcome) -> Result<(), String> {
    let good = &case.good;
    for (name, bytes) in &good.files {
        match got.files.get(name) {
            None => return Err(format!("exit 0 without {name}")),
            Some(other) if other != bytes && !embeds(other) => return Err(format!("exit 0 with another {name}")),
            Some(_) => {}
        }
    }
    if let Some(name) = got.files.keys().find(|name| !good.files.contains_key(*name) && !got.stderr.contains(*name)) {
        return Err(format!("exit 0 leaves {name}"));
    }
    let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
    let same = if good.repeats {
        got.stdout == good.stdout || embeds(&got.stdout)
    } else {
        lines(&got.stdout) == lines(&good.stdout)
    };
    if same { Ok(()) } else { Err("exit 0 with another standard output".to_owned()) }
}

/// Whether a stream holds its model: so does one whose model has no path that could be found.
fn embeds(bytes: &[u8]) -> bool {
    let mark = b"\"embedded\":true";
    bytes.windows(mark.len()).any(|window| window == mark)
}

/// A failure: every file is as before. A checkpoint may be new and whole, and so may one of several pictures; and any output
/// where the system refused what comes after it, such as the record of a model.
fn untouched(bench: &Bench, case: &Case, got: &Outcome) -> Result<(), String> {
    const REFUSED: i32 = 74;
    for (name, bytes) in &got.files {
        let new = || (several(case) || got.code == REFUSED) && case.good.files.get(name) == Some(bytes);
        let whole = || new() || is_checkpoint(name) && verifies(bench, name);
        match got.before.get(name) {
            Some(old) if old == bytes => {}
            _ if whole() => {}
            Some(_) => return Err(format!("a failure changes {name}")),
            None => return Err(format!("a failure leaves {name}")),
        }
    }
    match got.before.keys().find(|name| !got.files.contains_key(*name)) {
        Some(name) => Err(format!("a failure removes {name}")),
        None => Ok(()),
    }
}

/// After SIGKILL: every output is the old or the new one, whole.
///
/// # Errors
/// The complaint.
pub fn whole(bench: &Bench, case: &Case, got: &Outcome) -> Result<(), String> {
    for (name, bytes) in got.files.iter().filter(|(name, _)| !is_temporary(name)) {
        let good = case.good.files.get(name) == Some(bytes) || got.before.get(name) == Some(bytes);
        if !(good || is_checkpoint(name) && verifies(bench, name)) {
            return Err(format!("a kill leaves {name}, neither old nor new"));
        }
    }
    match got.before.keys().find(|name| !is_temporary(name) && !got.files.contains_key(*name)) {
        Some(name) => Err(format!("a kill removes {name}")),
        None => Ok(()),
    }
}

/// Whether the name is that of a temporary file, which the next run with the same -o removes.
pub fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".vae-tmp")
}

fn is_checkpoint(name: &str) -> bool {
    name.ends_with("ckpt")
}

/// Whether the command line writes one file for each epoch.
fn several(case: &Case) -> bool {
    case.words.iter().any(|word| word.contains('{'))
}

/// Whether vae-model finds a checkpoint in the working folder whole.
pub fn verifies(bench: &Bench, name: &str) -> bool {
    bench.has(&format!("vae-model verify ./{name}"))
}
