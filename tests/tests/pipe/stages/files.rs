//! Files and descriptors as an operating system has them: mounts, sticky folders, limits, names, flags and signals.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::{ffi::OsStr, path::Path};

use crate::harness::{TestDir, skipped};

/// Prepares a run that is over at once, of `digits.vae`.
fn with_digits() -> TestDir {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=30 -o digits.vae").succeeds();
    dir
}

const TRAIN: &str = "vae-train --hidden 4 --latent 2 --epochs 1 digits.vae";

/// Runs a script as the root of a user namespace with mounts of its own; none where the system allows no such thing.
fn with_mounts(dir: &TestDir, script: &str) -> Option<crate::harness::CommandOutput> {
    if dir.run("unshare -rm true").codes != [0] {
        skipped("a test with mounts", "unshare -rm is not allowed");
        return None;
    }
    Some(dir.run(&format!("unshare -rm sh -c '{script}'")))
}

/// strace with a fault in place of a system call; none where there is no strace, or no process may be traced.
fn strace(dir: &TestDir, fault: &str) -> Option<String> {
    let strace = format!("strace -f -qq -o ../trace -e inject={fault}");
    if dir.run("strace -qq -o ../trace true").codes != [0] {
        skipped("a test with faults", "strace does not run");
        return None;
    }
    Some(strace)
}

/// The lines of a command that run it as nobody, if this is root; an ordinary user has no file of another one here.
fn as_nobody(dir: &TestDir, line: &str) -> Option<String> {
    let setpriv = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    if dir.run(&format!("{setpriv} true")).codes != [0] {
        skipped("a test with two users", "this is not root");
        return None;
    }
    dir.run("chmod 755 . ..").succeeds();
    Some(format!("{setpriv} {line}"))
}

#[test]
fn a_file_that_is_a_mount_of_its_own_is_written_in_place() {
    let dir = with_digits();
    let told = ["cannot be replaced", "busy", "written in place"];
    dir.run(&format!(
        "{TRAIN} -o expected.bin > log; touch m.bin c.ckpt long.vae; head -c 100000 /dev/zero > long.vae"
    ))
    .succeeds();
    for (line, file) in [(format!("{TRAIN} -o m.bin"), "m.bin"), ("vae-cat digits.vae -o long.vae".into(), "long.vae")]
    {
        let Some(done) = with_mounts(&dir, &format!("mount --bind {file} {file}; {line} > log")) else { return };
        assert_eq!(done.codes, [0], "{done}");
        done.reports(line.split(' ').next().expect("a program"), &told);
    }
    dir.assert_same("m.bin", "expected.bin");
    dir.run("vae-cat --check long.vae").succeeds();
    let line = format!(
        "mount --bind c.ckpt c.ckpt; {TRAIN} -o m.bin --checkpoint c.ckpt > log; {TRAIN} -o m.bin --resume --checkpoint c.ckpt"
    );
    assert_eq!(with_mounts(&dir, &line).expect("mounts").codes, [0]);
    assert!(dir.files().iter().all(|name| !name.starts_with('.')), "{:?}", dir.files());
}

#[test]
fn a_checkpoint_that_cannot_be_removed_after_a_complete_run_is_told() {
    let dir = with_digits();
    dir.run("touch m.bin.ckpt").succeeds();
    let line = format!("mount --bind m.bin.ckpt m.bin.ckpt; {TRAIN} -o m.bin > log");
    let Some(done) = with_mounts(&dir, &line) else { return };
    assert_eq!(done.codes, [0], "{done}");
    assert!(done.stderr.contains("vae-train: cannot remove m.bin.ckpt, which is not needed any more"), "{done}");
}

#[test]
fn an_output_that_cannot_take_its_name_is_refused_before_the_first_step() {
    let dir = with_digits();
    dir.run("touch m.bin").succeeds();
    let mount = "mount --bind m.bin m.bin; mount -o remount,bind,ro m.bin";
    if let Some(refused) = with_mounts(&dir, &format!("{mount}; {TRAIN} -o m.bin")) {
        let refused = refused.fails(74, "vae-train", &["cannot write m.bin", "Read-only"]);
        assert_eq!(refused.text(), "");
    }
    dir.run("mkdir sticky; chmod 1777 sticky; touch sticky/m.bin; chmod 644 sticky/m.bin").succeeds();
    let Some(line) = as_nobody(&dir, &format!("{TRAIN} -o sticky/m.bin")) else { return };
    let refused = dir.run(&line).fails(74, "vae-train", &["cannot write sticky/m.bin", "denied"]);
    assert_eq!(refused.text(), "");
}

