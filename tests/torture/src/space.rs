//! No space on the device: a tmpfs of a few pages, with few inodes, or a limit of the size of files.

use crate::bench::{Bench, files};
use crate::case::Case;
use crate::report::Report;
use crate::verdict::Rules;
use std::fs;
use vae_cli::{Error, Result};

const PAGE: usize = 4096;
/// Sizes of the file system that are tried.
const SIZES: usize = 16;
/// Inodes of the file system that are tried: one for its root, and one for each file.
const INODES: [usize; 4] = [2, 3, 4, 5];

/// Runs the words after the options of mount, the working folder and a folder for its files afterwards, with a tmpfs in place
/// of the working folder.
const ON_TMPFS: &str = "options=$1 work=$2 after=$3; shift 3
    mount -t tmpfs -o \"$options\" none \"$after.mnt\" && cp -a \"$work\"/. \"$after.mnt\" 2> /dev/null &&
    mount --move \"$after.mnt\" \"$work\" && cd \"$work\" || exit 90
    \"$@\"; code=$?; cp -a . \"$after\" || exit 90; exit $code";
/// The exit code where the tmpfs has no space for the files from before.
const NO_SPACE_BEFORE: i32 = 90;

/// All command lines that write files.
///
/// # Errors
/// Those of the bench.
pub fn run(bench: &Bench, cases: &[Case], report: &mut Report) -> Result<()> {
    let can = bench.has("unshare -rm sh -c 'mount -t tmpfs none /mnt'");
    if !can {
        report.skip("a full file system", "there is no `unshare -rm` here that may mount");
    }
    for case in cases.iter().filter(|case| case.writes_files()) {
        for size in [0, 1, 10, 100, 500, 511, 512, 1000, 1500, 4095, 4096, 8192, 16384] {
            limit(bench, case, size, report)?;
        }
        if can {
            let pages = case.good.files.values().map(|bytes| bytes.len().div_ceil(PAGE)).sum::<usize>() * 2 + 4;
            for size in (1..=pages).step_by(pages.div_ceil(SIZES)) {
                tmpfs(bench, case, &format!("size={}k", size * PAGE / 1024), report)?;
            }
            for inodes in INODES {
                tmpfs(bench, case, &format!("nr_inodes={inodes}"), report)?;
            }
        }
    }
    Ok(())
}

/// With RLIMIT_FSIZE.
fn limit(bench: &Bench, case: &Case, size: usize, report: &mut Report) -> Result<()> {
    let option = format!("--fsize={size}");
    let got = bench.run(case, &["prlimit", &option])?;
    let verdict = Rules { codes: &[0, 74], says: true }.judge(bench, case, &got);
    let example = || format!("prlimit {option} {}\n{}", case.line, got.stderr.trim_end());
    report.count("a limit of the size of files (ulimit -f)", &case.line, verdict, example);
    Ok(())
}

/// With a tmpfs as working folder.
fn tmpfs(bench: &Bench, case: &Case, options: &str, report: &mut Report) -> Result<()> {
    let failed = |e| Error::io("cannot prepare a folder", e);
    let [work, after, mount] = ["work", "after", "after.mnt"].map(|name| bench.path(name).display().to_string());
    for folder in [&after, &mount] {
        let _ = fs::remove_dir_all(folder); // of an earlier trial
        fs::create_dir(folder).map_err(failed)?;
    }
    let mut got = bench.run(case, &["unshare", "-rm", "sh", "-c", ON_TMPFS, "sh", options, &work, &after])?;
    if got.code == NO_SPACE_BEFORE {
        return Ok(());
    }
    got.files = files(after.as_ref())?;
    for (name, bytes) in &got.files {
        fs::write(bench.work().join(name), bytes).map_err(failed)?; // where checkpoints are verified
    }
    let verdict = Rules { codes: &[0, 74], says: true }.judge(bench, case, &got);
    let example = || format!("on a tmpfs with {options}: {}\n{}", case.line, got.stderr.trim_end());
    report.count("a full file system", &case.line, verdict, example);
    Ok(())
}
