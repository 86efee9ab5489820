//! Latency: an item is answered before the next one is sent, and before an error after it.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::harness::TestDir;

/// Sends an item to a program, and the next only when the first is answered.
fn answers_each(dir: &TestDir, line: &str, item: &str) {
    let mut words = line.split(' ');
    let mut command = dir.command(words.next().expect("a program"));
    let mut child = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program");
    let mut input = child.stdin.take().expect("a pipe");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut first = None;
    for _ in 0..5 {
        writeln!(input, "{item}").expect("it reads");
        let mut answer = String::new();
        output.read_line(&mut answer).expect("it answers");
        assert!(answer.starts_with('{') && answer.ends_with("}\n"), "{line}: {answer}");
        assert_eq!(*first.get_or_insert_with(|| answer.clone()), answer, "{line}");
    }
    drop(input);
    assert!(child.wait().expect("an end").success(), "{line}");
}

#[test]
fn an_item_that_is_typed_is_answered_before_the_next() {
    let dir = TestDir::with_model();
    let row = format!("[{}]", ["7"; 28].join(","));
    answers_each(&dir, "vae-encode -m model.bin --jsonl", &format!("{{\"x\":[{}]}}", [row.as_str(); 28].join(",")));
    answers_each(&dir, "vae-decode -m model.bin --jsonl", "{\"z\":[0.5,-1,2,0]}");
}

#[test]
fn a_fault_in_the_middle_of_a_long_stream_comes_after_all_that_was_made_before_it() {
    let dir = TestDir::with_model();
    let item = |k: usize| if k == 2000 { "{\"z\":[0,1,\"NaN\",3]}\n" } else { "{\"z\":[0,1,2,3]}\n" };
    dir.write("z.jsonl", (0..3000).map(item).collect::<String>());
    // One frame for each 250 items: eight are whole.
    let line = "vae-cat z.jsonl --batch 250 | vae-decode -m model.bin --jsonl > out.jsonl";
    dir.pipe(line).fails(65, "vae-decode", &["z of item 2000 holds NaN"]);
    assert_eq!(dir.read("out.jsonl").iter().filter(|byte| **byte == b'\n').count(), 2000);
    dir.pipe("vae-cat z.jsonl --batch 250 | vae-decode -m model.bin 2> said | vae-cat --check").fails(
        65,
        "vae-cat",
        &["vae-decode failed", "z of item 2000 holds NaN"],
    );
}