#[test]
fn an_output_needs_neither_proc_nor_many_descriptors() {
    let dir = with_digits();
    dir.run(&format!("{TRAIN} -o expected.bin > log")).succeeds();
    if let Some(done) = with_mounts(&dir, &format!("mount -t tmpfs none /proc; {TRAIN} -o m.bin > log")) {
        done.succeeds();
        dir.assert_same("m.bin", "expected.bin");
    }
    for descriptors in 4..9 {
        let done = dir.run(&format!("rm -f m.bin; (ulimit -n {descriptors}; exec {TRAIN} -o m.bin)"));
        assert!(done.codes == [0] || done.stdout.is_empty(), "the model is lost after the work: {done}");
        assert_eq!(done.codes == [0], dir.path("m.bin").exists(), "{done}");
    }
    dir.assert_same("m.bin", "expected.bin");
}

#[test]
fn nothing_stays_of_a_failed_run_and_what_a_killed_one_leaves_goes_with_the_next() {
    let dir = with_digits();
    let before = dir.files();
    let rename = "rename,renameat,renameat2";
    let Some(fails) = strace(&dir, &format!("{rename}:error=EIO")) else { return };
    dir.run(&format!("{fails} vae-cat digits.vae -o out.vae")).fails(74, "vae-cat", &["cannot write out.vae"]);
    assert_eq!(dir.files(), before);
    let killed = strace(&dir, &format!("{rename}:signal=KILL")).expect("strace");
    // In a folder of its own: without a name, and with one, where a file without a name cannot be linked.
    for fault in ["", " -e inject=linkat:error=ENOENT"] {
        dir.run(&format!("mkdir out; {killed}{fault} vae-cat digits.vae -o out/out.vae; ls -A out | grep -c vae-tmp"));
        assert_eq!(dir.run("ls -A out | wc -l").text().trim(), "1");
        dir.run("vae-cat digits.vae -o out/out.vae").succeeds();
        assert_eq!(dir.run("ls -A out").text(), "out.vae\n");
        dir.run("rm -r out").succeeds();
    }
}

#[test]
fn a_call_that_a_signal_interrupts_is_made_again() {
    let dir = with_digits();
    for call in ["openat,open", "read,readv", "write,writev"] {
        for nth in ["1+2", "2+2"] {
            let Some(strace) = strace(&dir, &format!("{call}:error=EINTR:when={nth}")) else { return };
            // The loader of the program does not try again.
            let done =
                dir.run(&format!("{strace} -P $PWD -P $PWD/digits.vae -P digits.vae vae-cat digits.vae -o out.vae"));
            assert_eq!(done.codes, [0], "{call} {nth}: {done}");
        }
    }
    let Some(strace) = strace(&dir, "dup2,dup3:error=EINTR:when=1") else { return };
    let done = dir.run(&format!("{TRAIN} -o m.bin > log; {strace} vae-watch --port 0 log > copy"));
    assert_eq!(done.codes, [0], "{done}");
    dir.assert_same("copy", "log");
}

#[test]
fn a_model_that_cannot_be_saved_leaves_a_checkpoint_of_the_whole_run() {
    let dir = with_digits();
    let Some(strace) = strace(&dir, "rename,renameat,renameat2:error=EIO:when=1") else { return };
    dir.run(&format!("{strace} {TRAIN} -o m.bin > log")).fails(
        74,
        "vae-train",
        &["cannot write m.bin", "the last good checkpoint is m.bin.ckpt"],
    );
    dir.run(&format!("{TRAIN} -o m.bin --resume > log; {TRAIN} -o expected.bin > log")).succeeds();
    dir.assert_same("m.bin", "expected.bin");
}

