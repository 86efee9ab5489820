//! The matrix of models: each kind is trained, resumed, evaluated, encoded, decoded and previewed.

use serde_json::json;

use crate::harness::TestDir;

/// A small model of each kind: its name and options.
const MODELS: &[(&str, &str)] = &[
    ("conv", "--conv 4,6 --latent 3"),
    ("conv, conditional", "--conv 4 --latent 3 --classes 10 --prior 8 --activation leaky-relu:0.1,tanh"),
    ("conditional", "--hidden 16 --latent 3 --classes 10"),
    ("conditional, learned prior", "--hidden 16 --latent 3 --classes 10 --prior 8,8"),
    ("autoencoder", "--hidden 16 --latent 3 --autoencoder=relu --likelihood gaussian"),
    ("sigma learned", "--hidden 16 --latent 3 --likelihood gaussian --sigma learned --activation softplus"),
    ("binarized", "--hidden 16 --latent 3 --binarize dynamic --init glorot --output-bias mean"),
    ("static", "--hidden 16 --latent 3 --binarize static --kl-warmup 2 --samples 3"),
    ("threshold", "--hidden 16 --latent 3 --binarize threshold --likelihood gaussian --sigma 0.3"),
];

fn with_digits() -> TestDir {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=130 -o digits.vae; mnist-dump --synthetic=40 --split test -o test.vae").succeeds();
    dir
}

/// Epochs of four steps.
fn epochs(epochs: usize, options: &str) -> String {
    format!("vae-train digits.vae --batch 40 --epochs {epochs} --test test.vae {options}")
}

fn train(options: &str) -> String {
    epochs(2, options)
}

#[test]
fn each_learns_encodes_and_decodes() {
    let dir = with_digits();
    for (kind, options) in MODELS {
        let records = dir.run(&epochs(6, &format!("{options} -o model.bin --lr 5e-3"))).succeeds().records();
        let loss = |epoch: usize| records[epoch]["train"]["loss"].as_f64().expect("a loss");
        assert!(loss(6) < loss(1), "{kind}: {records:?}");
        assert!(records[1..7].iter().all(|r| r["objective"]["likelihood"] != json!(null)), "{kind}: {records:?}");
        let line = "vae-encode -m model.bin test.vae --keep x | vae-decode -o decoded.vae";
        dir.pipe(line).succeeds();
        dir.run("vae-cat decoded.vae --npy x_hat > x_hat.npy").succeeds();
        let x_hat = dir.npy::<f32>("x_hat.npy");
        assert_eq!(x_hat.shape(), [40, 28, 28], "{kind}");
        assert!(x_hat.iter().all(|p| (0.0..=1.0).contains(p)), "{kind}");
    }
}

#[test]
fn each_gives_the_same_bytes_for_any_number_of_threads_and_goes_on_exactly() {
    let dir = with_digits();
    for (kind, options) in MODELS {
        dir.run(&train(&format!("{options} --threads 1 -o one.bin > one.jsonl"))).succeeds();
        dir.run(&train(&format!("{options} --threads 3 -o three.bin > three.jsonl"))).succeeds();
        assert!(dir.read("one.bin") == dir.read("three.bin"), "{kind}: one thread and three");
        let parts = format!("{options} --checkpoint c.ckpt --every 3");
        dir.run(&epochs(1, &format!("{parts} -o part.bin > part.jsonl"))).succeeds();
        dir.run(&train(&format!("{parts} --resume -o part.bin > part.jsonl"))).succeeds();
        assert!(dir.read("one.bin") == dir.read("part.bin"), "{kind}: resumed");
        dir.run("rm c.ckpt").succeeds();
    }
}

#[test]
fn each_is_judged_with_the_loss_that_training_told() {
    let dir = with_digits();
    for (kind, options) in MODELS {
        let records = dir.run(&train(&format!("{options} -o model.bin"))).succeeds().records();
        let draws = if options.contains("--samples 3") { "--samples 3" } else { "" };
        let judged = dir.run(&format!("vae-eval -m model.bin test.vae {draws}")).succeeds().json();
        let (told, found) = (&records[2]["test"], &judged);
        assert_eq!(judged["images"], 40);
        for part in ["loss", "recon", "kl", "mse"] {
            let (Some(told), Some(found)) = (told[part].as_f64(), found[part].as_f64()) else { continue };
            // Squared errors are those of another draw, or of the mean.
            let bound = if part == "mse" { 0.3 * told } else { 1e-4 * told.abs().max(1.0) };
            assert!((told - found).abs() <= bound, "{kind}, {part}: training told {told}, found {found}");
        }
    }
}

