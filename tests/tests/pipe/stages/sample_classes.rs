//! vae-sample of conditional models: classes, learned priors, and errors.

use ndarray::{Array2, ArrayView1, Axis, Ix2, array, s};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::harness::TestDir;

/// A conditional model of synthetic digits, with the plane of 2 latent dimensions and a learned prior, made once.
fn model() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("classes.bin");
        let options = "--preset cvae-prior --hidden 32 --latent 2 --prior 8 --batch 50 --lr 2e-2 --epochs 20";
        let line = format!("mnist-dump --synthetic=500 | vae-train {options} -o {}", path.display());
        TestDir::new().run(&line).succeeds();
        path
    })
}

/// A folder with `c.bin` in it.
fn with_classes() -> TestDir {
    let dir = TestDir::new();
    fs::copy(model(), dir.path("c.bin")).expect("a copy of the model");
    dir
}

/// The items that vae-sample makes of `c.bin`.
#[track_caller]
fn made(dir: &TestDir, options: &str) -> Vec<Value> {
    dir.run(&format!("vae-sample -m c.bin {options} --jsonl")).succeeds().records()
}

/// Their labels.
#[track_caller]
fn labels(dir: &TestDir, options: &str) -> Vec<u64> {
    made(dir, options).iter().map(|item| item["y"].as_u64().expect("a label")).collect()
}

/// Their latents.
#[track_caller]
fn latents(dir: &TestDir, options: &str) -> Array2<f32> {
    dir.run(&format!("vae-sample -m c.bin {options} --npy z > made.npy")).succeeds();
    dir.npy::<f32>("made.npy").into_dimensionality::<Ix2>().expect("[N, Z]")
}

/// The mean of p(z given y).
#[track_caller]
fn mean(dir: &TestDir, class: usize) -> Array2<f32> {
    latents(dir, &format!("--classes {class} --temperature 0"))
}

fn assert_near(a: &Array2<f32>, b: &Array2<f32>) {
    assert!(a.dim() == b.dim() && (a - b).iter().all(|d| d.abs() < 1e-5), "{a}\n{b}");
}

#[test]
fn draws_come_class_by_class_in_the_order_given() {
    let dir = with_classes();
    assert_eq!(labels(&dir, "--classes 0-9"), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(labels(&dir, "--classes 3,5,7 --per-class 2"), [3, 3, 5, 5, 7, 7]);
    assert_eq!(labels(&dir, "--classes 0-2,9,1 --classes 4"), [0, 1, 2, 9, 1, 4]);
    assert!(made(&dir, "--classes 7-9 --per-class 30 --batch 7").iter().enumerate().all(|(k, item)| item["i"] == k));
    let head = dir.pipe("vae-sample -m c.bin --classes 0-9 | vae-cat --head").succeeds().json();
    assert_eq!(head["tensors"]["y"], serde_json::json!({"dtype": "|u1", "shape": []}));
}

#[test]
fn draws_of_no_class_in_particular_go_through_all_in_turn() {
    let dir = with_classes();
    assert_eq!(labels(&dir, "-n 13"), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]);
    assert_eq!(labels(&dir, "").len(), 64);
    assert_eq!(made(&dir, "-n 10 --seed 3"), made(&dir, "--classes 0-9 --seed 3"));
    assert_ne!(made(&dir, "-n 10"), made(&dir, "-n 10 --seed 3"));
}

#[test]
fn latents_of_classes_are_the_same_in_frames_of_any_size() {
    let dir = with_classes();
    for options in
        ["--classes 0-9,3 --per-class 30", "-n 300", "--classes 2,0 --manifold 12", "--classes 2,0 --traverse all"]
    {
        let whole = made(&dir, options);
        for batch in [1, 7, 65536] {
            assert_eq!(made(&dir, &format!("{options} --batch {batch}")), whole, "{options} --batch {batch}");
        }
    }
}

#[test]
fn a_row_of_a_picture_shows_its_class() {
    let dir = with_classes();
    let line = "vae-sample -m c.bin --classes 0-9 --per-class 8 | vae-decode -o drawn.vae; grid-png --nrow 8 --max 0 drawn.vae";
    dir.run(&format!("{line} -o classes.png")).succeeds();
    assert_eq!(dir.png("classes.png"), [8 * 30 + 2, 10 * 30 + 2]);
    dir.run("vae-cat drawn.vae --npy x_hat > x_hat.npy; vae-cat drawn.vae --npy y > y.npy").succeeds();
    let drawn = dir.npy::<f32>("x_hat.npy").to_shape((80, 784)).expect("images").to_owned();
    let y = dir.npy::<u8>("y.npy");
    assert_eq!(y.iter().copied().collect::<Vec<_>>(), (0..80).map(|k| k / 8).collect::<Vec<u8>>());
    // The digits themselves say what a class looks like: by their mean.
    let means: Vec<_> = (0..10)
        .map(|class| {
            dir.pipe(&format!("mnist-dump --synthetic=500 --only {class} --npy x > x.npy")).succeeds();
            let x = dir.npy::<u8>("x.npy").mapv(|v| f32::from(v) / 255.0);
            x.to_shape((x.shape()[0], 784)).expect("images").mean_axis(Axis(0)).expect("some")
        })
        .collect();
    let nearest = |x: ArrayView1<f32>| {
        let far = |class: &usize| (&x - &means[*class]).mapv(|d| d * d).sum();
        (0..10).min_by(|a, b| far(a).total_cmp(&far(b))).expect("a class")
    };
    let right = drawn.rows().into_iter().enumerate().filter(|(k, x)| nearest(x.view()) == k / 8).count();
    assert!(right >= 70, "{right} of 80 drawn digits look like their class");
}

