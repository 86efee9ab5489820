//! The groups and epochs of `vae-train --preview`.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;
use vae_stream::Frame;

use super::{decode, dots, picture, preview, program, rows, run_in, stream};

/// What `vae-train --preview 2` writes for an epoch: both groups, then the record.
fn epoch(n: u8) -> [Frame; 3] {
    let recon = preview("recon", n.into(), &[("x", dots(&[1, 2])), ("x_hat", dots(&[n, n + 1]))]);
    let sample = preview("sample", n.into(), &[("x_hat", dots(&[n + 100, n + 101])), ("y", dots(&[0, 0]))]);
    let record = json!({"kind": "epoch", "epoch": n, "train": {"loss": f64::from(n) + 0.5}});
    [recon, sample, Frame::Json(record.as_object().unwrap().clone())]
}

fn training(epochs: &[u8]) -> Vec<u8> {
    stream(&epochs.iter().flat_map(|&n| epoch(n)).collect::<Vec<_>>())
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn file(folder: &Path, name: &str) -> Vec<Vec<u8>> {
    rows(&decode(&fs::read(folder.join(name)).unwrap()))
}

#[test]
fn without_a_pattern_the_last_epoch_of_the_first_group_is_drawn() {
    assert_eq!(rows(&picture("--padding 0", training(&[10, 20, 30]))), [[1, 2], [30, 31]]);
}

#[test]
fn a_group_and_a_tensor_can_be_chosen() {
    assert_eq!(rows(&picture("--padding 0 --group sample", training(&[10, 20]))), [[120, 121]]);
    assert_eq!(rows(&picture("--padding 0 --tensor x_hat", training(&[10, 20]))), [[20, 21]]);
}

#[test]
fn a_pattern_gives_a_picture_for_each_group_and_epoch_and_makes_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let output = run_in(folder.path(), "--padding 0 -o a/b/{group}-{epoch:03}.png", training(&[1, 2]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let out = folder.path().join("a/b");
    assert_eq!(files(&out), ["recon-001.png", "recon-002.png", "sample-001.png", "sample-002.png"]);
    assert_eq!(file(&out, "recon-002.png"), [[1, 2], [2, 3]]);
    assert_eq!(file(&out, "sample-001.png"), [[101, 102]]);
}

#[test]
fn a_pattern_without_group_is_for_one_group_and_one_without_epoch_keeps_the_last() {
    let folder = tempfile::tempdir().unwrap();
    assert!(run_in(folder.path(), "--padding 0 -o e{epoch}.png", training(&[1, 12])).status.success());
    assert_eq!(files(folder.path()), ["e1.png", "e12.png"]);
    assert_eq!(file(folder.path(), "e12.png"), [[1, 2], [12, 13]]);

    let folder = tempfile::tempdir().unwrap();
    assert!(run_in(folder.path(), "--padding 0 -o {group}.png", training(&[1, 12])).status.success());
    assert_eq!(files(folder.path()), ["recon.png", "sample.png"]);
    assert_eq!(file(folder.path(), "sample.png"), [[112, 113]]);

    let folder = tempfile::tempdir().unwrap();
    assert!(run_in(folder.path(), "-o {group}{epoch}.png --group sample", training(&[1, 2])).status.success());
    assert_eq!(files(folder.path()), ["sample1.png", "sample2.png"]);
}

#[test]
fn groups_that_lack_the_tensor_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    assert!(run_in(folder.path(), "-o {group}.png --tensor x", training(&[1])).status.success());
    assert_eq!(files(folder.path()), ["recon.png"]);
}

#[test]
fn the_main_group_is_called_main() {
    let folder = tempfile::tempdir().unwrap();
    let input = stream(&[super::main_frame(&[("x", dots(&[5]))])]);
    assert!(run_in(folder.path(), "-o {group}.png", input).status.success());
    assert_eq!(files(folder.path()), ["main.png"]);
}

#[test]
fn frames_of_a_group_may_come_in_turns_with_another() {
    let frame = |group, level| preview(group, 1, &[("x", dots(&[level]))]);
    let input = stream(&[frame("a", 1), frame("b", 11), frame("a", 2), frame("b", 12), frame("a", 3)]);
    let folder = tempfile::tempdir().unwrap();
    assert!(run_in(folder.path(), "--padding 0 -o {group}{epoch}.png", input).status.success());
    assert_eq!(file(folder.path(), "a1.png"), [[1, 2, 3]]);
    assert_eq!(file(folder.path(), "b1.png"), [[11, 12]]);
}

#[test]
fn of_an_epoch_that_a_resumed_run_repeats_the_last_counts() {
    let resumed = [training(&[1, 2]), training(&[2, 3])].concat();
    let folder = tempfile::tempdir().unwrap();
    assert!(run_in(folder.path(), "--padding 0 -o {group}{epoch}.png", resumed).status.success());
    assert_eq!(file(folder.path(), "recon2.png"), [[1, 2], [2, 3]]);
    assert_eq!(files(folder.path()).len(), 6);
}

/// Feeds a stream but for its end, waits for the pictures, and lets the stage before die: that is said in one line, and
/// the pictures stay.
fn appear_before_the_end(frames: &[Frame], names: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let mut child = program()
        .args(["-o", "{group}-{epoch}.png"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = stream(frames);
    let start = b"{\"type\":\"end\"";
    let end = bytes.windows(start.len()).rposition(|window| window == start).unwrap();
    stdin.write_all(&bytes[..end]).unwrap();
    for _ in 0..1000 {
        if files(folder.path()) == names {
            break;
        }
        sleep(Duration::from_millis(10));
    }
    assert_eq!(files(folder.path()), names);

    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(65));
    assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1);
    assert_eq!(files(folder.path()), names);
}

#[test]
fn pictures_appear_with_the_record_of_their_epoch() {
    appear_before_the_end(&epoch(1), &["recon-1.png", "sample-1.png"]);
}

#[test]
fn without_records_pictures_appear_when_the_next_epoch_begins() {
    let frame = |epoch| preview("recon", epoch, &[("x", dots(&[1]))]);
    // The third is not verified yet, and the second may go on.
    appear_before_the_end(&[frame(1), frame(2), frame(3)], &["recon-1.png"]);
}

#[test]
fn the_draws_of_each_epoch_are_titled_coloured_and_headed_by_its_loss() {
    let folder = tempfile::tempdir().unwrap();
    let options = |headline| format!("--group sample --nrow 10 --titles y --suptitle {headline} --colormap BuGn");
    let run = |arguments: String, epochs: &[u8]| {
        let output = run_in(folder.path(), &arguments, training(epochs));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    run(options("{epoch}:{loss:.2f}") + " -o e/{epoch}.png", &[1, 2]);
    let out = folder.path().join("e");
    assert_eq!(files(&out), ["1.png", "2.png"]);
    assert_eq!(fs::read(out.join("1.png")).unwrap(), run(options("1:1.50"), &[1]));
    assert_eq!(fs::read(out.join("2.png")).unwrap(), run(options("2:2.50"), &[2]));
}
