//! Error propagation: a failed stage fails every stage after it; the first and the last print its message.

use crate::harness::TestDir;

/// The standard error of one stage, which the tests redirect to a file of this name.
fn said(dir: &TestDir, name: &str) -> String {
    String::from_utf8(dir.read(name)).expect("text")
}

fn is_one_line_of(tool: &str, message: &str, words: &[&str]) {
    assert!(message.starts_with(&format!("{tool}: ")) && message.lines().count() == 1, "{message}");
    assert!(words.iter().all(|word| message.contains(word)), "expected {words:?} in {message}");
}

#[test]
fn a_fault_is_said_where_it_is_met_and_at_the_end_and_exits_with_65_from_there_on() {
    let dir = TestDir::with_model();
    let line = "mnist-dump --synthetic=3000 | head -c 1000000 | vae-encode -m model.bin 2> 1 | vae-decode 2> 2 | \
                vae-cat 2> 3 | vae-cat --check 2> 4";
    let output = dir.pipe(line);
    assert_eq!(output.codes, [0, 0, 65, 65, 65, 65], "{output}");
    assert!(output.stdout.is_empty(), "{output}");
    is_one_line_of("vae-encode", &said(&dir, "1"), &["standard input", "stops at byte 1000000"]);
    assert_eq!((said(&dir, "2"), said(&dir, "3")), (String::new(), String::new()), "those between say nothing");
    is_one_line_of("vae-cat", &said(&dir, "4"), &["vae-encode failed", "stops at byte 1000000"]);
}

#[test]
fn every_program_at_the_end_says_what_failed_before_and_leaves_no_file() {
    let dir = TestDir::with_model();
    dir.run("mnist-dump --synthetic=30 | head -c 10000 > cut.vae").succeeds();
    for (middle, sink) in [
        ("vae-cat", "vae-encode -m model.bin -o out"),
        ("vae-encode -m model.bin", "vae-decode -o out"),
        ("vae-encode -m model.bin", "vae-cat --npy z -o out"),
        ("vae-encode -m model.bin", "vae-decode --jsonl -o out"),
        ("vae-cat", "grid-png --max 0 -o out"),
        ("vae-encode -m model.bin", "vae-plot latent -o out"),
        ("vae-cat", "vae-train -o out"),
        ("vae-cat", "vae-cat > redirected"),
    ] {
        let output = dir.pipe(&format!("{middle} cut.vae 2> 1 | {sink} 2> 2"));
        assert_eq!(output.codes, [65, 65], "{output}");
        let [first, last] = [middle, sink].map(|line| line.split(' ').next().expect("a program"));
        is_one_line_of(first, &said(&dir, "1"), &["cut.vae", "stops at byte 10000"]);
        is_one_line_of(last, &said(&dir, "2"), &[&format!("{first} failed"), "stops at byte 10000"]);
        assert!(!dir.path("out").exists(), "{sink} left a file");
    }
}

#[test]
fn plain_sh_sees_the_failure_of_an_early_stage() {
    let dir = TestDir::with_model();
    let line = "vae-encode -m no.bin 2> 1 | vae-decode 2> 2 | grid-png -o out.png";
    dir.run(line).fails(65, "grid-png", &["nothing arrived", "see the message of the stage before"]);
    is_one_line_of("vae-encode", &said(&dir, "1"), &["no.bin"]);
    assert!(!dir.path("out.png").exists());
}

#[test]
fn a_stage_that_is_killed_is_noticed_by_all_after_it() {
    let dir = TestDir::with_model();
    // The dump is killed when 200,000 of its bytes have been read; the rest is read only then, and is far from all.
    let line = "mkfifo now; { mnist-dump --synthetic=60000 & dump=$!; read < now; kill -9 $dump; wait $dump; } 2> 0 | \
                { head -c 200000; echo > now; cat; } | \
                vae-encode -m model.bin 2> 1 | vae-decode 2> 2 | grid-png --max 0 -o out.png";
    let output = dir.pipe(line);
    assert_eq!(output.codes, [137, 0, 65, 65, 65], "{output}");
    is_one_line_of("vae-encode", &said(&dir, "1"), &["standard input", "see the message of the stage before"]);
    assert_eq!(said(&dir, "2"), "");
    output.reports("grid-png", &["vae-encode failed"]);
    assert!(!dir.path("out.png").exists());
}

#[test]
fn a_filter_that_is_killed_is_noticed_too() {
    let dir = TestDir::with_model();
    dir.run("mkfifo now latents").succeeds();
    let line = "vae-sample -m model.bin -n 100000 > latents & \
                { vae-decode latents & decode=$!; read < now; kill -9 $decode; wait $decode; } 2> 0 | \
                { head -c 200000; echo > now; cat; } | vae-cat -o out.vae";
    let output = dir.pipe(line);
    assert_eq!(output.codes, [137, 0, 65], "{output}");
    output.reports("vae-cat", &["standard input", "see the message of the stage before"]);
    assert!(!dir.path("out.vae").exists());
}

#[test]
fn a_fault_in_the_test_images_of_a_run_is_named() {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=30 -o digits.vae; head -c 10000 digits.vae > cut.vae").succeeds();
    let line = "vae-train --test cut.vae digits.vae -o model.bin";
    dir.run(line).fails(65, "vae-train", &["cut.vae", "stops at byte 10000"]);
    assert!(!dir.path("model.bin").exists());
}

#[test]
fn a_closed_reader_ends_every_program_quietly() {
    let dir = TestDir::with_model();
    dir.run("mnist-dump --synthetic=5000 -o digits.vae; vae-encode -m model.bin digits.vae -o z.vae").succeeds();
    for line in [
        "mnist-dump --synthetic=1000000",
        "mnist-dump --synthetic=1000000 --jsonl",
        "vae-encode -m model.bin --keep x digits.vae",
        "vae-encode -m model.bin --keep x digits.vae --npy x",
        "vae-encode -m model.bin --keep x digits.vae --jsonl",
        "vae-decode z.vae",
        "vae-sample -m model.bin -n 10000000",
        "vae-cat digits.vae",
        "grid-png digits.vae --max 0",
        "vae-plot latent z.vae",
        "mnist-dump --synthetic=1000000 | vae-encode -m model.bin | vae-decode | vae-cat",
    ] {
        let output = dir.pipe(&format!("{line} | head -c 100")).succeeds();
        assert_eq!(output.stdout.len(), 100, "{output}");
    }
    // These say too little to notice.
    for line in ["vae-cat --check digits.vae", "vae-cat --head digits.vae", "vae-train --dry-run digits.vae"] {
        dir.pipe(&format!("{line} | head -c 1")).succeeds();
    }
}