#[test]
fn the_temperature_stretches_a_learned_prior_from_its_mean() {
    let dir = with_classes();
    let means = latents(&dir, "-n 10 --temperature 0");
    assert_eq!(means.row(4), mean(&dir, 4).row(0));
    assert!((means.row(0).to_owned() - means.row(1)).iter().any(|d| d.abs() > 0.1), "{means}");
    let [once, twice] = [1, 2].map(|t| latents(&dir, &format!("-n 10 --temperature {t}")) - &means);
    assert!(once.iter().all(|d| *d != 0.0));
    assert_near(&twice, &(once * 2.0));
}

#[test]
fn a_traversal_of_nothing_goes_through_the_middle_of_the_prior_of_each_class() {
    let dir = with_classes();
    let options = "--classes 7,2 --traverse all --range -2,2 --steps 5";
    assert_eq!(labels(&dir, options), [[7; 10], [2; 10]].concat());
    let z = latents(&dir, options);
    for (block, class) in z.axis_chunks_iter(Axis(0), 10).zip([7, 2]) {
        let mean = mean(&dir, class);
        for (dimension, row) in block.axis_chunks_iter(Axis(0), 5).enumerate() {
            assert_eq!(row.row(2), mean.row(0), "class {class}");
            let steps = &row.slice(s![1.., dimension]) - &row.slice(s![..4, dimension]);
            assert!(steps.iter().all(|step| *step > 0.0 && (step - steps[0]).abs() < 1e-5), "{row}");
            assert!(row.column(1 - dimension).iter().all(|v| *v == mean[[0, 1 - dimension]]), "{row}");
        }
    }
    // A step is a standard deviation, as the noise of draws is: draws of this seed, in any model, have the same.
    dir.run("mnist-dump --synthetic=50 | vae-train --hidden 8 --latent 2 --epochs 1 -o plain.bin > losses").succeeds();
    dir.run("vae-sample -m plain.bin -n 1 --npy z > noise.npy").succeeds();
    let noise = dir.npy::<f32>("noise.npy").into_dimensionality::<Ix2>().expect("[1, Z]");
    let deviations = array![[z[[3, 0]] - z[[2, 0]], z[[8, 1]] - z[[7, 1]]]];
    assert_near(&latents(&dir, "--classes 7"), &(mean(&dir, 7) + noise * deviations));
}

#[test]
fn a_manifold_is_laid_out_by_the_prior_of_each_class() {
    let dir = with_classes();
    assert_eq!(labels(&dir, "--classes 0-2 --manifold 2x3"), [[0; 6], [1; 6], [2; 6]].concat());
    let z = latents(&dir, "--classes 8,1 --manifold 3");
    for (plane, class) in z.axis_chunks_iter(Axis(0), 9).zip([8, 1]) {
        assert_eq!(plane.row(4), mean(&dir, class).row(0), "class {class}");
        assert!(plane[[3, 0]] < plane[[4, 0]] && plane[[1, 1]] > plane[[4, 1]], "{plane}");
    }
    assert_ne!(z.row(4), z.row(13));
    dir.pipe("vae-sample -m c.bin --classes 8,1 --manifold 3 | vae-decode | grid-png --nrow 3 -o planes.png")
        .succeeds();
    assert_eq!(dir.png("planes.png"), [3 * 30 + 2, 6 * 30 + 2]);
}

#[test]
fn without_a_learned_prior_the_middle_is_the_origin_for_each_class() {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=50 -o digits.vae").succeeds();
    dir.run("vae-train --classes 10 --hidden 8 --latent 2 --epochs 1 digits.vae -o c.bin > losses.jsonl").succeeds();
    assert_eq!(mean(&dir, 3), array![[0.0, 0.0]]);
    assert_eq!(latents(&dir, "--classes 3,4 --manifold 1"), Array2::<f32>::zeros([2, 2]));
    let z = latents(&dir, "--classes 3,4 --traverse 1 --range -1,1 --steps 2");
    assert_eq!(z, array![[0.0, -1.0], [0.0, 1.0], [0.0, -1.0], [0.0, 1.0]]);
    assert_eq!(labels(&dir, "--classes 3,4 --traverse 1 --steps 2"), [3, 3, 4, 4]);
    dir.pipe("vae-sample -m c.bin --classes 3,4 | vae-decode | grid-png -o out.png").succeeds();
}

