//! Every target takes every file of the corpus and of the attacks.

use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

#[test]
fn every_target_takes_its_corpus_and_every_attack() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let attacks: Vec<PathBuf> =
        files(&here.join("attacks")).iter().filter(|f| f.is_dir()).flat_map(|f| files(f)).collect();
    for (name, target) in vae_fuzz::TARGETS {
        for file in files(&here.join("corpus").join(name)).iter().chain(&attacks) {
            eprintln!("{name}: {}", file.display()); // shown where it panics
            target(&fs::read(file).expect("a file"));
        }
    }
}

#[test]
fn every_target_has_a_program() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz_targets");
    let names: Vec<_> = files(&programs).iter().map(|f| f.file_stem().expect("a name").to_owned()).collect();
    let mut targets: Vec<&str> = vae_fuzz::TARGETS.iter().map(|(name, _)| *name).collect();
    targets.sort();
    assert_eq!(names, targets);
}
