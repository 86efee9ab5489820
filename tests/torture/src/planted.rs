//! Faults that are planted in a program, a shell script: each must be noticed, and a program without them must pass.

use crate::bench::{Bench, Outcome};
use crate::case::{Case, Good};
use crate::report::Report;
use crate::verdict::{Rules, whole};
use crate::{damage, kills, space, syscalls};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

/// Writes the output under a temporary name of its own choice, slowly.
const GOOD: &str = "trap '' XFSZ
    { printf ha > .out.0.vae-tmp && sleep 0.01 && printf lf >> .out.0.vae-tmp && mv .out.0.vae-tmp out; } 2> /dev/null ||
    { echo 'vae-cat: cannot write' >&2; rm -f .out.0.vae-tmp; exit 74; }";

/// Kinds of faults that a section finds in a script called vae-cat.
fn faults(script: &str, section: impl Fn(&Bench, &[Case], &mut Report)) -> usize {
    let tools = TempDir::new().expect("a folder");
    let tool = tools.path().join("vae-cat");
    fs::write(&tool, format!("#!/bin/sh\n{script}\n")).expect("a script");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).expect("a program");
    let bench = Bench::empty(tools.path(), 0).expect("a bench");
    bench.write("a.vae", b"some bytes").expect("an input");
    let case = Case::measured(&bench, "vae-cat ../a.vae -o out").expect("a script that works");
    let mut report = Report::default();
    section(&bench, &[case], &mut report);
    report.faults()
}

fn killed(script: &str) -> usize {
    faults(script, |bench, cases, report| kills::run(bench, cases, 200, report).expect("trials"))
}

#[test]
fn a_half_written_output_is_noticed() {
    assert!(killed("printf ha > out; sleep 0.01; printf lf >> out") > 0);
}

#[test]
fn an_output_that_is_gone_for_a_while_is_noticed() {
    assert!(killed("rm -f out; sleep 0.01; printf x > .out.0.vae-tmp; mv .out.0.vae-tmp out") > 0);
}

#[test]
fn leftovers_that_the_next_run_does_not_remove_are_noticed() {
    assert!(killed("printf x > .out.$$.vae-tmp; sleep 0.01; mv .out.$$.vae-tmp out") > 0);
}

#[test]
fn a_program_that_replaces_its_output_passes() {
    assert_eq!(killed(GOOD), 0);
}

#[test]
fn a_write_that_fails_in_silence_is_noticed() {
    let full = |script| faults(script, |bench, cases, report| space::run(bench, cases, report).expect("trials"));
    assert!(full("trap '' XFSZ; printf data > out 2> /dev/null; exit 0") > 0);
    assert_eq!(full(GOOD), 0);
}

#[test]
fn a_system_call_whose_error_is_ignored_is_noticed() {
    let failing = |bench: &Bench, cases: &[Case], report: &mut Report| {
        if syscalls::can(bench, "a planted fault", report) {
            syscalls::run(bench, cases, report).expect("trials");
        } else {
            report.count("", "", Err("none looked for".to_owned()), String::new);
        }
    };
    assert!(faults("printf data > out 2> /dev/null; exit 0", failing) > 0);
}

#[test]
fn damage_that_is_accepted_is_noticed() {
    let damaged =
        |bench: &Bench, cases: &[Case], report: &mut Report| damage::run(bench, cases, 5, report).expect("trials");
    assert_eq!(faults("cp \"$1\" out", damaged), 10);
    assert_eq!(
        faults("cmp -s \"$1\" ../a.vae || { echo 'vae-cat: damaged' >&2; exit 65; }; cp \"$1\" out", damaged),
        0
    );
}

#[test]
fn every_rule_has_its_complaint() {
    let bench = Bench::empty("/".as_ref(), 0).expect("a bench");
    let good = Good { files: [("out".to_owned(), b"new".to_vec())].into(), repeats: true, ..Good::default() };
    let case = Case { good, ..Case::new("vae-cat -o out") };
    let judge = |code, stderr: &str, before: &str, after: &str| {
        let files = |bytes: &str| {
            let file = ("out".to_owned(), bytes.as_bytes().to_vec());
            if bytes.is_empty() { [].into() } else { [file].into() }
        };
        let (before, files) = (files(before), files(after));
        let got = Outcome { code, stdout: vec![], stderr: stderr.to_owned(), before, files };
        let rules = Rules { codes: &[0, 65, 74], says: true };
        (
            rules.judge(&bench, &case, &got).err().unwrap_or_default(),
            whole(&bench, &case, &got).err().unwrap_or_default(),
        )
    };
    for (code, stderr, before, after, complaint) in [
        (0, "", "old", "new", ""),
        (65, "vae-cat: bad\n", "old", "old", ""),
        (74, "vae-cat: cannot\n", "", "", ""),
        (137, "", "", "", "hangs"),
        (134, "", "", "", "is ended by signal 6"),
        (70, "vae-cat: a bug\n", "", "", "exit 70, expected one of [0, 65, 74]"),
        (101, "vae-cat: panicked\n", "", "", "exit 101, expected one of [0, 65, 74]"),
        (0, "vae-cat: written in place\n", "old", "new", ""),
        (74, "vae-cat: cannot\n", "old", "new", ""),
        (65, "vae-cat: bad\nmore\n", "", "", "2 lines of message, expected at most 1"),
        (65, "", "", "", "exit 65 without a message"),
        (0, "", "old", "old", "exit 0 with another out"),
        (0, "", "", "", "exit 0 without out"),
        (65, "vae-cat: bad\n", "old", "half", "a failure changes out"),
        (65, "vae-cat: bad\n", "", "new", "a failure leaves out"),
        (65, "vae-cat: bad\n", "old", "", "a failure removes out"),
    ] {
        assert_eq!(judge(code, stderr, before, after).0, complaint, "{code} {stderr} {before} {after}");
    }
    assert_eq!(judge(0, "", "old", "ne").1, "a kill leaves out, neither old nor new");
    assert_eq!(judge(0, "", "old", "").1, "a kill removes out");
}
