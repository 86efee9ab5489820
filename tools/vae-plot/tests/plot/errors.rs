//! What is refused, in one line.

use super::{complaint, folder, latents, log, points, run};

#[test]
fn nothing_at_all_is_refused() {
    for command in ["loss", "latent"] {
        assert!(complaint(command, b"", &[], 65).contains("nothing arrived"), "{command}");
    }
}

#[test]
fn a_file_that_is_not_there_is_66() {
    for command in ["loss no.jsonl", "latent no.vae"] {
        assert!(complaint(command, b"", &[], 66).contains("no such file"), "{command}");
    }
}

#[test]
fn a_log_without_an_epoch_is_refused_and_named() {
    let begun = r#"{"kind":"run"}"#.to_owned() + "\n";
    let message =
        complaint("loss a.jsonl b.jsonl", b"", &[("a.jsonl", log(3).as_bytes()), ("b.jsonl", begun.as_bytes())], 65);
    assert!(message.starts_with("b.jsonl: no epochs: expected epoch records of vae-train"), "{message}");
}

#[test]
fn lines_without_any_record_are_refused() {
    let message = complaint("loss", b"epoch 1\nepoch 2\n", &[], 65);
    assert!(message.starts_with("standard input: expected newline JSON or a stream, got "), "{message}");
    let message = complaint("loss", b"{\"kind\":\n{}x\n", &[], 65);
    assert!(message.starts_with("standard input: line 1: expected one JSON object per line"), "{message}");
}

#[test]
fn an_epoch_without_its_number_is_refused() {
    let message = complaint("loss", br#"{"kind":"epoch","train":{"loss":1.0}}"#, &[], 65);
    assert!(message.contains("bad epoch record: missing field `epoch`"), "{message}");
}

#[test]
fn epochs_without_numbers_are_refused() {
    let message = complaint("loss", br#"{"kind":"epoch","epoch":1,"train":{"loss":"NaN"}}"#, &[], 65);
    assert!(message.contains("no losses"), "{message}");
}

#[test]
fn what_a_run_does_not_tell_cannot_be_shown() {
    let message = complaint("loss --show loss,mse", log(3).as_bytes(), &[], 65);
    assert!(message.contains("no mse in its epochs"), "{message}");
    let message = complaint("loss --show speed", log(3).as_bytes(), &[], 65);
    assert!(message.contains("expected names among loss, recon, kl"), "{message}");
}

#[test]
fn input_of_another_kind_is_told_by_its_first_bytes() {
    for (input, words) in
        [(&b"\x89PNG\r\n\x1a\n...."[..], "PNG"), (b"\x1f\x8b\x08\0\0\0\0\0", "gzip"), (b"\x93NUMPY\x01\0", "NUMPY")]
    {
        assert!(complaint("loss", input, &[], 65).contains(words), "{words}");
    }
}

#[test]
fn latents_that_are_damaged_or_cut_short_leave_no_picture() {
    let good = latents(&points(20, 2), None);
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    complaint("latent", &bad, &[], 65);
    assert!(complaint("latent", &good[..good.len() - 30], &[], 65).contains("the input stops"));
}

#[test]
fn latents_that_are_not_finite_are_named() {
    let mut z = points(20, 3);
    z[[15, 1]] = f32::NAN;
    assert!(complaint("latent", &latents(&z, None), &[], 65).contains("z [1] of item 15 is NaN"));
}

#[test]
fn one_dimension_makes_no_plane() {
    assert!(complaint("latent", &latents(&points(9, 1), None), &[], 65).contains("expected at least 2"));
}

#[test]
fn dimensions_that_are_not_there_are_a_usage_error() {
    let input = latents(&points(9, 3), None);
    assert!(complaint("latent --dims 0,3", &input, &[], 2).contains("0 to 2, got 3"));
    for dims in ["1", "1,2,0", "a,b", "-1,0"] {
        let arguments = format!("latent --dims={dims}");
        assert!(complaint_of_clap(&arguments, &input).contains("expected two numbers with a comma between"), "{dims}");
    }
}

#[test]
fn tensors_that_are_not_there_are_named_with_those_that_are() {
    let input = latents(&points(9, 2), Some(&[0; 9]));
    assert!(
        complaint("latent --by label", &input, &[], 65)
            .contains("no tensor label in the stream: expected it among z, y")
    );
    assert!(complaint("latent --tensor mu", &input, &[], 65).contains("no tensor mu"));
    assert!(complaint("latent --by z", &input, &[], 65).contains("expected one number for each item"));
}

#[test]
fn images_are_no_latents() {
    let input = br#"{"x":[[0,1],[1,0]]}"#;
    assert!(complaint("latent --tensor x", input, &[], 65).contains("expected latents [N, Z]"));
}

#[test]
fn a_stream_without_items_shows_nothing() {
    let empty = super::stream(vec![]);
    assert!(complaint("latent", &empty, &[], 65).contains("no tensor z"));
}

#[test]
fn sizes_and_names_that_make_no_sense_are_usage_errors() {
    for arguments in
        ["loss --size 10x10", "loss --size 800", "loss --size 800x9999", "loss -o a.pdf", "loss -o a.jpg", "draw", ""]
    {
        complaint_of_clap(arguments, log(3).as_bytes());
    }
}

/// What a command line that makes no sense is told; the explanation may have several lines.
fn complaint_of_clap(arguments: &str, input: &[u8]) -> String {
    let folder = folder(&[]);
    let output = run(folder.path(), arguments, input);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{arguments}: {message}");
    assert!(message.starts_with("vae-plot: "), "{arguments}: {message}");
    message
}