#[test]
fn each_shows_its_preview() {
    let dir = with_digits();
    for (kind, options) in MODELS {
        let line = train(&format!("{options} --preview 10 -o model.bin"));
        dir.run(&format!("{line} > run.vae")).succeeds();
        let groups = dir.run("vae-cat run.vae --check").succeeds().json()["groups"].clone();
        let samples =
            if options.contains("autoencoder") { json!({"recon": 2}) } else { json!({"recon": 2, "sample": 2}) };
        assert_eq!(groups, samples, "{kind}");
        dir.run("grid-png run.vae -o '{group}-{epoch}.png'").succeeds();
    }
}

#[test]
fn the_draws_of_a_conditional_preview_go_through_the_classes_and_can_be_titled() {
    let dir = with_digits();
    dir.run(&train("--hidden 16 --latent 3 --classes 10 --prior 8 --preview 12 -o model.bin > run.vae")).succeeds();
    dir.run("vae-cat run.vae --group sample --take 12 --npy y > y.npy").succeeds();
    let y = dir.npy::<u8>("y.npy");
    assert_eq!(y.as_slice(), Some(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1][..]));
    let figure =
        "grid-png run.vae --group sample --titles y --suptitle 'epoch {epoch} loss {loss:.2f}' --colormap BuGn";
    dir.run(&format!("{figure} -o figure.png")).succeeds();
    assert!(dir.png("figure.png")[1] > 62, "titles and a headline take room");
}

#[test]
fn prior_draws_of_the_preview_do_not_depend_on_the_images() {
    let dir = with_digits();
    dir.run("mnist-dump --synthetic=40 --split test --seed 9 -o others.vae").succeeds();
    let samples = |test: &str, to: &str| {
        let line = format!("vae-train digits.vae --hidden 16 --epochs 1 --test {test} --preview 8 -o model.bin");
        dir.pipe(&format!("{line} | vae-cat --group sample --npy x_hat > {to}")).succeeds();
    };
    samples("test.vae", "a.npy");
    samples("others.vae", "b.npy");
    dir.assert_same("a.npy", "b.npy");
}

#[test]
fn dynamic_binarization_draws_pixels_anew_and_static_does_not() {
    let dir = with_digits();
    // One image, seen by a model that does not learn: the loss changes with its pixels alone, since each epoch has
    // noise of its own for z, which an autoencoder has not.
    dir.run("mnist-dump --synthetic=1 -o one.vae").succeeds();
    let losses = |how: &str| {
        let line =
            format!("vae-train one.vae --hidden 8 --autoencoder --binarize {how} --epochs 4 --lr 1e-30 -o m.bin");
        let records = dir.run(&line).succeeds().records();
        records[1..5].iter().map(|r| r["train"]["loss"].as_f64().expect("a loss")).collect::<Vec<_>>()
    };
    for how in ["none", "threshold", "static"] {
        let losses = losses(how);
        assert!(losses.windows(2).all(|l| l[0] == l[1]), "{how}: {losses:?}");
    }
    let dynamic = losses("dynamic");
    assert!(dynamic.windows(2).all(|l| l[0] != l[1]), "dynamic: {dynamic:?}");
}

#[test]
fn the_kl_counts_for_nothing_at_first_while_it_warms_up() {
    let dir = with_digits();
    let weights = |options: &str, to: &str| {
        dir.run(&format!("vae-train digits.vae --hidden 8 --batch 130 --epochs 1 {options} -o {to} > r.jsonl"))
            .succeeds();
    };
    // In the first step of a warm-up the weight of the KL is 0.
    weights("--kl-warmup 2", "warm.bin");
    weights("--beta 0", "none.bin");
    weights("", "full.bin");
    let z = |model| drop(dir.run(&format!("vae-encode -m {model} test.vae --npy z > {model}.npy")).succeeds());
    ["warm.bin", "none.bin", "full.bin"].into_iter().for_each(z);
    dir.assert_same("warm.bin.npy", "none.bin.npy");
    dir.assert_differ("warm.bin.npy", "full.bin.npy");
}

#[test]
fn output_biases_can_start_at_the_mean_pixel() {
    let dir = with_digits();
    let first = |options: &str| {
        let line = format!("vae-train digits.vae --batch 130 --epochs 1 {options} -o m.bin");
        dir.run(&line).succeeds().records()[1]["train"]["recon"].as_f64().expect("a loss")
    };
    // Grey at random costs 784 ln 2 = 543 nats.
    let (drawn, mean) = (first("--hidden 8"), first("--hidden 8 --output-bias mean"));
    assert!(drawn > 500.0 && mean < 300.0, "drawn {drawn}, mean {mean}");
    let conv = first("--conv 4 --output-bias mean");
    assert!(conv < 400.0, "one bias for all pixels: {conv}");
}
