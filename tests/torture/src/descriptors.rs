//! Standard files that are closed, folders, full, non-blocking, or the same.

use crate::bench::{Bench, Outcome, code, files};
use crate::case::Case;
use crate::report::Report;
use crate::verdict::Rules;
use rustix::pipe::{PipeFlags, pipe_with};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::thread::{self, sleep};
use std::time::Duration;
use vae_cli::{Error, Result};

/// All odd descriptors.
///
/// # Errors
/// Those of the bench.
pub fn run(bench: &Bench, cases: &[Case], report: &mut Report) -> Result<()> {
    for case in cases {
        closed(bench, case, report)?;
        let any: &[i32] = &[0, 65, 74];
        redirected(bench, case, "< .", "standard input is a folder", any, report)?;
        let full: &[i32] = if case.good.stdout.is_empty() { &[0] } else { &[74] };
        redirected(bench, case, "> /dev/full", "standard output is full", full, report)?;
        redirected(bench, case, "2> /dev/full", "standard error is full", &[0], report)?;
        if case.stdin.is_some() {
            non_blocking(bench, case, report)?;
            socket(bench, case, report)?;
            appended(bench, case, report)?;
        }
    }
    Ok(())
}

/// Every combination of 0, 1 and 2.
fn closed(bench: &Bench, case: &Case, report: &mut Report) -> Result<()> {
    for set in 1..8 {
        let [stdin, stdout, stderr] = [0, 1, 2].map(|descriptor| set & (1 << descriptor) != 0);
        let words = [(stdin, "<&-"), (stdout, ">&-"), (stderr, "2>&-")];
        let redirections: Vec<&str> = words.into_iter().filter_map(|(closed, word)| closed.then_some(word)).collect();
        let codes: &[i32] = match () {
            () if stdin && case.stdin.is_some() => &[65, 74],
            () if stdout && !case.good.stdout.is_empty() => &[74],
            () => &[0],
        };
        let words = redirections.join(" ");
        redirected(bench, case, &words, "standard files are closed", codes, report)?;
    }
    Ok(())
}

/// With redirections of the shell.
fn redirected(
    bench: &Bench,
    case: &Case,
    words: &str,
    condition: &str,
    codes: &[i32],
    report: &mut Report,
) -> Result<()> {
    let script = format!("exec \"$@\" {words}");
    let got = bench.run(case, &["sh", "-c", &script, "sh"])?;
    let says = !words.contains("2>");
    let verdict = Rules { codes, says }.judge(bench, case, &got);
    let example = || format!("{} {words}\n{}", case.line, got.stderr.trim_end());
    report.count(condition, &case.line, verdict, example);
    Ok(())
}

/// Both are pipes with O_NONBLOCK, and the other sides are slow.
fn non_blocking(bench: &Bench, case: &Case, report: &mut Report) -> Result<()> {
    let failed = |e: rustix::io::Errno| Error::io("cannot make a pipe", e.into());
    let pipe = || pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).map_err(failed);
    let [(stdin, feed), (drain, stdout)] = [pipe()?, pipe()?];
    let blocking = |end: OwnedFd| rustix::fs::fcntl_setfl(&end, rustix::fs::OFlags::empty()).map(|()| File::from(end));
    let (feed, drain) = (blocking(feed).map_err(failed)?, blocking(drain).map_err(failed)?);
    let got = talk(bench, case, [stdin.into(), stdout.into()], feed, drain)?;
    judge(bench, case, "pipes that do not block (O_NONBLOCK)", got, report);
    Ok(())
}

/// Both are the same socket.
fn socket(bench: &Bench, case: &Case, report: &mut Report) -> Result<()> {
    let failed = |e| Error::io("cannot make a socket", e);
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    let files = [OwnedFd::from(theirs.try_clone().map_err(failed)?).into(), OwnedFd::from(theirs).into()];
    let feed = Feed(ours.try_clone().map_err(failed)?);
    let got = talk(bench, case, files, feed, ours)?;
    judge(bench, case, "standard input and output are one socket", got, report);
    Ok(())
}

/// Standard output is appended to the input.
fn appended(bench: &Bench, case: &Case, report: &mut Report) -> Result<()> {
    let Some(input) = case.stdin.as_deref() else { return Ok(()) };
    let own = bench.path("own").display().to_string();
    fs::copy(bench.work().join(input), &own).map_err(|e| Error::io("cannot copy an input", e))?;
    let before = bench.read("own")?;
    let script = "own=$1; shift; exec \"$@\" < \"$own\" >> \"$own\"";
    let mut got = bench.run(case, &["prlimit", "--fsize=1000000", "sh", "-c", script, "sh", &own])?;
    let after = bench.read("own")?;
    got.stdout = after.strip_prefix(&before[..]).unwrap_or(b"the input was changed").to_vec();
    let verdict = Rules { codes: &[0, 2, 65, 74], says: true }.judge(bench, case, &got);
    let example = || format!("{} >> the input\n{}", case.line, got.stderr.trim_end());
    report.count("standard output is appended to the input", &case.line, verdict, example);
    Ok(())
}

/// The writing half of a socket, which says at its end that nothing more comes.
struct Feed(UnixStream);

impl Write for Feed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let _ = self.0.shutdown(Shutdown::Write); // the program may have gone
    }
}

/// Runs a command line with these standard files, feeds it its input in two halves, and reads what it writes.
fn talk(
    bench: &Bench,
    case: &Case,
    [stdin, stdout]: [Stdio; 2],
    mut feed: impl Write + Send + 'static,
    mut drain: impl Read + Send + 'static,
) -> Result<Outcome> {
    const PAUSE: Duration = Duration::from_millis(30);
    let input = bench.read(case.inputs().next().unwrap_or_default())?;
    bench.prepare(case)?;
    let before = files(&bench.work())?;
    let mut command: Command = bench.command("timeout");
    command.args(["-s", "KILL", "20"]).args(bench.words(case));
    command.stdin(stdin).stdout(stdout).stderr(Stdio::piped());
    let failed = |e| Error::io("cannot run timeout", e);
    let child = command.spawn().map_err(failed)?;
    drop(command); // and with it our copies of its files
    let feeder = thread::spawn(move || {
        let (first, second) = input.split_at(input.len() / 2);
        for half in [first, second] {
            sleep(PAUSE);
            let _ = feed.write_all(half); // the program may have gone
        }
    });
    let reader = thread::spawn(move || {
        sleep(3 * PAUSE);
        let mut bytes = vec![];
        let _ = drain.read_to_end(&mut bytes); // what has come is judged
        bytes
    });
    let output = child.wait_with_output().map_err(failed)?;
    let _ = feeder.join();
    let stdout = reader.join().unwrap_or_default();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(Outcome { code: code(output.status), stdout, stderr, before, files: files(&bench.work())? })
}

fn judge(bench: &Bench, case: &Case, condition: &str, got: Outcome, report: &mut Report) {
    let verdict = Rules { codes: &[0], says: true }.judge(bench, case, &got);
    report.count(condition, &case.line, verdict, || format!("{}\n{}", case.line, got.stderr.trim_end()));
}
