//! Determinism: the same bytes for any number of threads and of images per frame.

use crate::harness::{MODEL, TestDir};

const THREADS: [usize; 3] = [1, 2, 8];
const FRAMES: [usize; 3] = [1, 7, 256];

/// Asserts that a pipe writes the same bytes for all numbers of threads and of images per frame.
fn same_bytes(dir: &TestDir, line: impl Fn(usize, usize) -> String) {
    let mut first = None;
    for frame in FRAMES {
        for threads in THREADS {
            let line = line(frame, threads);
            let bytes = dir.pipe(&line).succeeds().stdout;
            assert!(!bytes.is_empty(), "{line}");
            assert!(*first.get_or_insert_with(|| bytes.clone()) == bytes, "other bytes than before from {line}");
        }
    }
}

#[test]
fn means_are_the_same_for_all_threads_and_frames() {
    same_bytes(&TestDir::with_model(), |frame, threads| {
        format!("mnist-dump --synthetic=300 --batch {frame} | vae-encode -m model.bin --threads {threads} --npy z")
    });
}

#[test]
fn draws_are_the_same_for_all_threads_and_frames() {
    same_bytes(&TestDir::with_model(), |frame, threads| {
        let encode = "vae-encode -m model.bin --sample --seed 3 --npy z";
        format!("mnist-dump --synthetic=300 --batch {frame} | {encode} --threads {threads}")
    });
}

#[test]
fn images_are_the_same_for_all_threads_and_frames() {
    same_bytes(&TestDir::with_model(), |frame, threads| {
        format!("vae-sample -m model.bin -n 300 --batch {frame} | vae-decode --threads {threads} --npy x_hat")
    });
}

#[test]
fn drawn_pixels_are_the_same_for_all_threads_and_frames() {
    same_bytes(&TestDir::with_model(), |frame, threads| {
        let decode = "vae-decode --bernoulli --u8 --npy x_hat";
        format!("vae-sample -m model.bin -n 300 --batch {frame} | {decode} --threads {threads}")
    });
}

#[test]
fn items_without_numbers_draw_by_their_place_in_the_stream() {
    let dir = TestDir::with_model();
    dir.run("mnist-dump --synthetic=300 --npy x > x.npy").succeeds();
    same_bytes(&dir, |frame, threads| {
        let encode = "vae-encode -m model.bin --sample --npy z";
        format!("vae-cat x.npy --batch {frame} | {encode} --threads {threads}")
    });
}

#[test]
fn training_gives_the_same_model_for_all_threads_and_frames() {
    // The last batch of 13 is smaller than the others.
    same_bytes(&TestDir::new(), |frame, threads| {
        let train = format!("vae-train {MODEL} --epochs 2 --batch 13 --samples 2 --threads {threads} -o model.bin");
        format!("rm -f model.bin; mnist-dump --synthetic=200 --batch {frame} | {train} > losses.jsonl; cat model.bin")
    });
}

#[test]
fn another_seed_gives_another_model() {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=100 -o digits.vae").succeeds();
    for seed in [0, 1] {
        dir.run(&format!("vae-train {MODEL} --epochs 1 --seed {seed} digits.vae -o {seed}.bin > losses.jsonl"))
            .succeeds();
    }
    dir.assert_differ("0.bin", "1.bin");
}

#[test]
fn a_model_tells_nothing_of_its_place_and_time() {
    let (a, b) = (TestDir::new(), TestDir::new());
    for dir in [&a, &b] {
        dir.pipe(&format!("mnist-dump --synthetic=100 | vae-train {MODEL} --epochs 1 -o model.bin")).succeeds();
    }
    assert!(a.read("model.bin") == b.read("model.bin"));
}
