//! The instructions of a CPU, `VAE_CPU`, and the numbers that products multiply, `--precision`.

use serde_json::json;

use crate::{MODEL, Place};

const RUN: &str = "--batch 20 digits.vae --test test.vae";

fn with_digits() -> Place {
    let place = Place::new();
    place
        .run("mnist-dump --synthetic=500 -o digits.vae; mnist-dump --synthetic=100 --split test -o test.vae")
        .succeeds();
    place
}

/// The test loss at the end of a run with these variables and options.
fn loss(place: &Place, variables: &str, options: &str) -> f64 {
    let ran = place.run(&format!("{variables} vae-train {MODEL} {RUN} --epochs 2 {options} -o model.bin")).succeeds();
    ran.records()[2]["test"]["loss"].as_f64().expect("a loss")
}

#[test]
fn a_run_learns_the_same_with_any_instructions() {
    let place = with_digits();
    let best = loss(&place, "", "");
    for level in ["avx512", "avx2", "portable"] {
        let line = format!("VAE_CPU={level} vae-train {MODEL} {RUN} --epochs 2 -o model.bin");
        let ran = place.run(&line);
        // A CPU without them says so.
        if ran.codes == [2] {
            assert_ne!(level, "portable");
            ran.fails(2, "vae-train", &["VAE_CPU is", level, "expected one of those that this CPU has", "portable"]);
            continue;
        }
        let records = ran.succeeds().records();
        assert_eq!(records[0]["instructions"], json!(level));
        let loss = records[2]["test"]["loss"].as_f64().expect("a loss");
        // 50 steps let a rounding error of 1e-7 grow, but not far.
        assert!((loss - best).abs() < 1e-3 * best, "{level}: expected {best}, got {loss}");
    }
}

#[test]
fn every_program_that_computes_refuses_instructions_that_are_none() {
    let place = Place::with_model();
    place.run("mnist-dump --synthetic=4 -o x.vae; vae-encode -m model.bin x.vae -o z.vae").succeeds();
    for line in ["vae-train x.vae -o out", "vae-encode -m model.bin x.vae -o out", "vae-decode z.vae -o out"] {
        let tool = line.split(' ').next().expect("a program");
        place.run(&format!("VAE_CPU=sse9 {line}")).fails(2, tool, &["VAE_CPU is sse9", "portable"]);
        assert!(!place.path("out").exists());
    }
}

#[test]
fn products_of_bf16_are_recorded_and_cost_little() {
    let place = with_digits();
    let full = loss(&place, "", "--precision fp32");
    assert_eq!(full, loss(&place, "", ""));
    let half = loss(&place, "", "--precision bf16");
    assert!(half != full && (half - full).abs() < 0.01 * full, "expected about {full}, got {half}");
    let records =
        place.run(&format!("vae-train {MODEL} {RUN} --epochs 2 --precision bf16 -o model.bin")).succeeds().records();
    assert_eq!(records[0]["training"]["precision"], json!("bf16"));
    assert_eq!(loss(&place, "", "--precision bf16 --threads 1"), loss(&place, "", "--precision bf16 --threads 3"));
}

#[test]
fn a_run_does_not_go_on_at_another_precision() {
    let place = with_digits();
    let run = format!("vae-train {MODEL} {RUN} --checkpoint c.ckpt -o model.bin");
    place.run(&format!("{run} --epochs 2 --precision bf16 > losses.jsonl")).succeeds();
    let words = ["--precision differs from the checkpoint's", "\"bf16\"", "\"fp32\""];
    place.run(&format!("{run} --resume --epochs 3")).fails(2, "vae-train", &words);
    place.run(&format!("{run} --resume --epochs 3 --precision bf16 > losses.jsonl")).succeeds();
}
