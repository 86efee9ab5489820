//! `tests/gpu/run.sh`, the script of `make gpu-check`, on the GPU emulator with small numbers of everything.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::harness::{CommandOutput, TOOLS, TestDir, repository, tools};

/// Stubs of the parity tests: the last line of a test run that passes, and of one that fails.
const GOOD: &str =
    "#!/bin/sh\n[ \"$VAE_CUDA_TEST\" = device ] && echo 'test result: ok. 3 passed; 0 failed; 0 ignored'\n";
const BAD: &str = "#!/bin/sh\necho 'test each ... ok'; echo 'test wide_products ... FAILED'; exit 101\n";
/// Stubs of compute-sanitizer: one that finds no error, and one that finds one.
const CLEAN: &str = "#!/bin/sh\nshift 4\n\"$@\" && echo '========= ERROR SUMMARY: 0 errors'\n";
const FOUND: &str = "#!/bin/sh\necho '========= COMPUTE-SANITIZER'; echo '========= Invalid read of size 4'; exit 9\n";

/// The folder of `make gpu-check`, made of links, with these stubs of the parity tests and of compute-sanitizer.
fn with_folder(parity: &str, sanitizer: &str) -> TestDir {
    let emulator = cuda_emulator::folder(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let mut dir = TestDir::new();
    fs::create_dir_all(dir.path("folder/bin")).expect("a folder");
    for tool in TOOLS {
        symlink(tools().join(tool), dir.path("folder/bin").join(tool)).expect("a link");
    }
    symlink(repository().join("tests/peers"), dir.path("folder/peers")).expect("a link");
    for script in ["run", "steps", "checks", "bench"] {
        let name = format!("{script}.sh");
        symlink(repository().join("tests/gpu").join(&name), dir.path("folder").join(&name)).expect("a link");
    }
    for (name, text) in [("folder/bin/cuda-parity", parity), ("sanitizer", sanitizer)] {
        dir.write(name, text);
    }
    dir.run("chmod +x folder/bin/cuda-parity sanitizer").succeeds();
    dir.set("LD_LIBRARY_PATH", emulator);
    dir.set("SANITIZER", "./sanitizer");
    dir.set("NETWORKS", "9 --hidden 9 --latent 3 --batch 5\n5 --preset ae-20 --batch 5");
    dir.set("PYTHON", "false");
    for (name, value) in [("IMAGES", "16"), ("TEST_IMAGES", "8"), ("EPOCHS", "2"), ("SEEDS", "1"), ("ROUNDS", "1")] {
        dir.set(name, value);
    }
    dir.set("SMALL", "9 3 8");
    dir
}

/// The rows of the table: part, result, numbers.
fn rows(output: &CommandOutput) -> Vec<[String; 3]> {
    let (_, table) = output.text().split_once("|---|---|---|\n").expect("a table");
    let cells = |line: &str| line.trim_matches(['|', ' ']).splitn(3, " | ").map(String::from).collect::<Vec<_>>();
    table.lines().map(|line| cells(line).try_into().unwrap_or_else(|cells| panic!("{cells:?}"))).collect()
}

#[test]
fn the_check_of_a_gpu_tells_of_all_its_parts_in_a_table() {
    let dir = with_folder(GOOD, CLEAN);
    let output = dir.run("folder/run.sh parity memcheck initcheck synccheck losses small pipes").succeeds();
    let rows = rows(&output);
    let found = |part: &str| {
        let row = rows.iter().find(|[name, ..]| name == part).unwrap_or_else(|| panic!("no {part}\n{output}"));
        [&*row[1], &*row[2]]
    };
    assert_eq!(found("parity"), ["ok", "3 tests"]);
    for tool in ["memcheck", "initcheck", "synccheck"] {
        assert_eq!(found(tool), ["ok", "2 networks"]);
    }
    assert_eq!(found("N = 8, 784-9-3: PyTorch"), ["skipped", "false has no torch and numpy that see a GPU"]);
    for (part, told) in [
        ("a GPU", " s"),
        ("losses: 784-400-20, tf32", "expected"),
        ("losses: 784-512-256-2, fp32", "epoch 2: "),
        ("N = 8, 784-9-3: vae-train fp32", "s per epoch"),
        ("N = 8, 784-9-3: vae-train bf16", "test loss"),
        ("vae-encode / vae-decode / vae-cat --check, cuda", "16 images in"),
        ("vae-encode / vae-decode / vae-cat --check, cpu", "images/s"),
    ] {
        let [result, numbers] = found(part);
        assert!(result == "ok" && numbers.contains(told), "{part}\n{output}");
    }
    let records = String::from_utf8(dir.read("out/records.jsonl")).expect("text");
    let all: Vec<serde_json::Value> = records.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(all.iter().any(|r| r["of"] == "N = 8, 784-9-3: vae-train bf16" && r["kind"] == "epoch"), "{records}");
    assert!(output.text().ends_with(&*String::from_utf8_lossy(&dir.read("out/table.md"))), "{output}");
}

#[test]
fn what_the_check_of_a_gpu_finds_is_in_its_table_and_its_status() {
    let mut dir = with_folder(BAD, FOUND);
    dir.set("EMULATOR_FAIL", "launch:20"); // after the one step that shows whether there is a GPU, and its check for NaN
    let output = dir.run("folder/run.sh parity memcheck small");
    assert_eq!(output.codes, [1], "{output}");
    let rows = rows(&output);
    let wrong: Vec<[&str; 2]> = rows.iter().filter(|r| r[1] == "NOT ok").map(|r| [&*r[0], &*r[2]]).collect();
    assert_eq!(wrong[0], ["parity", "wide_products"], "{output}");
    assert_eq!(wrong[1], ["memcheck", "--hidden 9 --latent 3 --batch 5: Invalid read of size 4"], "{output}");
    assert!(wrong[2][1].contains("the GPU failed to run a step"), "{output}");
    assert_eq!(wrong.len(), 5, "{output}");
}

#[test]
fn the_check_of_a_gpu_ends_at_once_where_there_is_none() {
    let mut dir = with_folder(GOOD, CLEAN);
    dir.set("LD_LIBRARY_PATH", "");
    dir.set("CUDA_VISIBLE_DEVICES", "");
    let output = dir.run("folder/run.sh");
    assert_eq!(output.codes, [1], "{output}");
    let rows = rows(&output);
    assert!(rows.len() == 1 && rows[0][1] == "NOT ok" && rows[0][2].contains("try --device cpu"), "{output}");
}

#[test]
fn the_check_of_a_gpu_refuses_a_part_that_it_has_not() {
    let dir = TestDir::new();
    let line = format!("{}/tests/gpu/run.sh everything", repository().display());
    dir.run(&line).fails(2, "run.sh", &["everything", "parity", "pipes"]);
    assert!(dir.files().is_empty(), "{:?}", dir.files());
}
