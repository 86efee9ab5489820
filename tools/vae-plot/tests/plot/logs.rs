//! `vae-plot loss`: logs in every form and state.

use super::{complaint, count, epoch, log, preview, svg};

/// The epochs that a log shows.
fn epochs(log: &[u8]) -> usize {
    count(&svg("loss --show loss", log, &[]), "<circle ") / 2
}

#[test]
fn newline_json_and_a_stream_give_the_same_picture() {
    let log = log(6);
    assert_eq!(svg("loss", log.as_bytes(), &[]), svg("loss", &preview(&log), &[]));
}

#[test]
fn a_file_and_standard_input_give_the_same_picture() {
    let log = log(6);
    let from_file = svg("loss run.jsonl", b"", &[("run.jsonl", log.as_bytes())]);
    assert_eq!(svg("loss", log.as_bytes(), &[]), from_file);
    assert_eq!(svg("loss -", log.as_bytes(), &[]), from_file);
}

#[test]
fn a_log_whose_last_line_is_being_written_shows_what_is_there() {
    let log = log(6);
    assert_eq!(epochs(&log.as_bytes()[..log.len() - 20]), 5);
    assert_eq!(epochs(log.trim_end().as_bytes()), 6, "a last line that lacks its newline alone");
}

#[test]
fn a_stream_that_was_cut_off_shows_what_was_verified() {
    let stream = preview(&log(6));
    let end = stream.len();
    // Within the line of the end, a record, and a picture.
    let shown: Vec<usize> = [end - 10, end - 200, end - 700].map(|at| epochs(&stream[..at])).to_vec();
    assert!(shown[0] == 6 && shown[1] <= 6 && shown[2] < 6 && shown[2] >= 3, "{shown:?}");
}

#[test]
fn a_stream_whose_run_failed_shows_its_epochs() {
    use vae_stream::{Head, Memory, Writer};
    let memory = Memory::default();
    let mut writer = Writer::framed(memory.clone(), &Head::new()).unwrap();
    for n in 1..=3 {
        let record: serde_json::Map<_, _> = serde_json::from_str(&epoch(n, [90.0, 9.0], Some([80.0, 9.0]))).unwrap();
        writer.write(record).unwrap();
    }
    let _ = writer.fail(vae_cli::Error::Failed("the loss is not finite".into()));
    assert_eq!(epochs(&memory.bytes()), 3);
}

#[test]
fn a_stream_that_is_damaged_before_its_end_is_refused() {
    let mut stream = preview(&log(6));
    let at = stream.windows(9).position(|w| w == br#""epoch":3"#).unwrap();
    stream[at + 8] = b'4';
    assert!(complaint("loss", &stream, &[], 65).contains("crc32"));
}

#[test]
fn of_a_repeated_epoch_the_last_counts() {
    let again = log(6) + &epoch(5, [90.0, 9.0], Some([200.0, 9.0]));
    let svg = svg("loss --show loss", again.as_bytes(), &[]);
    assert_eq!(count(&svg, "<circle ") / 2, 6);
    assert!(super::texts(&svg).contains(&"200"), "{:?}", super::texts(&svg));
}

#[test]
fn other_records_and_empty_lines_are_passed_over() {
    let log = log(3) + "\n" + r#"{"kind":"step","step":7}"# + "\n" + r#"{"kind":"done","seconds":1.5}"# + "\n";
    assert_eq!(epochs(log.as_bytes()), 3);
}
