//! `vae-plot loss`: logs in every form and state.

use super::{complaint, count, epoch, log, preview, svg, svg_and_message};

/// The epochs that a log shows.
fn epochs(log: &[u8]) -> usize {
    count(&svg("loss --show loss", log, &[]), "<circle ") / 2
}

/// The epochs that a log shows, and what is said of it.
fn epochs_and_message(log: &[u8]) -> (usize, String) {
    let (svg, message) = svg_and_message("loss --show loss", log, &[]);
    (count(&svg, "<circle ") / 2, message)
}

/// What is said of a log of so many lines, of which `bad` are passed over, the first of them line `first`.
fn passed_over(bad: usize, lines: usize, first: usize) -> String {
    format!("vae-plot: standard input: {bad} of {lines} lines passed over: line {first}: expected one JSON object")
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
    let again = log(6) + "{\"kind\":\"run\"}\n" + &epoch(5, [90.0, 9.0], Some([200.0, 9.0]));
    let svg = svg("loss --show loss", again.as_bytes(), &[]);
    assert_eq!(count(&svg, "<circle ") / 2, 6);
    assert!(super::texts(&svg).contains(&"200"), "{:?}", super::texts(&svg));
}

#[test]
fn other_records_and_empty_lines_are_passed_over() {
    let log = log(3) + "\n" + r#"{"kind":"step","step":7}"# + "\n" + r#"{"kind":"done","seconds":1.5}"# + "\n";
    assert_eq!(epochs(log.as_bytes()), 3);
}

#[test]
fn a_log_that_was_cut_off_at_any_byte_and_goes_on_is_drawn_whole() {
    let log = log(3);
    // Not every byte, but each place in a record, and both sides of a newline.
    let ends: Vec<usize> = log.match_indices('\n').map(|(at, _)| at).collect();
    for cut in (1..40).chain(ends.iter().flat_map(|at| at - 1..=at + 1)).chain([log.len() - 7]) {
        let torn = [&log.as_bytes()[..cut], log.as_bytes()].concat();
        let (epochs, message) = epochs_and_message(&torn);
        let lines = torn.iter().filter(|b| **b == b'\n').count();
        let whole = log.as_bytes()[..cut].ends_with(b"\n");
        let expected = if whole { String::new() } else { passed_over(1, lines, lines - 3) };
        assert!(epochs == 3 && message.starts_with(&expected) && message.is_empty() == whole, "{cut}: {message}");
    }
}

#[test]
fn a_record_behind_a_torn_one_is_kept() {
    let [first, second] = [1, 2].map(|n| epoch(n, [90.0, 9.0], None));
    let torn = first.clone() + &first[..30] + &second;
    let (svg, message) = svg_and_message("loss --show loss", torn.as_bytes(), &[]);
    assert_eq!(count(&svg, "<circle "), 2);
    assert!(message.starts_with(&passed_over(1, 2, 2)), "{message}");
}

#[test]
fn messages_of_other_programs_in_a_log_are_passed_over_and_said() {
    let log = log(4);
    let lines: Vec<&str> = log.lines().collect();
    let mixed =
        ["vae-train: computing on the CPU", lines[0], "", "[2] 3\u{1b}[0m", lines[1], "3", lines[2], "{]", lines[3]];
    let mixed = mixed.join("\r\n") + "\r\nWarnung: Gerät\n" + lines[4];
    let (epochs, message) = epochs_and_message(mixed.as_bytes());
    assert!(epochs == 4 && message.starts_with(&passed_over(5, 11, 1)), "{epochs} {message}");
    assert_eq!(message.lines().count(), 1);
}

#[test]
fn nul_bytes_of_a_crash_and_a_byte_order_mark_are_no_part_of_a_record() {
    let log = log(3);
    let nul = "\0".repeat(5000);
    assert_eq!(epochs((nul.clone() + &log + &nul + "\n" + &log + &nul).as_bytes()), 3);
    assert_eq!(epochs(("\u{feff}".to_owned() + &log).as_bytes()), 3);
    let torn = log[..log.len() - 20].to_owned() + &nul + &log;
    let (epochs, message) = epochs_and_message(torn.as_bytes());
    assert!(epochs == 3 && message.starts_with(&passed_over(1, 7, 4)), "{message}");
}

#[test]
fn a_line_of_any_length_is_passed_over() {
    let log = log(3) + &"x".repeat(100 << 20) + "\n" + &epoch(4, [90.0, 9.0], Some([80.0, 9.0]));
    let (epochs, message) = epochs_and_message(log.as_bytes());
    assert!(
        epochs == 4 && message.contains("1 of 6 lines passed over: line 5: bad line: expected at most"),
        "{message}"
    );
}

#[test]
fn epochs_that_come_twice_in_one_run_are_said() {
    let run = log(3);
    let lines: Vec<&str> = run.lines().collect();
    let both: String = lines.iter().flat_map(|line| [line, "\n", line, "\n"]).collect();
    let (epochs, message) = epochs_and_message(both.as_bytes());
    assert_eq!(epochs, 3);
    assert!(message.contains("epoch 1 comes twice without a run record between"), "{message}");
    assert_eq!(self::epochs((run.clone() + &run).as_bytes()), 3, "a run that was resumed is one");
}

#[test]
fn a_stream_that_was_cut_off_at_any_byte_and_goes_on_with_another_is_drawn_whole() {
    let stream = preview(&log(6));
    for cut in (stream.len() / 2..stream.len() - 1).step_by(97) {
        let torn = [&stream[..cut], &stream].concat();
        let (epochs, message) = epochs_and_message(&torn);
        assert!(epochs == 6 && message.contains("1 of the streams cut off before the last"), "{cut}: {message}");
    }
}
