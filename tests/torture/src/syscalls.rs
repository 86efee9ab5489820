//! System calls that fail, by `strace -e inject`.

use crate::bench::{Bench, Outcome};
use crate::case::Case;
use crate::report::Report;
use crate::verdict::{self, Rules};
use std::collections::BTreeMap;
use vae_cli::Result;

/// The errors that a system call can end with. Not here: brk, which tells a failure otherwise than strace does, and futex, of
/// which a failed wake would lose what no kernel loses.
const ERRORS: [(&str, &[&str]); 45] = [
    ("accept4", &["EINTR", "EMFILE", "ECONNABORTED"]),
    ("access", &["EACCES"]),
    ("bind", &["EADDRINUSE", "EACCES"]),
    ("clone", &["EAGAIN", "ENOMEM"]),
    ("clone3", &["EAGAIN", "ENOMEM"]),
    ("close", &["EINTR", "EIO"]),
    ("dup2", &["EINTR", "EMFILE"]),
    ("dup3", &["EINTR", "EMFILE"]),
    ("epoll_create1", &["EMFILE"]),
    ("epoll_ctl", &["ENOMEM"]),
    ("epoll_wait", &["EINTR"]),
    ("eventfd2", &["EMFILE"]),
    ("fallocate", &["EINTR", "ENOSPC", "EOPNOTSUPP"]),
    ("fchmod", &["EPERM", "EIO"]),
    ("fchown", &["EPERM", "EIO"]),
    ("fcntl", &["EMFILE", "EINVAL"]),
    ("fdatasync", &["EINTR", "EIO", "ENOSPC"]),
    ("flock", &["EINTR", "ENOLCK", "EAGAIN"]),
    ("fstat", &["EIO", "ENOMEM", "ESTALE"]),
    ("fsync", &["EINTR", "EIO", "ENOSPC"]),
    ("ftruncate", &["EINTR", "EIO", "ENOSPC"]),
    ("getcwd", &["ENOENT", "EACCES"]),
    ("getdents64", &["EIO"]),
    ("getrandom", &["EINTR"]),
    ("ioctl", &["EIO", "ENOTTY"]),
    ("linkat", &["EIO", "ENOSPC", "EACCES", "EEXIST"]),
    ("listen", &["EADDRINUSE"]),
    ("lseek", &["EIO", "ESPIPE"]),
    ("madvise", &["ENOMEM", "EINVAL"]),
    ("mmap", &["ENOMEM"]),
    ("mprotect", &["ENOMEM"]),
    ("mremap", &["ENOMEM"]),
    ("newfstatat", &["EIO", "EACCES", "ENOMEM", "ESTALE"]),
    ("openat", &["EINTR", "EIO", "EACCES", "EMFILE", "ENOMEM", "ESTALE"]),
    ("poll", &["EINTR", "ENOMEM"]),
    ("pread64", &["EINTR", "EIO", "ESTALE"]),
    ("read", &["EINTR", "EIO", "EAGAIN", "ESTALE"]),
    ("readlink", &["EIO", "EACCES"]),
    ("rename", &["EIO", "EACCES", "ENOSPC", "EBUSY"]),
    ("renameat", &["EIO", "EACCES", "ENOSPC", "EBUSY"]),
    ("socket", &["EMFILE", "ENOMEM"]),
    ("statx", &["EIO", "EACCES", "ENOMEM", "ESTALE"]),
    ("unlink", &["EIO", "EACCES"]),
    ("unlinkat", &["EIO", "EACCES"]),
    ("write", &["EINTR", "EIO", "EAGAIN", "ENOSPC", "EDQUOT"]),
];
/// Calls of one name that fail, one in each trial.
const OF_A_NAME: usize = 6;
/// The first reads of an input that fail.
const READS: usize = 3;

/// The system calls of one name that a program makes.
pub struct Calls {
    pub name: String,
    /// Those of the loader and of Rust's runtime, before `main`.
    loader: usize,
    /// Of the thread that makes most.
    last: usize,
}

impl Calls {
    /// Numbers of at most `most` calls: the first half, the last one, and random ones between.
    pub fn some(&self, bench: &Bench, most: usize) -> Vec<usize> {
        let all: Vec<usize> = (self.loader + 1..=self.last).collect();
        if all.len() <= most {
            return all;
        }
        let (first, rest) = all.split_at(most / 2);
        let random = (first.len()..most - 1).map(|_| rest[bench.below(rest.len() - 1)]);
        let mut some: Vec<usize> = first.iter().copied().chain(random).chain(rest.last().copied()).collect();
        some.sort_unstable();
        some.dedup();
        some
    }
}

/// A fault at a system call.
pub struct Inject<'a> {
    pub call: &'a str,
    /// `error=EIO` or `signal=KILL`.
    pub what: &'a str,
    /// The number of the call in its thread, counted from 1; with + also all later ones.
    pub at: String,
    /// Only calls on this input count.
    pub path: Option<&'a str>,
}