#[test]
fn paths_between_and_through_labelled_points_are_decoded() {
    let dir = with_classes();
    dir.pipe("mnist-dump --synthetic=5 | vae-encode -m c.bin -o points.vae").succeeds();
    dir.run("vae-cat points.vae --npy z > z.npy; vae-cat points.vae --npy y > y.npy").succeeds();
    for paths in ["--interpolate linear", "--traverse 0,1"] {
        dir.pipe(&format!("vae-sample {paths} points.vae | vae-decode --npy x_hat > a.npy")).succeeds();
        let joined =
            format!("vae-cat z=z.npy y=y.npy | vae-sample -m c.bin {paths} - | vae-decode --npy x_hat > b.npy");
        dir.pipe(&joined).succeeds();
        dir.assert_same("a.npy", "b.npy");
    }
    // The values of a traversal through points are values of z, whatever the prior.
    let z = latents(&dir, "--traverse 0 --steps 2 points.vae");
    assert_eq!(z.column(0).to_vec(), [-3.0, 3.0].repeat(5));
}

#[test]
fn points_without_labels_of_the_model_are_refused() {
    let dir = with_classes();
    dir.write("none.jsonl", "{\"z\":[0,1]}\n{\"z\":[1,0]}\n");
    dir.write("beyond.jsonl", "{\"z\":[0,1],\"y\":3}\n{\"z\":[1,0],\"y\":10}\n");
    for paths in ["--interpolate linear", "--traverse 0"] {
        let line = |input: &str| format!("vae-sample -m c.bin {paths} {input} -o z.vae");
        let words = ["there are no labels", "expected a tensor y", "conditional"];
        dir.run(&line("none.jsonl")).fails(65, "vae-sample", &words);
        let words = ["the label of item 1 is 10", "expected 0 to 9"];
        dir.run(&line("beyond.jsonl")).fails(65, "vae-sample", &words);
    }
    assert_eq!(dir.files(), ["beyond.jsonl", "c.bin", "none.jsonl"]);
}

#[test]
fn classes_that_the_model_does_not_have_are_refused() {
    let dir = with_classes();
    for what in ["", "--manifold 3", "--traverse all"] {
        for (classes, got) in [("10", 10), ("300", 300), ("3,0-10", 10), ("0-4000000000", 4_000_000_000u64)] {
            let words = ["expected classes of the model, 0 to 9", &format!("got {got}")];
            let line = format!("vae-sample -m c.bin --classes {classes} {what} -o z.vae");
            dir.run(&line).fails(2, "vae-sample", &words);
        }
    }
    assert_eq!(dir.files(), ["c.bin"]);
    let dir = TestDir::with_model();
    for what in ["", "--traverse all"] {
        let words = ["--classes: this model is not conditional", "leave out --classes", "vae-train --classes"];
        dir.run(&format!("vae-sample -m model.bin --classes 0-9 {what} -o z.vae")).fails(2, "vae-sample", &words);
    }
    assert_eq!(dir.files(), ["model.bin"]);
}

#[test]
fn a_shape_for_a_conditional_model_asks_for_classes() {
    let dir = with_classes();
    for what in ["--manifold", "--traverse"] {
        let words = [&format!("{what}: this model is conditional"), "a class from 0 to 9", "--classes 0"];
        dir.run(&format!("vae-sample -m c.bin {what} 1 -o z.vae")).fails(2, "vae-sample", &words);
    }
    assert_eq!(dir.files(), ["c.bin"]);
}

#[test]
fn a_number_beside_classes_is_refused_with_how_many_there_are() {
    let dir = with_classes();
    let words = ["-n 5: --classes makes 80 draws, 8 for each of 10", "leave out -n", "--per-class"];
    dir.run("vae-sample -m c.bin -n 5 --classes 0-9 --per-class 8 -o z.vae").fails(2, "vae-sample", &words);
    assert_eq!(dir.files(), ["c.bin"]);
}

#[test]
fn options_of_classes_that_make_no_sense_are_2() {
    let dir = with_classes();
    dir.pipe("mnist-dump --synthetic=5 | vae-encode -m c.bin -o points.vae").succeeds();
    let before = dir.files();
    for (options, word) in [
        ("--per-class 3", "--classes"),
        ("--classes 3 --per-class 0", "0 is not in 1.."),
        ("--classes 3 --per-class x", "invalid"),
        ("--classes 3 --per-class 2 --manifold 3", "cannot be used with"),
        ("--classes 3 --per-class 2 --traverse all", "cannot be used with"),
        ("--classes 3 --traverse all points.vae", "cannot be used with"),
        ("--classes 3 --interpolate linear", "cannot be used with"),
        ("--classes 9-0", "expected numbers and ranges"),
        ("--classes -1", "expected numbers and ranges"),
        ("--classes all", "expected numbers and ranges"),
        ("--classes 1,,2", "expected numbers and ranges"),
        ("--classes ''", "expected numbers and ranges"),
    ] {
        let output = dir.run(&format!("vae-sample -m c.bin {options} -o z.vae"));
        assert_eq!(output.codes, [2], "{output}");
        assert!(output.stderr.starts_with("vae-sample: ") && output.stderr.contains(word), "{word}: {output}");
        assert!(output.stdout.is_empty(), "{output}");
    }
    assert_eq!(dir.files(), before);
}