#[test]
fn a_checkpoint_that_cannot_be_looked_at_is_an_error_and_stays() {
    let dir = with_digits();
    dir.run(&format!("{TRAIN} -o m.bin --checkpoint c.ckpt > log")).succeeds();
    let checkpoint = dir.read("c.ckpt");
    for nth in 1..=8 {
        let fault = format!("statx,newfstatat,stat,fstat:error=ESTALE:when={nth}");
        let Some(strace) = strace(&dir, &fault) else { return };
        let line = format!("{strace} -P c.ckpt {TRAIN} -o m.bin --checkpoint c.ckpt --resume");
        let done = dir.run(&format!("{line} 2> errors"));
        assert!([0, 74].contains(&done.codes[0]), "{done}");
        assert!(dir.read("c.ckpt") == checkpoint, "stat {nth}: another training has replaced the checkpoint");
        assert!(!done.text().contains(r#""kind":"epoch""#), "stat {nth}: training began anew: {done}");
    }
}

#[test]
fn an_output_that_leads_to_itself_is_74() {
    let dir = with_digits();
    dir.run("ln -s loop loop; ln -s a b; ln -s b a").succeeds();
    for name in ["loop", "a"] {
        dir.run(&format!("vae-cat digits.vae -o {name}")).fails(74, "vae-cat", &["cannot write", "symbolic links"]);
        assert!(dir.run(&format!("test -L {name}")).codes == [0]);
    }
    dir.run("vae-cat digits.vae -o new/").fails(74, "vae-cat", &["cannot write new/", "directory"]);
}

#[test]
fn descriptors_that_do_not_block_are_waited_for() {
    let dir = with_digits();
    if !dir.has("python3") {
        return;
    }
    // Sets O_NONBLOCK on what the program shares with this process, as the other end is slow.
    let python = "\
import os, subprocess, sys, time
line, data = sys.argv[1], open('input', 'rb').read()
(stdin, to), (back, stdout), (said, stderr) = os.pipe(), os.pipe(), os.pipe()
[os.set_blocking(fd, False) for fd in (stdin, stdout, stderr)]
run = subprocess.Popen(line, shell=True, stdin=stdin, stdout=stdout, stderr=stderr)
os.close(stdout), os.close(stderr)
if os.fork() == 0:
    os.close(stdin), os.close(back), os.close(said), time.sleep(0.2)
    half = len(data) // 2
    try:
        with open(to, 'wb') as pipe:
            pipe.write(data[:half]), pipe.flush(), time.sleep(0.2), pipe.write(data[half:])
    except BrokenPipeError: pass # enough was read
    os._exit(0)
os.close(to), time.sleep(0.6)
with open(back, 'rb') as pipe, open('output', 'wb') as out: out.write(pipe.read())
sys.stderr.write(open(said).read())
assert not os.get_blocking(stdin)
sys.exit(run.wait())";
    dir.write("run.py", python);
    dir.run(
        "mnist-dump --synthetic=3000 -o many.vae; vae-train --hidden 4 --latent 2 --epochs 1 digits.vae -o m.bin > log",
    )
    .succeeds();
    dir.run("vae-encode -m m.bin many.vae | vae-cat --jsonl > many.jsonl").succeeds();
    for (line, input) in [
        ("vae-cat", "many.vae"),
        ("vae-cat --jsonl", "many.vae"),
        ("vae-cat --npy x", "many.vae"),
        ("vae-encode -m m.bin --keep x", "many.vae"),
        ("grid-png --nrow 60", "many.vae"),
        ("vae-train --hidden 4 --latent 2 --epochs 1 -o n.bin --preview 999", "many.vae"),
    ] {
        dir.run(&format!("cp {input} input; {line} < input > expected")).succeeds();
        let done = dir.run(&format!("python3 run.py '{line}'")).succeeds();
        if !line.starts_with("vae-train") {
            assert!(dir.read("output") == dir.read("expected"), "{done}");
        }
    }
}

#[test]
fn the_history_of_a_head_is_bounded_by_files_and_by_programs() {
    let dir = with_digits();
    dir.run("mkdir many; for n in $(seq 3000); do ln -s ../digits.vae many/a-file-with-a-long-name-$n.vae; done")
        .succeeds();
    dir.run("vae-cat $(printf ' many/*%.0s' 1 2 3 4 5 6) -o all.vae").succeeds();
    let head = dir.run("vae-cat --head all.vae").succeeds().json();
    assert!(head.to_string().len() < 20_000 && head.to_string().contains(" more …"), "{head}");

    let chain = vec!["vae-cat"; 200].join(" | ");
    let head = dir.run(&format!("cat digits.vae | {chain} | vae-cat --head")).succeeds().json();
    let history = head["history"].as_array().expect("a list");
    assert!(
        history.len() < 150 && history[0]["tool"].as_str().is_some_and(|tool| tool.starts_with("mnist-dump")),
        "{head}"
    );
    let shown: u64 = history.iter().map(|entry| entry["omitted"].as_u64().unwrap_or(1)).sum();
    assert_eq!(shown, 201);
}

#[test]
fn a_name_that_is_no_utf_8_is_a_name() {
    let dir = with_digits();
    dir.run("vae-cat digits.vae --npy x -o x.npy; vae-cat digits.vae --npy y -o y.npy").succeeds();
    let name = |bytes| dir.path("").join(Path::new(OsStr::from_bytes(bytes)));
    fs::copy(dir.path("digits.vae"), name(b"d\xff.vae")).expect("a copy");
    fs::copy(dir.path("y.npy"), name(b"y\xff.npy")).expect("a copy");
    dir.run("vae-cat d*.vae d*.vae --check && vae-cat x=x.npy y=$(echo y?*.npy | cut -d' ' -f2) --check").succeeds();
    dir.run("vae-cat x=x.npy y=$(printf 'y\\377.npy') -o $(printf 'out\\377')").succeeds();
    assert!(name(b"out\xff").exists());
}

#[test]
fn a_file_of_the_very_name_comes_before_a_named_tensor() {
    let dir = with_digits();
    dir.run("vae-cat digits.vae --npy x -o lr=0.1.npy; vae-cat digits.vae --npy y -o y.npy").succeeds();
    assert_eq!(dir.run("vae-cat lr=0.1.npy --check").succeeds().json()["items"], 30);
    dir.run("vae-cat y=y.npy --check; vae-cat y=./y.npy --head").succeeds();
    dir.run("cp lr=0.1.npy 0.1.npy; vae-cat lr=0.1.npy --check").reports("vae-cat", &["the file of that very name"]);
    let long = format!("vae-cat y={}", "y".repeat(255));
    dir.run(&long).fails(66, "vae-cat", &["no such file"]);
}

#[test]
fn missing_memory_is_69_and_names_no_bug() {
    let dir = with_digits();
    dir.write("log", "{\"kind\":\"epoch\",\"epoch\":1,\"train\":{\"loss\":3}}\n".repeat(2));
    let mut refused = 0;
    for kilobytes in (20_000..70_000).step_by(3_000) {
        for line in ["vae-plot loss log -o out", "vae-cat digits.vae -o out"] {
            let done = dir.run(&format!("(ulimit -v {kilobytes}; {line})"));
            if done.stderr.contains("shared librar") || done.codes == [0] {
                continue; // the loader's message
            }
            refused += 1;
            assert_eq!(done.codes, [69], "{kilobytes} {done}");
            assert!(done.stderr.contains("out of memory"), "{done}");
        }
    }
    assert!(refused > 0, "memory was never short");
}

#[test]
fn a_file_beyond_its_limit_is_74() {
    let dir = with_digits();
    let before = dir.files();
    dir.run("(ulimit -f 1; exec vae-cat digits.vae -o out.vae)").fails(74, "vae-cat", &["out.vae", "File too large"]);
    assert_eq!(dir.files(), before);
}

#[test]
fn the_folder_of_temporary_files_is_named() {
    let dir = TestDir::new();
    let line = "mnist-dump --synthetic=100000 | TMPDIR=/no/such vae-cat --npy x > x.npy";
    dir.run(line).fails(74, "vae-cat", &["temporary file in /no/such (TMPDIR)"]);
}

#[test]
fn a_model_that_may_not_be_read_is_74_and_is_there() {
    let dir = TestDir::with_model();
    dir.run("vae-sample -m model.bin -o z.vae; chmod 000 model.bin; chmod 644 z.vae").succeeds();
    let Some(line) = as_nobody(&dir, "vae-decode z.vae") else { return };
    let refused = dir.run(&line).fails(74, "vae-decode", &["cannot read the model", "denied", "-m MODEL"]);
    assert!(!refused.stderr.contains("is not there"), "{refused}");
}

#[test]
fn a_model_that_cannot_be_looked_at_is_74_also_where_no_other_is_in_the_folder() {
    let dir = TestDir::with_model();
    dir.run("vae-sample -m model.bin -o z.vae; mkdir other").succeeds();
    let Some(strace) = strace(&dir, "stat,statx,newfstatat:error=EIO") else { return };
    let line = format!("cd other; {strace} -P $(realpath ../model.bin) -P model.bin vae-decode ../z.vae");
    dir.run(&line).fails(74, "vae-decode", &["cannot read the model of this stream", "Input/output error"]);
}
