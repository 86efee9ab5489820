//! `--resume`: a run stopped anywhere and resumed ends in the bytes of an uninterrupted run.

use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{MODEL, SplitMix64, TestDir, code};

/// Long enough to be stopped several times: 4,000 steps.
const RUN: &str = "--epochs 40 --batch 20 --seed 3 digits.vae -o model.bin";

/// Digits, and `whole.bin` of an uninterrupted run.
fn with_whole(run: &str) -> TestDir {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=2000 -o digits.vae").succeeds();
    dir.run(&format!("vae-train {MODEL} {run} > losses.jsonl; mv model.bin whole.bin")).succeeds();
    dir
}

fn start(dir: &TestDir, options: &str) -> Child {
    let options = format!("{MODEL} {RUN} {options}");
    let mut command = dir.command("vae-train");
    command.args(options.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().expect("vae-train")
}

/// Waits until a file is there or the run is over.
fn wait_for(dir: &TestDir, name: &str, run: &mut Child) {
    while !dir.path(name).exists() && run.try_wait().expect("a status").is_none() {
        sleep(Duration::from_millis(1));
    }
}

/// Signals a run shortly after its first checkpoint, several times, and then lets it end.
fn a_run_stopped_again_and_again_ends_in_the_same_bytes(signal: Signal, seed: u64) {
    let dir = with_whole(RUN);
    let mut random = SplitMix64(seed);
    for options in ["--resume --every 37", "--resume", "--resume --every 1000 --threads 1"] {
        let mut stopped = 0;
        for _ in 0..5 {
            let mut run = start(&dir, options);
            wait_for(&dir, "model.bin.ckpt", &mut run);
            sleep(Duration::from_millis(random.below(60) as u64));
            kill_process(Pid::from_child(&run), signal).expect("a signal");
            stopped += u32::from(code(run.wait().expect("an end")) == 128 + signal.as_raw());
        }
        assert!(stopped > 0, "every run was over before its signal: this needs a longer run");
        let last = start(&dir, options).wait_with_output().expect("an end");
        assert_eq!(code(last.status), 0, "{}", String::from_utf8_lossy(&last.stderr));
        dir.assert_same("model.bin", "whole.bin");
        assert!(!dir.path("model.bin.ckpt").exists());
        dir.run("rm model.bin").succeeds();
    }
}

#[test]
fn a_run_killed_again_and_again_ends_in_the_same_bytes() {
    a_run_stopped_again_and_again_ends_in_the_same_bytes(Signal::KILL, 7);
}

#[test]
fn a_run_interrupted_again_and_again_ends_in_the_same_bytes() {
    a_run_stopped_again_and_again_ends_in_the_same_bytes(Signal::INT, 8);
}

#[test]
fn a_run_resumed_from_the_checkpoint_of_any_epoch_or_step_ends_in_the_same_bytes() {
    let run = "--epochs 3 --batch 300 digits.vae -o model.bin";
    let dir = with_whole(run);
    // 7 steps an epoch: checkpoints fall into the middle of epochs and on their ends.
    for every in [1, 2, 3, 7, 20] {
        let train = format!("vae-train {MODEL} {run} --every {every} --checkpoint 'at-{{epoch}}.ckpt' > losses.jsonl");
        dir.run(&train).succeeds();
        for epoch in 1..=3 {
            if dir.path(&format!("at-{epoch}.ckpt")).exists() {
                dir.run(&format!("cp at-{epoch}.ckpt c.ckpt; rm -f model.bin")).succeeds();
                dir.run(&format!("vae-train {MODEL} {run} --resume --checkpoint c.ckpt > losses.jsonl")).succeeds();
                dir.assert_same("model.bin", "whole.bin");
            }
        }
        dir.run("rm at-*.ckpt").succeeds();
    }
}

#[test]
fn resume_starts_afresh_where_there_is_no_checkpoint() {
    let run = "--epochs 1 --batch 300 digits.vae -o model.bin";
    let dir = with_whole(run);
    dir.run(&format!("vae-train {MODEL} {run} --resume > losses.jsonl")).succeeds();
    dir.assert_same("model.bin", "whole.bin");
}

#[test]
fn the_number_of_epochs_may_grow() {
    let dir = with_whole("--epochs 4 --batch 300 digits.vae -o model.bin");
    let train =
        |options: &str| format!("vae-train {MODEL} --batch 300 digits.vae -o model.bin --checkpoint c.ckpt {options}");
    dir.run(&train("--epochs 2 > losses.jsonl")).succeeds();
    dir.assert_differ("model.bin", "whole.bin");
    let records = dir.run(&train("--epochs 4 --resume")).succeeds().records();
    assert_eq!(records.iter().filter_map(|r| r["epoch"].as_u64()).collect::<Vec<_>>(), [3, 4]);
    dir.assert_same("model.bin", "whole.bin");
}

#[test]
fn the_newest_of_the_checkpoints_of_epochs_is_taken() {
    let dir = with_whole("--epochs 11 --batch 300 digits.vae -o model.bin");
    let train = |options: &str| {
        format!("vae-train {MODEL} --batch 300 digits.vae -o model.bin --checkpoint 'at-{{epoch}}.ckpt' {options}")
    };
    dir.run(&train("--epochs 10 > losses.jsonl")).succeeds();
    let records = dir.run(&train("--epochs 11 --resume")).succeeds().records();
    assert_eq!(records.iter().filter_map(|r| r["epoch"].as_u64()).collect::<Vec<_>>(), [11]);
    dir.assert_same("model.bin", "whole.bin");
}

#[test]
fn a_run_that_was_complete_is_complete_again() {
    let dir = with_whole("--epochs 2 --batch 300 digits.vae -o model.bin");
    let train =
        format!("vae-train {MODEL} --epochs 2 --batch 300 digits.vae -o model.bin --checkpoint c.ckpt --resume");
    for _ in 0..2 {
        dir.run(&format!("{train} > losses.jsonl")).succeeds();
        dir.assert_same("model.bin", "whole.bin");
    }
}

#[test]
fn options_that_differ_from_the_checkpoints_are_an_error_that_names_both_values() {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=100 -o digits.vae; mnist-dump --synthetic=100 --seed 1 -o others.vae").succeeds();
    dir.run("mnist-dump --synthetic=99 -o fewer.vae").succeeds();
    let train = |options: &str| format!("vae-train {options} --resume --checkpoint c.ckpt -o model.bin > losses.jsonl");
    dir.run(&train("--hidden 32 --latent 4 --epochs 3 digits.vae")).succeeds();
    let checkpoint = dir.read("c.ckpt");
    for (options, words) in [
        ("--hidden 32 --latent 4 --epochs 3 --lr 0.5 digits.vae", ["--lr", "0.0003", "0.5"]),
        ("--hidden 32 --latent 4 --epochs 3 --batch 64 digits.vae", ["--batch", "128", "64"]),
        ("--hidden 32 --latent 4 --epochs 3 --seed 5 digits.vae", ["--seed", "0", "5"]),
        ("--hidden 32 --latent 4 --epochs 3 --beta 2 digits.vae", ["--beta", "1.0", "2.0"]),
        ("--hidden 32 --latent 4 --epochs 3 --samples 3 digits.vae", ["--samples", "1", "3"]),
        ("--hidden 32 --latent 4 --epochs 3 --kl-warmup 2 digits.vae", ["--kl-warmup", "expected none", "got 2.0"]),
        ("--hidden 33 --latent 4 --epochs 3 digits.vae", ["--hidden", "[32]", "[33]"]),
        ("--hidden 32 --latent 5 --epochs 3 digits.vae", ["--latent", "4", "5"]),
        ("--hidden 32 --latent 4 --epochs 2 digits.vae", ["--epochs", "3", "2"]),
        ("--hidden 32 --latent 4 --epochs 3 fewer.vae", ["images differ", "100", "99"]),
        ("--hidden 32 --latent 4 --epochs 3 others.vae", ["images differ", "expected data.sha256", "got"]),
    ] {
        dir.run(&train(options)).fails(2, "vae-train", &["--resume", words[0], words[1], words[2]]);
        assert!(dir.read("c.ckpt") == checkpoint, "{options} has changed the checkpoint");
    }
}

#[test]
fn a_checkpoint_that_is_none_is_65() {
    let dir = TestDir::new();
    dir.run(&format!(
        "mnist-dump --synthetic=100 -o digits.vae; vae-train {MODEL} digits.vae --epochs 1 -o a.bin > losses.jsonl"
    ))
    .succeeds();
    dir.write("text.ckpt", "a text\n");
    for name in ["text.ckpt", "a.bin"] {
        let line =
            format!("vae-train {MODEL} digits.vae --epochs 1 --resume --checkpoint {name} -o b.bin > losses.jsonl");
        dir.run(&line).fails(65, "vae-train", &[]);
        assert!(!dir.path("b.bin").exists());
    }
}

#[test]
fn checkpoints_of_an_earlier_run_are_not_taken_for_this_one() {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=100 -o d.vae").succeeds();
    let train = "vae-train --hidden 4 --latent 2 d.vae -o m.bin > losses.jsonl";
    dir.run(&format!("{train} --epochs 2 --checkpoint 'e-{{epoch}}'")).succeeds();
    dir.run(&format!("{train} --epochs 3 --checkpoint 'e-{{epoch}}'")).fails(
        2,
        "vae-train",
        &["e-2 is of an earlier run", "--resume goes on"],
    );
    dir.run(&format!("{train} --epochs 3 --checkpoint 'e-{{epoch}}' --resume")).succeeds();
    assert!(dir.path("e-3").exists());
    let same = "expected two";
    dir.run(&format!("{train} --checkpoint ./m.bin")).fails(2, "vae-train", &[same]);
    dir.run("vae-train d.vae -o m-1 --checkpoint 'm-{epoch}'").fails(2, "vae-train", &[same]);
}
