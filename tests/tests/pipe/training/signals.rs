//! SIGINT (Ctrl-C) and SIGTERM during training.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{CommandOutput, MODEL, TestDir, code};

/// A running program that has written its first records.
struct Running {
    child: Child,
    records: BufReader<std::process::ChildStdout>,
    line: String,
}

impl Running {
    /// Starts a program, and waits until it has written a record of this kind.
    fn start(dir: &TestDir, line: &str, kind: &str) -> Running {
        let mut words = line.split_whitespace();
        let mut command = dir.command(words.next().expect("a program"));
        command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program");
        let mut records = BufReader::new(child.stdout.take().expect("a pipe"));
        let (wanted, mut record) = (format!("\"kind\":\"{kind}\""), Vec::new());
        while !String::from_utf8_lossy(&record).contains(&wanted) {
            record.clear();
            assert_ne!(
                records.read_until(b'\n', &mut record).expect("a line"),
                0,
                "{line} ended without a record {kind}"
            );
        }
        Running { child, records, line: line.to_owned() }
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a signal");
    }

    fn end(mut self) -> CommandOutput {
        let mut stdout = Vec::new();
        self.records.read_to_end(&mut stdout).expect("the rest");
        let mut stderr = String::new();
        self.child.stderr.take().expect("a pipe").read_to_string(&mut stderr).expect("text");
        let codes = vec![code(self.child.wait().expect("an end"))];
        CommandOutput { line: self.line, codes, stdout, stderr }
    }
}

/// A long run: 100 steps an epoch.
const RUN: &str = "--batch 20 digits.vae --epochs";

fn with_digits() -> TestDir {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=2000 -o digits.vae").succeeds();
    dir
}

#[test]
fn ctrl_c_keeps_the_state_and_prints_the_command_that_goes_on() {
    let dir = with_digits();
    dir.run(&format!("vae-train {MODEL} {RUN} 40 -o whole.bin > losses.jsonl")).succeeds();
    let running = Running::start(&dir, &format!("vae-train {MODEL} {RUN} 40 -o model.bin"), "epoch");
    running.send(Signal::INT);
    let output = running.end().fails(130, "vae-train", &["model.bin.ckpt has the state", "to go on: ", "--resume"]);
    assert!(!dir.path("model.bin").exists());
    let (_, command) = output.stderr.trim_end().split_once("to go on: ").expect("a command");
    dir.run(&format!("{command} > losses.jsonl")).succeeds();
    dir.assert_same("model.bin", "whole.bin");
}

#[test]
fn sigterm_does_the_same_and_exits_with_143() {
    let dir = with_digits();
    let running =
        Running::start(&dir, &format!("vae-train {MODEL} {RUN} 200 -o model.bin --checkpoint c.ckpt"), "epoch");
    running.send(Signal::TERM);
    running.end().fails(143, "vae-train", &["c.ckpt has the state", "--resume"]);
    dir.run("vae-sample -m c.ckpt | vae-decode | grid-png -o c.png").succeeds();
}

#[test]
fn the_command_that_goes_on_is_one_that_a_shell_reads_as_it_was_meant() {
    let dir = with_digits();
    dir.run("mkdir 'a b'; mv digits.vae 'a b'").succeeds();
    let mut command = dir.command("vae-train");
    command.args(MODEL.split(' ')).args(["--epochs", "9999", "a b/digits.vae", "-o", "a b/it's.bin"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("vae-train");
    let mut records = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    records.find(|record| record.as_ref().is_ok_and(|r| r.contains("epoch\":1,"))).expect("an epoch").expect("text");
    kill_process(Pid::from_child(&child), Signal::INT).expect("a signal");
    drop(records);
    let output = child.wait_with_output().expect("an end");
    let stderr = String::from_utf8(output.stderr).expect("text");
    let command = "vae-train --hidden 32 --latent 4 --epochs 9999 'a b/digits.vae' -o 'a b/it'\\''s.bin' --resume";
    assert!(stderr.ends_with(&format!("to go on: {command}\n")), "{stderr}");
}

#[test]
fn a_stream_of_previews_that_is_interrupted_is_refused_by_who_reads_it() {
    let dir = with_digits();
    let line = format!("vae-train {MODEL} {RUN} 200 -o model.bin --preview 4");
    let running = Running::start(&dir, &line, "epoch");
    running.send(Signal::INT);
    let output = running.end();
    assert_eq!(output.codes, [130], "{output}");
    let rest = String::from_utf8_lossy(&output.stdout);
    assert!(!rest.contains("\"type\":\"end\""), "the stream has an end");
}

#[test]
fn a_second_ctrl_c_quits_at_once() {
    let dir = with_digits();
    // One step draws 200 x 30 latents for 1500 hidden units, 40 billion operations: the first signal has to wait.
    let options = "--hidden 1500 --batch 200 --samples 30 --epochs 1 --threads 1";
    let running = Running::start(&dir, &format!("vae-train {options} digits.vae -o model.bin"), "run");
    running.send(Signal::INT);
    sleep(Duration::from_millis(100));
    running.send(Signal::INT);
    let output = running.end();
    assert_eq!(output.codes, [130], "{output}");
    assert_eq!(output.stderr, "", "the first signal had its way");
    assert_eq!(dir.files(), ["digits.vae"]);
}

#[test]
fn ctrl_c_before_there_is_anything_to_keep_just_ends() {
    let dir = with_digits();
    let mut command = dir.command("vae-train");
    command.args(["-o", "model.bin"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("vae-train");
    sleep(Duration::from_millis(300));
    kill_process(Pid::from_child(&child), Signal::INT).expect("a signal");
    let status = child.wait().expect("an end"); // which also closes its input
    assert_eq!(code(status), 130, "it went on waiting for images");
    assert_eq!(dir.files(), ["digits.vae"]);
}

#[test]
fn a_standard_error_that_goes_away_does_not_lose_the_run() {
    let dir = with_digits();
    dir.run(&format!("vae-train {MODEL} {RUN} 3 -o model.bin -v 2>&1 > losses.jsonl | true")).succeeds();
    dir.run(&format!("vae-train {MODEL} {RUN} 3 -o whole.bin -v > losses.jsonl 2> /dev/full")).succeeds();
    dir.assert_same("model.bin", "whole.bin");
}
