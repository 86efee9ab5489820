//! What `make gpu-check` sends to a machine with a GPU, `tests/gpu/run.sh`: on the emulator, with little of everything.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::Place;
use crate::given::skipped;
use crate::place::{Ran, TOOLS, repository, tools};

/// As the tests of Rust end.
const GOOD: &str =
    "#!/bin/sh\n[ \"$VAE_CUDA_TEST\" = device ] && echo 'test result: ok. 3 passed; 0 failed; 0 ignored'\n";
const BAD: &str = "#!/bin/sh\necho 'test each ... ok'; echo 'test wide_products ... FAILED'; exit 101\n";
/// As compute-sanitizer runs a program in which it finds nothing, and one in which it does.
const CLEAN: &str = "#!/bin/sh\nshift 4\n\"$@\" && echo '========= ERROR SUMMARY: 0 errors'\n";
const FOUND: &str = "#!/bin/sh\necho '========= COMPUTE-SANITIZER'; echo '========= Invalid read of size 4'; exit 9\n";

/// What `make gpu-check` makes, of links, with these programs for parity and for compute-sanitizer; or none, told.
fn with_folder(test: &str, parity: &str, sanitizer: &str) -> Option<Place> {
    let Some(emulator) = cuda_emulator::folder(Path::new(env!("CARGO_TARGET_TMPDIR"))) else {
        skipped(test, "no C++ compiler here");
        return None;
    };
    let mut place = Place::new();
    fs::create_dir_all(place.path("folder/bin")).expect("a folder");
    for tool in TOOLS {
        symlink(tools().join(tool), place.path("folder/bin").join(tool)).expect("a link");
    }
    symlink(repository().join("tests/peers"), place.path("folder/peers")).expect("a link");
    for script in ["run", "steps", "checks", "bench"] {
        let name = format!("{script}.sh");
        symlink(repository().join("tests/gpu").join(&name), place.path("folder").join(&name)).expect("a link");
    }
    for (name, text) in [("folder/bin/cuda-parity", parity), ("sanitizer", sanitizer)] {
        place.write(name, text);
    }
    place.run("chmod +x folder/bin/cuda-parity sanitizer").succeeds();
    place.set("LD_LIBRARY_PATH", emulator);
    place.set("SANITIZER", "./sanitizer");
    place.set("NETWORKS", "9 --hidden 9 --latent 3 --batch 5\n5 --preset ae-20 --batch 5");
    place.set("PYTHON", "false");
    for (name, value) in [("IMAGES", "16"), ("TEST_IMAGES", "8"), ("EPOCHS", "2"), ("SEEDS", "1"), ("ROUNDS", "1")] {
        place.set(name, value);
    }
    place.set("SMALL", "9 3 8");
    Some(place)
}

/// The table: of each part, its result and its numbers.
fn rows(ran: &Ran) -> Vec<[String; 3]> {
    let (_, table) = ran.text().split_once("|---|---|---|\n").expect("a table");
    let cells = |line: &str| line.trim_matches(['|', ' ']).splitn(3, " | ").map(String::from).collect::<Vec<_>>();
    table.lines().map(|line| cells(line).try_into().unwrap_or_else(|cells| panic!("{cells:?}"))).collect()
}

#[test]
fn the_check_of_a_gpu_tells_of_all_its_parts_in_a_table() {
    let Some(place) = with_folder("gpu-check", GOOD, CLEAN) else { return };
    let ran = place.run("folder/run.sh parity memcheck losses small pipes").succeeds();
    let rows = rows(&ran);
    let found = |part: &str| {
        let row = rows.iter().find(|[name, ..]| name == part).unwrap_or_else(|| panic!("no {part}\n{ran}"));
        [&*row[1], &*row[2]]
    };
    assert_eq!(found("parity"), ["ok", "3 tests"]);
    assert_eq!(found("memcheck"), ["ok", "2 networks"]);
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
        assert!(result == "ok" && numbers.contains(told), "{part}\n{ran}");
    }
    let records = String::from_utf8(place.read("out/records.jsonl")).expect("text");
    let all: Vec<serde_json::Value> = records.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(all.iter().any(|r| r["of"] == "N = 8, 784-9-3: vae-train bf16" && r["kind"] == "epoch"), "{records}");
    assert!(ran.text().ends_with(&*String::from_utf8_lossy(&place.read("out/table.md"))), "{ran}");
}

#[test]
fn what_the_check_of_a_gpu_finds_is_in_its_table_and_its_status() {
    let Some(mut place) = with_folder("gpu-check, with errors", BAD, FOUND) else { return };
    place.set("EMULATOR_FAIL", "launch:12"); // after the one step that shows whether there is a GPU
    let ran = place.run("folder/run.sh parity memcheck small");
    assert_eq!(ran.codes, [1], "{ran}");
    let rows = rows(&ran);
    let wrong: Vec<[&str; 2]> = rows.iter().filter(|r| r[1] == "NOT ok").map(|r| [&*r[0], &*r[2]]).collect();
    assert_eq!(wrong[0], ["parity", "wide_products"], "{ran}");
    assert_eq!(wrong[1], ["memcheck", "--hidden 9 --latent 3 --batch 5: Invalid read of size 4"], "{ran}");
    assert!(wrong[2][1].contains("the GPU failed to run a step"), "{ran}");
    assert_eq!(wrong.len(), 5, "{ran}");
}

#[test]
fn the_check_of_a_gpu_ends_at_once_where_there_is_none() {
    let Some(mut place) = with_folder("gpu-check, without a GPU", GOOD, CLEAN) else { return };
    place.set("LD_LIBRARY_PATH", "");
    place.set("CUDA_VISIBLE_DEVICES", "");
    let ran = place.run("folder/run.sh");
    assert_eq!(ran.codes, [1], "{ran}");
    let rows = rows(&ran);
    assert!(rows.len() == 1 && rows[0][1] == "NOT ok" && rows[0][2].contains("try --device cpu"), "{ran}");
}

#[test]
fn the_check_of_a_gpu_refuses_a_part_that_it_has_not() {
    let place = Place::new();
    let line = format!("{}/tests/gpu/run.sh everything", repository().display());
    place.run(&line).fails(2, "run.sh", &["everything", "parity", "pipes"]);
    assert!(place.files().is_empty(), "{:?}", place.files());
}
