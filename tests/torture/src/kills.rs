//! SIGKILL: training runs that are killed and resumed, and outputs that are killed while they are written.

use crate::bench::{Bench, KILLED, Outcome, code, files};
use crate::case::Case;
use crate::report::Report;
use crate::syscalls::{self, Inject};
use crate::verdict::{self, Rules};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};
use vae_cli::{Error, Result};

/// Runs of tens of milliseconds that write checkpoints: after each epoch, within epochs, with images, of a convolution.
const TRAININGS: [&str; 4] = [
    "vae-train --hidden 16 --latent 2 --epochs 12 --batch 20 ../digits.vae --checkpoint run.ckpt --resume -o out",
    "vae-train --hidden 16 --latent 2 --epochs 5 --batch 10 --every 4 ../digits.vae --checkpoint run.ckpt --resume -o out",
    "vae-train --hidden 16 --latent 2 --epochs 8 --test ../digits.vae --preview 2 ../digits.vae --checkpoint run.ckpt --resume -o out",
    "vae-train --preset conv-20 --latent 2 --epochs 4 ../digits.vae --checkpoint run.ckpt --resume -o out",
];
/// Kills in a row before a training run is left alone.
const IN_A_ROW: usize = 5;
/// System calls that touch files: a program is killed as it enters them.
const CALLS: [&str; 16] = [
    "openat",
    "write",
    "writev",
    "fsync",
    "fdatasync",
    "linkat",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "close",
    "fchmod",
    "fchown",
    "ftruncate",
    "flock",
];
/// System calls of one name at which a program is killed.
const OF_A_NAME: usize = 12;

/// All kills.
///
/// # Errors
/// Those of the bench.
pub fn run(bench: &Bench, cases: &[Case], kills: usize, report: &mut Report) -> Result<()> {
    if cases.iter().any(|case| case.tool() == "vae-train") {
        for line in TRAININGS {
            training(bench, &Case::measured(bench, line)?, kills / TRAININGS.len(), report)?;
        }
    }
    for case in cases.iter().filter(|case| case.writes_files()) {
        outputs(bench, case, kills / 10, report)?;
        at_calls(bench, case, report)?;
    }
    Ok(())
}

/// Kills a training run so often, each time at a random moment of an unbroken run, and lets it end now and then.
fn training(bench: &Bench, case: &Case, kills: usize, report: &mut Report) -> Result<()> {
    let whole = time(bench, case)?;
    let mut killed = 0;
    while killed < kills {
        bench.prepare_with(case, false)?;
        for _ in 0..1 + bench.below(IN_A_ROW) {
            let got = kill(bench, case, whole)?;
            if got.code != KILLED {
                break;
            }
            killed += 1;
            let verdict = verdict::whole(bench, case, &got);
            report
                .count("SIGKILL of a training run: old or new files, whole", &case.line, verdict, || "SIGKILL".into());
        }
        again(bench, case, "a killed training run, resumed: the bytes of an unbroken one", report)?;
    }
    Ok(())
}

/// Kills another command line at random moments.
fn outputs(bench: &Bench, case: &Case, kills: usize, report: &mut Report) -> Result<()> {
    let whole = time(bench, case)?;
    for _ in 0..kills {
        bench.prepare(case)?;
        let got = kill(bench, case, whole)?;
        if got.code == KILLED {
            let verdict = verdict::whole(bench, case, &got);
            report
                .count("SIGKILL while -o is written: old or new file, whole", &case.line, verdict, || "SIGKILL".into());
            again(bench, case, "the next run with the same -o: success, nothing left over", report)?;
        }
    }
    Ok(())
}

/// Kills a command line at each of its system calls that touch files.
fn at_calls(bench: &Bench, case: &Case, report: &mut Report) -> Result<()> {
    let condition = "SIGKILL at a system call: old or new file, whole";
    if !syscalls::can(bench, condition, report) {
        return Ok(());
    }
    for calls in syscalls::trace(bench, case)?.iter().filter(|calls| CALLS.contains(&calls.name.as_str())) {
        for at in calls.some(bench, OF_A_NAME) {
            let inject = Inject { call: &calls.name, what: "signal=KILL", at: at.to_string(), path: None };
            let Some(got) = inject.run(bench, case)? else { continue };
            let verdict = verdict::whole(bench, case, &got);
            report.count(condition, &case.line, verdict, || inject.line(case));
            again(bench, case, "the next run with the same -o: success, nothing left over", report)?;
        }
    }
    Ok(())
}

/// Runs what was killed once more, in the same folder.
fn again(bench: &Bench, case: &Case, condition: &str, report: &mut Report) -> Result<()> {
    let left: Vec<String> = files(&bench.work())?.into_keys().collect();
    let got = bench.run_again(case, &[], |_| {})?;
    // A checkpoint that was found is told, in a line, and a resumed run writes the records of what was left of it.
    let resumed = case.tool() == "vae-train";
    let stdout = if resumed { case.good.stdout.clone() } else { got.stdout };
    let told = Outcome { stderr: got.stderr.lines().skip(resumed as usize).collect(), stdout, ..got };
    let verdict = Rules { codes: &[0], says: false }.judge(bench, case, &told);
    report.count(condition, &case.line, verdict, || format!("after a kill that left {left:?}"));
    Ok(())
}

/// Starts a command line and kills it at a random moment within `whole`.
fn kill(bench: &Bench, case: &Case, whole: Duration) -> Result<Outcome> {
    let before = files(&bench.work())?;
    let moment = whole.mul_f64(bench.random.borrow_mut().f64());
    let mut child = spawn(bench, case)?;
    sleep(moment);
    let failed = |e| Error::io("cannot kill a program", e);
    child.kill().map_err(failed)?;
    let code = code(child.wait().map_err(failed)?);
    Ok(Outcome { code, stdout: vec![], stderr: String::new(), before, files: files(&bench.work())? })
}

/// How long an undisturbed run takes: the longest of three.
fn time(bench: &Bench, case: &Case) -> Result<Duration> {
    let mut longest = Duration::ZERO;
    for _ in 0..3 {
        bench.prepare_with(case, false)?;
        let begun = Instant::now();
        spawn(bench, case)?.wait().map_err(|e| Error::io("cannot wait for a program", e))?;
        longest = longest.max(begun.elapsed());
    }
    Ok(longest)
}

fn spawn(bench: &Bench, case: &Case) -> Result<std::process::Child> {
    let words = bench.words(case);
    let mut command = bench.command(&words[0]);
    command.args(&words[1..]).stdin(bench.stdin(case)?).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map_err(|e| Error::io(format!("cannot run {}", words[0]), e))
}
