//! Files that lie, `fuzz/attacks`: every program that takes them refuses each, in one line and in little memory.

use std::fs;

use crate::harness::{TestDir, repository};

/// What a program says of the head of its input, before the rest has come.
const GUESSES: [&str; 2] = ["are read as images of", "is read as one image"];

/// KiB of address space of a program.
const MEMORY: u32 = 65536;

/// Programs that read images or latents: `attack` in, `out` out.
const READERS: [&str; 11] = [
    "vae-cat attack -o out",
    "vae-cat --check attack -o out",
    "vae-cat attack --jsonl -o out",
    "vae-cat x=attack -o out",
    "vae-encode -m model.bin attack -o out",
    "vae-decode -m model.bin attack -o out",
    "vae-eval -m model.bin attack -o out",
    "vae-train --hidden 4 --latent 2 --epochs 1 attack -o out",
    "vae-sample -m model.bin --interpolate linear attack -o out",
    "vae-plot latent attack -o out",
    "grid-png attack -o out",
];

/// Programs that read logs.
const LOG_READERS: [&str; 1] = ["vae-plot loss attack -o out"];

/// Programs that read models, weights and all.
const MODEL_READERS: [&str; 7] = [
    "vae-model verify attack -o out",
    "vae-model export attack -o out",
    "vae-model page -m attack -o out",
    "vae-encode -m attack images.vae -o out",
    "vae-decode -m attack latents.npy -o out",
    "vae-eval -m attack images.vae -o out",
    "vae-train --hidden 400 --latent 20 --epochs 1 images.vae --resume --checkpoint attack -o out",
];

/// Runs the programs on every attack of a folder, under the attack's own name, and expects one line, exit code 65, and no file.
fn refused_by(folder: &str, programs: &[&str]) {
    let dir = TestDir::with_model();
    dir.run("mnist-dump --synthetic=3 -o images.vae; vae-sample -m model.bin -n 3 --npy z -o latents.npy").succeeds();
    let before = dir.files();
    let mut faults = Vec::new();
    for entry in fs::read_dir(repository().join("fuzz/attacks").join(folder)).expect("a folder of attacks") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        for program in programs {
            fs::copy(&path, dir.path(name)).expect("a copy");
            let output = dir.run(&format!("ulimit -v {MEMORY}; {}", program.replace("attack", &format!("'{name}'"))));
            fs::remove_file(dir.path(name)).expect("the copy is there");
            let mut lines = output.stderr.lines().filter(|line| !GUESSES.iter().any(|guess| line.contains(guess)));
            let one_line = lines.next().is_some_and(|line| line.starts_with(&program[..4])) && lines.next().is_none();
            // A bomb is no lie about its size: where memory ends first, that is said.
            let refused = output.codes == [65] || name.starts_with("bomb") && output.codes == [69];
            if !refused || !one_line || dir.files() != before {
                faults.push(format!("{name}: exit {:?}: {}: {}", output.codes, program, output.stderr));
                dir.run("rm -f out");
            }
        }
    }
    assert!(faults.is_empty(), "expected exit code 65, one line and no file:\n{}", faults.join("\n"));
}

#[test]
fn a_false_npy_is_refused() {
    refused_by("npy", &READERS);
}

#[test]
fn a_false_stream_is_refused() {
    refused_by("stream", &READERS);
}

#[test]
fn false_newline_json_is_refused() {
    refused_by("jsonl", &READERS);
}

#[test]
fn a_false_log_is_refused() {
    refused_by("log", &LOG_READERS);
}

#[test]
fn a_false_model_is_refused() {
    refused_by("model", &MODEL_READERS);
}

#[test]
fn a_false_state_dict_is_refused() {
    refused_by("state_dict", &["vae-model import attack -o out"]);
}

#[test]
fn a_false_idx_is_refused() {
    refused_by("idx", &["mnist-dump --data attack -o out", "mnist-dump --data attack --shuffle -o out"]);
}

#[test]
fn a_false_amat_is_refused() {
    refused_by("amat", &["mnist-dump --data attack -o out"]);
}

#[test]
fn a_false_picture_is_refused() {
    refused_by("picture", &["image-dump attack -o out", "image-dump - -o out < attack"]);
}
