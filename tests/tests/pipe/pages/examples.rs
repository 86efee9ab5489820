//! The scripts and the Makefile of `examples`, on a few synthetic digits.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::harness::{TestDir, code, repository, skipped};

/// A folder with the settings that make `$EXAMPLES` quick.
fn with_examples() -> TestDir {
    let mut dir = TestDir::new();
    dir.set("EXAMPLES", repository().join("examples"));
    dir.set("DATA", "--synthetic=300");
    dir.set("EPOCHS", "1");
    dir
}

/// The names of the scripts that are examples: those that read setup.sh.
fn scripts() -> Vec<String> {
    let files = fs::read_dir(repository().join("examples")).expect("the examples").map(|e| e.expect("a file").path());
    let scripts = files.filter(|path| path.extension().is_some_and(|e| e == "sh"));
    let examples = scripts.filter(|p| fs::read_to_string(p).expect("a script").contains("/setup.sh\"\n"));
    examples.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect()
}

#[test]
fn every_example_makes_what_it_names() {
    let dir = with_examples();
    let scripts = scripts();
    assert!(scripts.len() >= 10, "only {scripts:?}");
    for script in scripts {
        let output = dir.run(&format!("$EXAMPLES/{script}.sh 2> log || {{ cat log >&2; false; }}")).succeeds();
        if let Some(why) = output.text().strip_prefix("SKIPPED ") {
            assert!(std::env::var("REQUIRE_NUMPY").is_err(), "{output}");
            skipped(&script, why.trim_end());
            continue;
        }
        let pictures: Vec<&str> = output.text().lines().filter(|line| line.ends_with(".png")).collect();
        assert_ne!(pictures.is_empty(), script != "shards", "{output}");
        for picture in pictures {
            assert!(picture.starts_with(&format!("out/{script}/")), "{output}");
            assert!(dir.png(picture).into_iter().all(|size| size >= 60), "{picture}");
        }
    }
}

#[test]
fn an_example_makes_its_pictures_in_the_folder_that_it_is_given() {
    let dir = with_examples();
    let output = dir.run("$EXAMPLES/interpolate.sh 'a b/c'").succeeds();
    assert_eq!(output.text(), "a b/c/between.png\n");
    assert_eq!(dir.png("a b/c/between.png"), [362, 302]);
}

#[test]
fn an_example_without_numpy_is_skipped() {
    let mut dir = with_examples();
    dir.set("PYTHON", "false");
    for script in ["denoise", "arithmetic"] {
        let output = dir.run(&format!("$EXAMPLES/{script}.sh")).succeeds();
        assert_eq!(output.text(), format!("SKIPPED {script}: no python3 with numpy\n"));
    }
}

#[test]
fn shards_are_encoded_without_parallel_too() {
    let dir = with_examples();
    dir.run("mkdir bin; printf '#!/bin/sh\\nexit 1\\n' > bin/parallel; chmod +x bin/parallel").succeeds();
    let output = dir.run("PATH=$PWD/bin:$PATH $EXAMPLES/shards.sh out").succeeds();
    assert!(output.text().ends_with("whole.npy are the same\n"), "{output}");
    dir.assert_same("out/joined.npy", "out/whole.npy");
}

#[test]
fn an_example_that_fails_is_told_of_when_the_others_have_run() {
    let dir = with_examples();
    dir.run("mkdir examples; cp $EXAMPLES/*.bin $EXAMPLES/Makefile examples").succeeds();
    dir.run("for f in all setup interpolate; do cp $EXAMPLES/$f.sh examples; done").succeeds();
    let bad = "set -eu\n. \"$(dirname \"$0\")/setup.sh\"\ndigits -n 3 | vae-encode -m none.bin -o z.vae\n";
    dir.write("examples/bad.sh", format!("#!/bin/sh\n{bad}"));
    dir.run("chmod +x examples/bad.sh").succeeds();
    let output = dir.run("examples/all.sh made 2> log");
    assert_eq!(output.codes, [1], "{output}");
    let log = String::from_utf8_lossy(&dir.read("log")).into_owned();
    assert!(log.ends_with("examples/bad.sh made/synthetic/bad\n") && log.contains("none.bin"), "{log}");
    assert!(output.text().contains("SKIPPED: MNIST is not here"), "{output}");
    for picture in ["interpolate/between.png", "stages/mlp-400-20-recon.png"] {
        dir.png(&format!("made/synthetic/{picture}"));
    }
}

/// Long enough to be stopped.
const STAGES: &str = "make -s -j2 -f $EXAMPLES/Makefile PRESET='mlp-400-20 mlp-512-256-2' EPOCHS=20";

#[test]
fn stages_that_ctrl_c_stops_go_on_and_end_in_the_same_bytes() {
    let dir = with_examples();
    let mut command = dir.command("sh");
    command.args(["-c", STAGES]).process_group(0).stderr(Stdio::null());
    let mut run = command.spawn().expect("make");
    while !dir.path("mlp-400-20.bin.ckpt").exists() && run.try_wait().expect("a status").is_none() {
        sleep(Duration::from_millis(1));
    }
    kill_process_group(Pid::from_child(&run), Signal::INT).expect("a signal");
    assert_ne!(code(run.wait().expect("an end")), 0, "all was over before the signal: this needs a longer run");
    let files = dir.files();
    assert!(files.iter().any(|name| name == "mlp-400-20.bin.ckpt"), "{files:?}");
    assert!(!files.iter().any(|name| name.ends_with(".bin") || name.ends_with(".png")), "{files:?}");

    let again = dir.run(&format!("{STAGES} 2> log"));
    assert_eq!(again.codes, [0], "{again}{}", String::from_utf8_lossy(&dir.read("log")));
    assert!(String::from_utf8_lossy(&dir.read("log")).contains("going on after step"));
    for preset in ["mlp-400-20", "mlp-512-256-2"] {
        let whole = "vae-train --epochs 20 --test test.vae train.vae -o whole.bin > losses.jsonl";
        dir.run(&format!("{whole} --preset {preset}")).succeeds();
        dir.assert_same("whole.bin", &format!("{preset}.bin"));
        for picture in ["recon", "samples", "loss", "latent"] {
            dir.png(&format!("{preset}-{picture}.png"));
        }
        assert_eq!(dir.npy::<f32>(&format!("{preset}-z.npy")).shape()[0], 300);
    }
    dir.run(&format!("{STAGES} -q")).succeeds();
}
