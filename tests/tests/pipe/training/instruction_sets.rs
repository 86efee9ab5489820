//! `VAE_CPU`, the instruction set of a CPU, and `--precision`, the number format of products.

use serde_json::json;

use crate::harness::{MODEL, TestDir, skipped};

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

/// Whether the CPU multiplies bf16 faster than fp32.
pub fn has_bf16(dir: &TestDir) -> bool {
    let options = "--hidden 4 --latent 2 --epochs 1 --precision bf16 -o probe.bin";
    let output = dir.run(&format!("mnist-dump --synthetic=20 | vae-train {options}"));
    output.records()[0]["training"]["precision"] == json!("bf16")
}

#[test]
fn products_of_bf16_are_recorded_and_cost_little() {
    let dir = with_digits();
    if !has_bf16(&dir) {
        return skipped("products_of_bf16_are_recorded_and_cost_little", "bf16 is not faster than fp32 on this CPU");
    }
    let full = loss(&dir, "", "--precision fp32");
    assert_eq!(full, loss(&dir, "", ""));
    let half = loss(&dir, "", "--precision bf16");
    assert!(half != full && (half - full).abs() < 0.01 * full, "expected about {full}, got {half}");
    assert_eq!(loss(&dir, "", "--precision bf16 --threads 1"), loss(&dir, "", "--precision bf16 --threads 3"));
}

#[test]
fn a_cpu_with_slow_bf16_trains_in_fp32_and_says_so_once() {
    let dir = with_digits();
    let run = |options: &str| dir.run(&format!("VAE_CPU=portable vae-train {MODEL} {RUN} --epochs 2 {options}"));
    let words = ["training in fp32, which is faster than bf16 on this CPU"];
    let records = run("--precision bf16 -o half.bin").reports("vae-train", &words).records();
    assert_eq!(records[0]["training"]["precision"], json!("fp32"));
    run("-o full.bin").succeeds();
    assert!(dir.read("half.bin") == dir.read("full.bin"));
}

#[test]
fn a_run_does_not_go_on_at_another_precision() {
    let dir = with_digits();
    if !has_bf16(&dir) {
        return skipped("a_run_does_not_go_on_at_another_precision", "bf16 is not faster than fp32 on this CPU");
    }
    let run = format!("vae-train {MODEL} {RUN} --checkpoint c.ckpt -o model.bin");
    dir.run(&format!("{run} --epochs 2 --precision bf16 > losses.jsonl")).succeeds();
    let words = ["--precision differs from the checkpoint's", "\"bf16\"", "\"fp32\""];
    dir.run(&format!("{run} --resume --epochs 3")).fails(2, "vae-train", &words);
    // One that began in bf16 goes on in it, on any CPU.
    let resumed = dir.run(&format!("VAE_CPU=portable {run} --resume --epochs 3 --precision bf16")).succeeds();
    assert_eq!(resumed.records()[0]["training"]["precision"], json!("bf16"));
}

#[test]
fn amx_is_refused_where_there_is_none() {
    let dir = with_digits();
    let output = dir.run(&format!("VAE_CPU=amx vae-train {MODEL} {RUN} --epochs 1 --precision bf16 -o model.bin"));
    if output.codes == [2] {
        output.fails(2, "vae-train", &["VAE_CPU is amx", "expected one of those that this CPU has", "portable"]);
    } else {
        assert_eq!(output.succeeds().records()[0]["instructions"], json!("amx"));
    }
}

#[test]
fn the_model_of_amx_learns_the_same_with_any_number_of_threads() {
    let dir = with_digits();
    let fp32 = loss(&dir, "", "");
    for (precision, bound) in [("bf16", 0.01), ("bf16x3", 1e-3)] {
        let run = |threads: usize| {
            let options =
                format!("--precision {precision} --threads {threads} --epochs 2 -o {precision}-{threads}.bin");
            dir.run(&format!("VAE_CPU=amx-model vae-train {MODEL} {RUN} {options}")).succeeds()
        };
        let records = run(1).records();
        assert_eq!(records[0]["instructions"], json!("amx-model"));
        assert_eq!(records[0]["training"]["precision"], json!(precision));
        let loss = records[2]["test"]["loss"].as_f64().expect("a loss");
        assert!((loss - fp32).abs() < bound * fp32, "{precision}: expected about {fp32}, got {loss}");
        run(3);
        assert!(dir.read(&format!("{precision}-1.bin")) == dir.read(&format!("{precision}-3.bin")));
    }
    // Products of fp32 are those of vectors.
    let record = dir.run(&format!("VAE_CPU=amx-model vae-train {MODEL} {RUN} --epochs 2 -o model.bin")).succeeds();
    assert_ne!(record.records()[0]["instructions"], json!("amx-model"));
    assert_eq!(record.records()[2]["test"]["loss"], json!(fp32));
}

#[test]
fn bf16x3_is_refused_without_amx() {
    let dir = with_digits();
    let words = ["--precision bf16x3 needs a CPU with AMX", "got portable", "use fp32"];
    let line = format!("VAE_CPU=portable vae-train {MODEL} {RUN} --precision bf16x3 -o model.bin");
    dir.run(&line).fails(69, "vae-train", &words);
    assert!(!dir.path("model.bin").exists());
}
