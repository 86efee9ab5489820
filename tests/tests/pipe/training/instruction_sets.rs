//! `VAE_CPU`, the instruction set of a CPU, and `--precision`, the number format of products.

use serde_json::json;

use crate::harness::{MODEL, TestDir};

const RUN: &str = "--batch 20 digits.vae --test test.vae";

fn with_digits() -> TestDir {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=500 -o digits.vae; mnist-dump --synthetic=100 --split test -o test.vae").succeeds();
    dir
}

/// The test loss at the end of a run with these variables and options.
fn loss(dir: &TestDir, variables: &str, options: &str) -> f64 {
    let output = dir.run(&format!("{variables} vae-train {MODEL} {RUN} --epochs 2 {options} -o model.bin")).succeeds();
    output.records()[2]["test"]["loss"].as_f64().expect("a loss")
}

#[test]
fn a_run_learns_the_same_with_any_instructions() {
    let dir = with_digits();
    let best = loss(&dir, "", "");
    for level in ["avx512", "avx2", "portable"] {
        let line = format!("VAE_CPU={level} vae-train {MODEL} {RUN} --epochs 2 -o model.bin");
        let output = dir.run(&line);
        // A CPU without them says so.
        if output.codes == [2] {
            assert_ne!(level, "portable");
            output.fails(2, "vae-train", &["VAE_CPU is", level, "expected one of those that this CPU has", "portable"]);
            continue;
        }
        let records = output.succeeds().records();
        assert_eq!(records[0]["instructions"], json!(level));
        let loss = records[2]["test"]["loss"].as_f64().expect("a loss");
        // 50 steps let a rounding error of 1e-7 grow, but not far.
        assert!((loss - best).abs() < 1e-3 * best, "{level}: expected {best}, got {loss}");
    }
}

#[test]
fn every_program_that_computes_refuses_instructions_that_are_none() {
    let dir = TestDir::with_model();
    dir.run("mnist-dump --synthetic=4 -o x.vae; vae-encode -m model.bin x.vae -o z.vae").succeeds();
    for line in ["vae-train x.vae -o out", "vae-encode -m model.bin x.vae -o out", "vae-decode z.vae -o out"] {
        let tool = line.split(' ').next().expect("a program");
        dir.run(&format!("VAE_CPU=sse9 {line}")).fails(2, tool, &["VAE_CPU is sse9", "portable"]);
        assert!(!dir.path("out").exists());
    }
}

#[test]
fn products_of_bf16_are_recorded_and_cost_little() {
    let dir = with_digits();
    let full = loss(&dir, "", "--precision fp32");
    assert_eq!(full, loss(&dir, "", ""));
    let half = loss(&dir, "", "--precision bf16");
    assert!(half != full && (half - full).abs() < 0.01 * full, "expected about {full}, got {half}");
    let records =
        dir.run(&format!("vae-train {MODEL} {RUN} --epochs 2 --precision bf16 -o model.bin")).succeeds().records();
    assert_eq!(records[0]["training"]["precision"], json!("bf16"));
    assert_eq!(loss(&dir, "", "--precision bf16 --threads 1"), loss(&dir, "", "--precision bf16 --threads 3"));
}

#[test]
fn a_run_does_not_go_on_at_another_precision() {
    let dir = with_digits();
    let run = format!("vae-train {MODEL} {RUN} --checkpoint c.ckpt -o model.bin");
    dir.run(&format!("{run} --epochs 2 --precision bf16 > losses.jsonl")).succeeds();
    let words = ["--precision differs from the checkpoint's", "\"bf16\"", "\"fp32\""];
    dir.run(&format!("{run} --resume --epochs 3")).fails(2, "vae-train", &words);
    dir.run(&format!("{run} --resume --epochs 3 --precision bf16 > losses.jsonl")).succeeds();
}
