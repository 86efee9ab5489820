//! vae-eval: its records of a model and of each image, and its errors.

use serde_json::{Value, json};

use crate::harness::TestDir;

fn with_digits() -> TestDir {
    let dir = TestDir::with_model();
    dir.run("mnist-dump --synthetic=60 --split test -o test.vae").succeeds();
    dir
}

fn number(record: &Value, key: &str) -> f64 {
    record[key].as_f64().unwrap_or_else(|| panic!("no number {key} in {record}"))
}

#[test]
fn the_parts_add_up_and_more_draws_give_a_tighter_bound() {
    let dir = with_digits();
    let all = dir.run("vae-eval -m model.bin test.vae -k 300").succeeds().json();
    assert!((number(&all, "recon") + number(&all, "kl") - number(&all, "loss")).abs() < 1e-5, "{all}");
    assert_eq!(number(&all, "elbo"), -number(&all, "loss"));
    let dimensions = all["kl_per_dimension"].as_array().expect("a list").clone();
    let sum: f64 = dimensions.iter().map(|v| v.as_f64().expect("a number")).sum();
    assert!(dimensions.len() == 4 && (sum - number(&all, "kl")).abs() < 1e-4, "{all}");
    assert!(number(&all, "active_units") <= 4.0);
    let one = dir.run("vae-eval -m model.bin test.vae -k 1").succeeds().json();
    // With one draw it is an unbiased estimate of the ELBO; with many it comes near the likelihood.
    assert!(number(&all, "nll") < number(&one, "nll"), "{all} {one}");
    assert!(number(&all, "nll") < number(&all, "loss"), "{all}");
    assert!(number(&all, "nll_mc_se") < 1.0 && number(&all, "nll_se") > 0.0, "{all}");
}

#[test]
fn each_image_has_a_record_that_does_not_depend_on_the_others() {
    let dir = with_digits();
    let line = "vae-eval -m model.bin --per-image -k 50";
    let whole = dir.run(&format!("{line} test.vae")).succeeds().records();
    assert_eq!(whole.len(), 61);
    let (all, images) = whole.split_last().expect("records");
    assert_eq!((&all["kind"], &images[7]["kind"], &images[7]["i"]), (&json!("eval"), &json!("image"), &json!(7)));
    for key in ["loss", "recon", "kl", "mse", "nll"] {
        let mean = images.iter().map(|r| number(r, key)).sum::<f64>() / 60.0;
        assert!((mean - number(all, key)).abs() < 1e-5 * mean.abs().max(1.0), "{key}: {mean}, {all}");
    }
    dir.run("mnist-dump --synthetic=60 --split test --only 3,8 -o some.vae").succeeds();
    let some = dir.run(&format!("{line} some.vae --threads 1")).succeeds().records();
    for record in &some[..some.len() - 1] {
        let i = record["i"].as_u64().expect("an index") as usize;
        assert_eq!(*record, images[i], "the same draws, and the same bits");
        assert!([3, 8].contains(&record["y"].as_u64().expect("a label")));
    }
}

#[test]
fn the_squared_error_is_that_of_the_reconstructions_of_the_pipe() {
    let dir = with_digits();
    dir.pipe("vae-encode -m model.bin test.vae | vae-decode --npy x_hat > x_hat.npy").succeeds();
    dir.run("vae-cat test.vae --npy x > x.npy").succeeds();
    let (x, x_hat) = (dir.npy::<u8>("x.npy"), dir.npy::<f32>("x_hat.npy"));
    let squares = x.iter().zip(&x_hat).map(|(x, y)| (f64::from(*x) / 255.0 - f64::from(*y)).powi(2));
    let mse = squares.sum::<f64>() / x.len() as f64;
    let told = number(&dir.run("vae-eval -m model.bin test.vae").succeeds().json(), "mse");
    assert!((told - mse).abs() < 1e-6, "told {told}, expected {mse}");
}

#[test]
fn an_autoencoder_has_a_squared_error_and_no_likelihood() {
    let dir = with_digits();
    dir.run("vae-train test.vae --preset ae-20 --epochs 1 -o ae.bin > r.jsonl").succeeds();
    let judged = dir.run("vae-eval -m ae.bin test.vae").succeeds().json();
    assert!(number(&judged, "mse") > 0.0 && judged["elbo"].is_null() && judged["active_units"].is_null());
    dir.run("vae-eval -m ae.bin test.vae -k 10").fails(2, "vae-eval", &["-k", "expected a VAE", "squared error"]);
}

#[test]
fn images_that_do_not_fit_are_refused() {
    let dir = with_digits();
    dir.write_npy("small.npy", &ndarray::Array3::<u8>::zeros((2, 14, 14)));
    dir.run("vae-eval -m model.bin small.npy").fails(
        65,
        "vae-eval",
        &["small.npy", "expected items [28, 28], got [14, 14]"],
    );
    dir.run("vae-eval -m none.bin test.vae").fails(66, "vae-eval", &["none.bin"]);
    let output = dir.run("vae-eval -m model.bin test.vae --samples 0");
    assert!(output.codes == [2] && output.stderr.contains("--samples"), "{output}");
    dir.run("vae-eval -m model.bin test.vae -o no/where.json").fails(74, "vae-eval", &["no/where.json"]);
}