impl Inject<'_> {
    /// Runs a command line with it; nothing where the call was not made this time.
    ///
    /// # Errors
    /// Those of the bench.
    pub fn run(&self, bench: &Bench, case: &Case) -> Result<Option<Outcome>> {
        let log = bench.path("strace").display().to_string();
        let [trace, inject] = [format!("trace={}", self.call), self.inject()];
        let path = self.path.map(|name| bench.path(name).display().to_string());
        let mut prefix = vec!["strace", "-f", "-qq", "-o", &log, "-e", &trace, "-e", &inject];
        if let Some(path) = &path {
            prefix.extend(["-P", path]);
        }
        let got = bench.run(case, &prefix)?;
        let log = String::from_utf8_lossy(&bench.read("strace")?).into_owned();
        let met = log.contains("(INJECTED)") || log.contains("killed by SIGKILL");
        Ok(met.then(|| Outcome { code: if self.what == "signal=KILL" { 0 } else { got.code }, ..got }))
    }

    fn inject(&self) -> String {
        format!("inject={}:{}:when={}", self.call, self.what, self.at)
    }

    /// As a shell would have it.
    pub fn line(&self, case: &Case) -> String {
        let path = self.path.map(|name| format!("-P $(realpath ../{name}) ")).unwrap_or_default();
        format!("strace -f -o log {path}-e {} {}", self.inject(), case.line)
    }
}

/// Whether there is an strace that may trace; says if not.
pub fn can(bench: &Bench, condition: &str, report: &Report) -> bool {
    let can = bench.has("strace -f -o /dev/null -e inject=read:error=EINTR:when=100 true");
    if !can {
        report.skip(condition, "there is no strace that may trace (apt-get install strace)");
    }
    can
}

/// The system calls of an undisturbed run, by name.
///
/// # Errors
/// Those of the bench.
pub fn trace(bench: &Bench, case: &Case) -> Result<Vec<Calls>> {
    let log = bench.path("strace").display().to_string();
    bench.run(case, &["strace", "-f", "-qq", "-o", &log])?;
    let log = String::from_utf8_lossy(&bench.read("strace")?).into_owned();
    Ok(count(&log))
}

/// The calls in a log of `strace -f`. Rust's runtime sets a handler of SIGBUS right before `main`.
fn count(log: &str) -> Vec<Calls> {
    let calls: Vec<(&str, &str)> = log
        .lines()
        .filter_map(|line| {
            let (process, call) = line.split_once(' ')?;
            let (name, _) = call.trim_start().split_once('(')?;
            name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_').then_some((process, name))
        })
        .collect();
    let main = log.lines().filter(|line| line.contains('(')).position(|line| line.contains("rt_sigaction(SIGBUS, {"));
    let mut numbers: BTreeMap<&str, (usize, BTreeMap<&str, usize>)> = BTreeMap::new();
    for (at, (process, name)) in calls.iter().enumerate() {
        let (loader, by_process) = numbers.entry(name).or_default();
        *by_process.entry(process).or_default() += 1;
        *loader += main.is_some_and(|main| at <= main) as usize;
    }
    let calls = numbers.into_iter().map(|(name, (loader, by_process))| {
        let last = by_process.into_values().max().unwrap_or_default();
        Calls { name: name.to_owned(), loader, last }
    });
    calls.collect()
}

/// All faults of all command lines.
///
/// # Errors
/// Those of the bench.
pub fn run(bench: &Bench, cases: &[Case], report: &mut Report) -> Result<()> {
    if !can(bench, "a system call fails", report) {
        return Ok(());
    }
    for case in cases {
        for calls in trace(bench, case)? {
            let Some((_, errors)) = ERRORS.iter().find(|(name, _)| *name == calls.name) else { continue };
            for at in calls.some(bench, OF_A_NAME) {
                for error in *errors {
                    fault(bench, case, [&calls.name, error], at.to_string(), None, report)?;
                }
                if errors.contains(&"EIO") {
                    fault(bench, case, [&calls.name, "EIO"], format!("{at}+"), None, report)?;
                }
            }
        }
        // Threads that read: their first calls have the numbers of those of the loader.
        for input in case.inputs() {
            for at in 1..=READS {
                for error in ["EINTR", "EIO", "EAGAIN"] {
                    fault(bench, case, ["read", error], at.to_string(), Some(input), report)?;
                }
            }
        }
    }
    Ok(())
}

fn fault(
    bench: &Bench,
    case: &Case,
    [call, error]: [&str; 2],
    at: String,
    path: Option<&str>,
    report: &mut Report,
) -> Result<()> {
    let what = format!("error={error}");
    let inject = Inject { call, what: &what, at, path };
    let Some(mut got) = inject.run(bench, case)? else { return Ok(()) };
    if call == "unlink" {
        got.files.retain(|name, _| !verdict::is_temporary(name)); // which could not be removed
    }
    let codes: &[i32] = if ["EINTR", "EEXIST"].contains(&error) { &[0] } else { &[0, 69, 74] };
    let verdict = Rules { codes, says: call != "write" }.judge(bench, case, &got);
    let condition = format!("a system call fails with {error}");
    let example = || format!("{}\n{}", inject.line(case), got.stderr.trim_end());
    report.count(&condition, &format!("{} ({call})", case.line), verdict, example);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_from_main_on_by_thread() {
        let log = "7 read(3, \"\", 1) = 0\n7 rt_sigaction(SIGBUS, {sa_handler=0}) = 0\n7 read(0, \"\", 1) = 0\n\
                   8 read(0,  <unfinished ...>\n8 <... read resumed>\"\", 1) = 0\n7 +++ exited with 0 +++\n";
        let calls = count(log);
        let read = calls.iter().find(|calls| calls.name == "read").expect("reads");
        assert_eq!((read.loader, read.last), (1, 2));
    }
}
