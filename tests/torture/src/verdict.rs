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
        let most = case.good.lines + (code != 0) as usize;
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
            Some(other) if other != bytes => return Err(format!("exit 0 with another {name}")),
            Some(_) => {}
        }
    }
    if let Some(name) = got.files.keys().find(|name| !good.files.contains_key(*name)) {
        return Err(format!("exit 0 leaves {}", pattern(name)));
    }
    let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
    let same = if good.repeats { got.stdout == good.stdout } else { lines(&got.stdout) == lines(&good.stdout) };
    if same { Ok(()) } else { Err("exit 0 with another standard output".to_owned()) }
}

/// A failure: every file is as before; a checkpoint may be new, and so may one of several pictures, if they are whole.
fn untouched(bench: &Bench, case: &Case, got: &Outcome) -> Result<(), String> {
    for (name, bytes) in &got.files {
        let whole = || is_checkpoint(name) && verifies(bench, name) || several(case) && case.good.files.get(name) == Some(bytes);
        match got.before.get(name) {
            Some(old) if old == bytes => {}
            _ if whole() => {}
            Some(_) => return Err(format!("a failure changes {name}")),
            None => return Err(format!("a failure leaves {}", pattern(name))),
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
        if !good && !(is_checkpoint(name) && verifies(bench, name)) {
            return Err(format!("a kill leaves {name}, neither old nor new"));
        }
    }
    match got.before.keys().find(|name| !got.files.contains_key(*name)) {
        Some(name) => Err(format!("a kill removes {name}")),
        None => Ok(()),
    }
}

/// Whether the name is that of a temporary file, which the next run with the same -o removes.
fn is_temporary(name: &str) -> bool {
    name.starts_with('.')
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

/// A name of a temporary file without its random letters, so that faults of one kind count together.
fn pattern(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((stem, _)) if is_temporary(name) => format!("{stem}.XXXXXX"),
        _ => name.to_owned(),
    }
}
