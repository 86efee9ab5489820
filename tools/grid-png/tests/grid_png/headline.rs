//! `--suptitle`.

use std::fs;
use std::path::Path;

use image::GrayImage;
use serde_json::json;
use vae_stream::Frame;

use super::titles::{art, labelled, part, squares};
use super::{complaint, decode, picture, preview, run_in, run_with, stream};

/// A headline over two images, and the picture without it.
fn headline(text: &str) -> GrayImage {
    let output = run_with(Path::new("."), &["--suptitle", text], labelled(&[7, 4]));
    assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
    decode(&output.stdout)
}

#[test]
fn a_headline_stands_in_the_middle_above_the_grid() {
    let picture = headline("TT");
    assert_eq!(picture.dimensions(), (62, 32 + 17));
    assert_eq!(part(&picture, (0, 17), (62, 32)), super::picture("", labelled(&[7, 4])));
    assert_eq!(art(&part(&picture, (25, 5), (13, 9)))[..2], [".#####..#####", "...#......#.."]);
}

#[test]
fn a_long_headline_is_broken_where_there_are_spaces() {
    // 8 characters of 7 pixels fit, 10 of 6, and 12 of 5; what is longer takes several lines.
    let height = |text: &str| headline(text).height() - 32;
    assert_eq!(["12345678", "1234567890", "123456789012", "1234 6789 1234"].map(height), [17, 14, 12, 20]);
    assert_eq!(headline("123456789012 1234"), headline("123456789012\n1234"));
    assert_eq!(height("1234567890123456789012345"), 28);
}

#[test]
fn the_fields_of_a_headline_are_filled_with_group_epoch_and_record() {
    let record = json!({"kind": "epoch", "epoch": 7, "train": {"loss": 103.456}, "test": {"loss": 99.5}});
    let frame = |epoch| preview("sample", epoch, &[("x_hat", squares(2))]);
    let record = Frame::Json(record.as_object().unwrap().clone());
    let template = "{epoch:02} {loss:.1f} {test.loss:.2f} {group}";
    let typed = run_with(Path::new("."), &["--suptitle", "07 103.5 99.50 sample"], stream(&[frame(7)]));
    // The record may come after the pictures, as vae-train writes it, or before them.
    for frames in [vec![frame(6), frame(7), record.clone()], vec![record.clone(), frame(7)]] {
        let filled = run_with(Path::new("."), &["--suptitle", template], stream(&frames));
        assert_eq!(decode(&filled.stdout), decode(&typed.stdout));
    }
}

#[test]
fn each_epoch_gets_the_losses_of_its_own_record() {
    let record = |epoch: u64| {
        let record = json!({"kind": "epoch", "epoch": epoch, "train": {"loss": 100 * epoch}});
        Frame::Json(record.as_object().unwrap().clone())
    };
    let frame = |epoch| preview("sample", epoch, &[("x_hat", squares(2))]);
    let after = [frame(1), record(1), frame(2), record(2)];
    let before = [record(1), frame(1), record(2), frame(2)];
    for frames in [after, before] {
        let folder = tempfile::tempdir().unwrap();
        let output = run_in(folder.path(), "--suptitle {loss} -o {epoch}.png", stream(&frames));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for epoch in [1, 2] {
            let file = fs::read(folder.path().join(format!("{epoch}.png"))).unwrap();
            assert_eq!(decode(&file), picture(&format!("--suptitle {epoch}00"), labelled(&[0, 0])));
        }
    }
}

#[test]
fn a_field_that_is_not_there_names_those_that_are_and_leaves_no_file() {
    let record = json!({"kind": "epoch", "epoch": 1, "train": {"loss": 5.0}, "seconds": 2});
    let frames = [preview("a", 1, &[("x", squares(1))]), Frame::Json(record.as_object().unwrap().clone())];
    let folder = tempfile::tempdir().unwrap();
    let output = run_in(folder.path(), "--suptitle {test.loss} -o {epoch}.png", stream(&frames));
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(message.contains("expected one of group, epoch, train.loss, seconds, got {test.loss};"), "{message}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let message = complaint("--suptitle {epoch}", labelled(&[7]), 2);
    assert!(message.contains("expected one of group, got {epoch};"), "{message}");
}

#[test]
fn a_field_that_cannot_be_read_is_a_usage_error() {
    for hole in ["{loss:.2}", "{}", "{loss"] {
        let output = run_in(Path::new("."), &format!("--suptitle {hole}"), Vec::new());
        assert_eq!(output.status.code(), Some(2), "{hole}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains("{epoch:03} or {loss:.2f}") && message.contains(&format!("got {hole}")), "{message}");
    }
}
