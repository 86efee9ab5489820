//! Limits of the process, and an odd environment.

use crate::bench::Bench;
use crate::case::Case;
use crate::report::Report;
use crate::verdict::Rules;
use std::os::unix::fs::PermissionsExt;
use vae_cli::{Error, Result};

/// Descriptors: the loader needs four.
const FILES: [usize; 12] = [4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 20];
/// MiB of addresses.
const ADDRESSES: [usize; 16] = [6, 8, 9, 10, 11, 12, 14, 16, 20, 24, 32, 48, 64, 96, 128, 256];
/// KiB of stack.
const STACKS: [usize; 4] = [128, 256, 1024, 4096];
/// Threads of a user.
const THREADS: [usize; 5] = [1, 2, 3, 4, 6];
/// A user whose threads are counted: those of root are not.
const USER: u32 = 54321;

/// All limits.
///
/// # Errors
/// Those of the bench.
pub fn run(bench: &Bench, cases: &[Case], report: &mut Report) -> Result<()> {
    let user = open_folder(bench)?;
    for case in cases {
        for files in FILES {
            limit(bench, case, &[&format!("--nofile={files}")], "few descriptors (ulimit -n)", report)?;
        }
        for size in ADDRESSES {
            limit(bench, case, &[&format!("--as={}", size << 20)], "little memory (ulimit -v)", report)?;
        }
        for size in STACKS {
            limit(bench, case, &[&format!("--stack={}", size << 10)], "a small stack (ulimit -s)", report)?;
        }
        if user {
            for threads in THREADS {
                let (threads, user) = (format!("--nproc={threads}"), format!("--reuid={USER}"));
                limit(bench, case, &[&threads, "setpriv", &user, "--clear-groups"], "few threads (ulimit -u)", report)?;
            }
        }
        environment(bench, case, report)?;
    }
    if !user {
        report.skip("few threads (ulimit -u)", "only root can become a user without other threads");
    }
    Ok(())
}

/// Lets [`USER`] work in the folder; whether this program may become that user.
fn open_folder(bench: &Bench) -> Result<bool> {
    for name in ["", "work"] {
        let all = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(bench.path(name), all).map_err(|e| Error::io("cannot open the folder to all", e))?;
    }
    Ok(bench.has(&format!("setpriv --reuid={USER} --clear-groups test -w .")))
}

/// With options of prlimit.
fn limit(bench: &Bench, case: &Case, options: &[&str], condition: &str, report: &mut Report) -> Result<()> {
    let prefix = [&["prlimit"], options].concat();
    let version = Case::new(&format!("{} --version", case.tool()));
    if bench.run(&version, &prefix)?.code != 0 {
        return Ok(()); // the system cannot even load the program
    }
    let got = bench.run(case, &prefix)?;
    let verdict = Rules { codes: &[0, 69, 74], says: true }.judge(bench, case, &got);
    let example = || format!("{} {}\n{}", prefix.join(" "), case.line, got.stderr.trim_end());
    report.count(condition, &case.line, verdict, example);
    Ok(())
}

/// No variables, and a TMPDIR that is not there, is a file, or may not be written.
fn environment(bench: &Bench, case: &Case, report: &mut Report) -> Result<()> {
    for setting in ["TMPDIR=/nonexistent", "TMPDIR=/dev/null", "TMPDIR=/proc", "TMPDIR=", "LC_ALL=xx_XX", "TERM="] {
        let got = bench.run(case, &["env", setting])?;
        let codes: &[i32] = if setting.starts_with("TMPDIR=/") { &[0, 74] } else { &[0] };
        let verdict = Rules { codes, says: true }.judge(bench, case, &got);
        let example = || format!("{setting} {}\n{}", case.line, got.stderr.trim_end());
        report.count("TMPDIR that cannot be used, and other variables", &case.line, verdict, example);
    }
    let got = bench.run(case, &["env", "-i", "VAE_DEVICE=cpu"])?;
    let verdict = Rules { codes: &[0], says: true }.judge(bench, case, &got);
    let example = || format!("env -i {}\n{}", case.line, got.stderr.trim_end());
    report.count("no variables", &case.line, verdict, example);
    Ok(())
}
