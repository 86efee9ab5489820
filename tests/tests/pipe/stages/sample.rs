//! vae-sample: draws from the prior, manifolds, interpolations, traversals, and errors.

use ndarray::{Array2, ArrayView1, Axis, Ix2, array, concatenate, s};
use serde_json::json;

use crate::harness::TestDir;

/// A folder with a model of 4 latent dimensions, a stream of the latents of 5 digits, and the same as .npy.
fn with_points() -> TestDir {
    let dir = TestDir::with_model();
    dir.pipe("mnist-dump --synthetic=5 | vae-encode -m model.bin -o points.vae").succeeds();
    dir.run("vae-cat points.vae --npy z > points.npy; vae-cat points.vae --npy y > y.npy").succeeds();
    dir
}

/// A folder with `plane.bin`, a model of 2 latent dimensions.
fn with_plane() -> TestDir {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=50 -o digits.vae").succeeds();
    dir.run("vae-train --hidden 8 --latent 2 --epochs 1 digits.vae -o plane.bin > losses.jsonl").succeeds();
    dir
}

/// The latents that a command line makes.
#[track_caller]
fn latents(dir: &TestDir, line: &str) -> Array2<f32> {
    dir.pipe(&format!("{line} --npy z > made.npy")).succeeds();
    dir.npy::<f32>("made.npy").into_dimensionality::<Ix2>().expect("[N, Z]")
}

fn points(dir: &TestDir) -> Array2<f32> {
    dir.npy::<f32>("points.npy").into_dimensionality::<Ix2>().expect("[N, Z]")
}

#[test]
fn the_temperature_multiplies_the_draws() {
    let dir = TestDir::with_model();
    let plain = latents(&dir, "vae-sample -m model.bin -n 20");
    assert_eq!(latents(&dir, "vae-sample -m model.bin -n 20 --temperature 1"), plain);
    assert_eq!(latents(&dir, "vae-sample -m model.bin -n 20 --temperature 0.25"), &plain * 0.25);
    assert_eq!(latents(&dir, "vae-sample -m model.bin -n 20 --temperature 0"), Array2::<f32>::zeros([20, 4]));
}

#[test]
fn latents_and_their_numbers_are_the_same_in_frames_of_any_size() {
    let dir = with_points();
    for options in ["-n 40 --temperature 0.5", "--interpolate spherical points.vae", "--traverse all points.vae"] {
        let line = |batch| format!("vae-sample -m model.bin {options} --batch {batch} --jsonl");
        let whole = dir.run(&line(256)).succeeds().records();
        assert!(whole.iter().enumerate().all(|(k, item)| item["i"] == k) && whole.len() >= 40, "{options}");
        for batch in [1, 7, 65536] {
            assert_eq!(dir.run(&line(batch)).succeeds().records(), whole, "{options} --batch {batch}");
        }
    }
    let dir = with_plane();
    let plane = |batch| dir.run(&format!("vae-sample -m plane.bin --manifold 5x8 --batch {batch} --jsonl")).succeeds();
    assert_eq!(plane(1).records(), plane(256).records());
}

#[test]
fn a_manifold_is_the_plane_as_a_picture_shows_it() {
    let dir = with_plane();
    let z = latents(&dir, "vae-sample -m plane.bin --manifold 3x4");
    assert_eq!(z.dim(), (12, 2));
    // Quantiles of N(0, 1) at 5/6 and 7/8.
    let (up, right) = (0.967_421_6, 1.150_349_4);
    for (k, corner) in [(0, [-right, up]), (3, [right, up]), (8, [-right, -up]), (11, [right, -up])] {
        assert!((&z.row(k) - &array![corner[0], corner[1]]).iter().all(|d| d.abs() < 1e-6), "{k}: {z}");
    }
    assert_eq!(latents(&dir, "vae-sample -m plane.bin --manifold 1"), array![[0.0, 0.0]]);
    dir.pipe("vae-sample -m plane.bin --manifold 3x4 | vae-decode | grid-png --nrow 4 --padding 0 > plane.png")
        .succeeds();
    assert_eq!(dir.png("plane.png"), [4 * 28, 3 * 28]);
    assert_eq!(latents(&dir, "vae-sample -m plane.bin --manifold 20").dim(), (400, 2));
}

#[test]
fn a_manifold_of_a_model_that_has_no_plane_is_refused() {
    let dir = TestDir::with_model();
    let words = ["--manifold needs 2 latent dimensions: expected 2, got 4", "vae-train --latent 2", "--traverse"];
    dir.run("vae-sample -m model.bin --manifold 20x20 -o z.vae").fails(2, "vae-sample", &words);
    assert_eq!(dir.files(), ["model.bin"]);
}

#[test]
fn interpolation_gives_a_row_for_each_pair_of_points() {
    let dir = with_points();
    let points = points(&dir);
    for how in ["linear", "spherical"] {
        let z = latents(&dir, &format!("vae-sample --interpolate {how} --steps 4 points.vae"));
        assert_eq!(z.dim(), (16, 4));
        for (pair, row) in z.axis_chunks_iter(Axis(0), 4).enumerate() {
            assert_eq!(row.row(0), points.row(pair), "{how}");
            assert_eq!(row.row(3), points.row(pair + 1), "{how}");
        }
    }
    let middle = latents(&dir, "vae-sample --interpolate linear --steps 3 points.vae").row(1).to_owned();
    let expected = (&points.row(0) + &points.row(1)) / 2.0;
    assert!((middle - expected).iter().all(|d| d.abs() < 1e-6));
    let default = latents(&dir, "cat points.vae | vae-sample --interpolate linear");
    assert_eq!(default.dim(), (40, 4));
}

#[test]
fn spherical_interpolation_stays_as_far_from_the_origin_as_its_points() {
    let dir = TestDir::with_model();
    dir.write("z.jsonl", "{\"z\":[3,0,4,0]}\n{\"z\":[0,-5,0,0]}\n{\"z\":[1,1,-4.690416,1]}\n");
    let length = |z: ArrayView1<f32>| z.iter().map(|v| v * v).sum::<f32>().sqrt();
    let arc = latents(&dir, "vae-sample -m model.bin --interpolate spherical z.jsonl");
    assert!(arc.rows().into_iter().all(|z| (length(z) - 5.0).abs() < 1e-5), "{arc}");
    let line = latents(&dir, "vae-sample -m model.bin --interpolate linear z.jsonl");
    assert!(length(line.row(5)) < 4.0, "{line}");
}

#[test]
fn pairs_do_not_depend_on_the_frames_and_streams_in_which_points_come() {
    let dir = with_points();
    let whole = latents(&dir, "vae-sample --interpolate spherical points.vae");
    assert_eq!(latents(&dir, "vae-cat points.vae --batch 1 | vae-sample --interpolate spherical"), whole);
    dir.run("vae-cat points.vae --take 1 -o a.vae; vae-cat points.vae --skip 1 -o b.vae").succeeds();
    assert_eq!(latents(&dir, "cat a.vae b.vae | vae-sample --interpolate spherical -"), whole);
    assert_eq!(latents(&dir, "vae-sample -m model.bin --interpolate spherical points.npy"), whole);
    dir.run("vae-cat points.vae --jsonl > points.jsonl").succeeds();
    assert_eq!(latents(&dir, "vae-sample -m model.bin --interpolate spherical < points.jsonl"), whole);
}

#[test]
fn a_traversal_takes_each_dimension_over_the_range() {
    let dir = TestDir::with_model();
    let z = latents(&dir, "vae-sample -m model.bin --traverse 2,0 --range -1.5,1.5 --steps 3");
    let mut expected = Array2::<f32>::zeros([6, 4]);
    expected.slice_mut(s![..3, 2]).assign(&array![-1.5, 0.0, 1.5]);
    expected.slice_mut(s![3.., 0]).assign(&array![-1.5, 0.0, 1.5]);
    assert_eq!(z, expected);
    assert_eq!(latents(&dir, "vae-sample -m model.bin --traverse 2 --traverse 0 --range=-1.5,1.5 --steps 3"), z);
    let all = latents(&dir, "vae-sample -m model.bin --traverse all");
    assert_eq!((all.dim(), all[[0, 0]], all[[39, 3]]), ((40, 4), -3.0, 3.0));
    assert_eq!(latents(&dir, "vae-sample -m model.bin --traverse 0,1,2,3"), all);
}

#[test]
fn a_traversal_goes_through_the_points_of_a_file_or_of_standard_input() {
    let dir = with_points();
    let points = points(&dir);
    let z = latents(&dir, "vae-sample --traverse 1,3 --steps 5 points.vae");
    let mut expected = vec![];
    for point in points.rows() {
        for dimension in [1, 3] {
            for value in [-3.0, -1.5, 0.0, 1.5, 3.0] {
                let mut row = point.to_owned();
                row[dimension] = value;
                expected.push(row.insert_axis(Axis(0)));
            }
        }
    }
    let expected: Vec<_> = expected.iter().map(|row| row.view()).collect();
    assert_eq!(z, concatenate(Axis(0), &expected).expect("rows"));
    assert_eq!(latents(&dir, "cat points.vae | vae-sample --traverse 1,3 --steps 5 -"), z);
    assert_eq!(latents(&dir, "vae-sample --traverse 1,3 --steps 5 -m model.bin points.npy"), z);
}

#[test]
fn labels_are_those_of_the_points_that_paths_start_from() {
    let dir = with_points();
    let y = dir.npy::<u8>("y.npy");
    for (options, each) in [("--interpolate linear --steps 3", 3), ("--traverse 0,2 --steps 4", 8)] {
        let made = dir.run(&format!("vae-sample {options} points.vae --jsonl")).succeeds().records();
        assert!(made.iter().enumerate().all(|(k, item)| item["y"] == y[k / each]), "{options}");
        let dir = TestDir::with_model();
        dir.write("z.jsonl", "{\"z\":[3,0,4,0]}\n{\"z\":[0,-5,0,0]}\n");
        let made = dir.run(&format!("vae-sample -m model.bin {options} z.jsonl --jsonl")).succeeds().records();
        assert!(made.iter().all(|item| item.get("y").is_none()), "{options}");
    }
}

#[test]
fn a_path_announces_its_latents_its_labels_its_model_and_its_history_alone() {
    let dir = with_points();
    dir.pipe("mnist-dump --synthetic=3 | vae-encode -m model.bin --emit z,mu --keep x -o much.vae").succeeds();
    let head = |line: &str| dir.pipe(&format!("{line} | vae-cat --head")).succeeds().json();
    let before = head("cat much.vae");
    let after = head("vae-sample --interpolate linear much.vae");
    let tensors = json!({"z": {"dtype": "<f4", "shape": [4]}, "i": {"dtype": "<i8", "shape": []}, "y": {"dtype": "|u1", "shape": []}});
    assert_eq!(after["tensors"], tensors);
    assert_eq!(after["model"], before["model"]);
    let tools: Vec<&str> =
        after["history"].as_array().expect("a list").iter().filter_map(|e| e["tool"].as_str()).collect();
    assert_eq!(tools, ["mnist-dump 0.1.0", "vae-encode 0.1.0", "vae-sample 0.1.0"]);
}

#[test]
fn vae_decode_finds_the_model_of_a_path() {
    let dir = with_points();
    dir.pipe("vae-sample --interpolate linear points.vae | vae-decode --npy x_hat > expected.npy").succeeds();
    let decodes = |line: &str| {
        dir.pipe(&format!("{line} | vae-decode --npy x_hat > x.npy")).succeeds();
        dir.assert_same("x.npy", "expected.npy");
    };
    // Bare latents have the model of -m; a stream may send it along from the start, or from here.
    decodes("vae-sample -m model.bin --interpolate linear points.npy");
    decodes("vae-sample -m model.bin --interpolate linear points.vae");
    decodes("vae-sample -m <(cat model.bin) --interpolate linear points.vae");
    dir.pipe("mnist-dump --synthetic=5 | vae-encode -m model.bin --embed-model -o whole.vae").succeeds();
    dir.run("vae-sample --interpolate linear --embed-model points.vae -o sent.vae").succeeds();
    dir.run("mv model.bin away.bin").succeeds();
    decodes("vae-sample --interpolate linear whole.vae");
    decodes("vae-sample --interpolate linear --embed-model whole.vae");
    decodes("vae-sample --interpolate linear --embed-model -m away.bin whole.vae");
    let counts = dir.pipe("vae-sample --interpolate linear --embed-model -m away.bin whole.vae | vae-cat --check");
    assert_eq!(counts.succeeds().json()["groups"], json!({"model": 1}), "what the input brings is not sent again");
    decodes("cat sent.vae");
    // Where the recorded model has gone, the one of -m takes its place.
    decodes("vae-sample -m away.bin --interpolate linear points.vae");
    dir.run("vae-sample --interpolate linear points.vae -o z.vae").fails(
        66,
        "vae-sample",
        &["was not found", "-m MODEL"],
    );
}

#[test]
fn standard_input_is_left_alone_where_nothing_is_to_be_read() {
    let dir = with_plane();
    for options in ["-n 1", "--manifold 1", "--traverse 0 --steps 2"] {
        let line = format!(
            "printf 'a\\nb\\nc\\n' | while read line; do vae-sample -m plane.bin {options}; done | vae-cat --check"
        );
        let items = dir.pipe(&line).succeeds().json()["items"].as_u64();
        assert_eq!(items, Some(if options.contains("steps") { 6 } else { 3 }), "{options}");
        dir.run(&format!("vae-sample -m plane.bin {options} < /dev/null > z.vae")).succeeds();
        dir.run(&format!("vae-sample -m plane.bin {options} <&- > z.vae")).succeeds();
    }
}

#[test]
fn interpolation_of_fewer_than_two_points_is_refused() {
    let dir = with_points();
    for n in [0, 1] {
        let line = format!("vae-cat points.vae --take {n} | vae-sample --interpolate linear -o z.vae");
        let words = ["interpolation needs at least two points: expected 2 or more", &format!("got {n}")];
        dir.pipe(&line).fails(65, "vae-sample", &words);
        assert!(!dir.path("z.vae").exists());
    }
    let line = "vae-cat points.vae --take 1 | vae-sample --interpolate linear 2> said | vae-decode | vae-cat --check";
    dir.pipe(line).fails(65, "vae-cat", &["vae-sample failed", "at least two points"]);
    // A traversal of no points makes no latents.
    let none = dir.pipe("vae-cat points.vae --take 0 | vae-sample --traverse all - | vae-cat --check").succeeds();
    assert_eq!(none.json()["items"], 0);
}

#[test]
fn points_that_are_no_latents_of_the_model_are_refused() {
    let dir = with_points();
    dir.run("mnist-dump --synthetic=3 -o x.vae").succeeds();
    dir.write_npy("wide.npy", &Array2::<f32>::zeros([3, 5]));
    dir.write_npy("flat.npy", &ndarray::Array1::<f32>::zeros(4));
    dir.write_npy("nan.npy", &array![[0f32, 1.0, 2.0, 3.0], [0.0, 1.0, f32::NAN, 3.0]]);
    let before = dir.files();
    for paths in ["--interpolate spherical", "--traverse all"] {
        let line = |input: &str| format!("vae-sample -m model.bin {paths} {input} -o z.vae");
        for (input, words) in [
            ("x.vae", ["no tensor z", "x, y, i"]),
            ("wide.npy", ["z has 5 dimensions", "expected 4"]),
            ("flat.npy", ["shape []", "expected latents [N, 4]"]),
            ("nan.npy", ["z of item 1 holds NaN", "expected finite numbers"]),
            ("model.bin", ["a model", "-m"]),
        ] {
            dir.run(&line(input)).fails(65, "vae-sample", &words);
        }
        dir.run(&line("no.vae")).fails(66, "vae-sample", &["no.vae: no such file"]);
        dir.run(&line("- < /dev/null")).fails(65, "vae-sample", &["nothing arrived"]);
        assert_eq!(dir.files(), before);
    }
}

#[test]
fn paths_need_the_model_of_their_points() {
    let dir = with_points();
    let interpolate = "vae-sample --interpolate linear -o z.vae";
    dir.run(&format!("{interpolate} points.npy")).fails(2, "vae-sample", &["names no model", "-m MODEL"]);
    dir.run("mnist-dump --synthetic=50 -o d.vae; vae-train --hidden 8 --latent 4 d.vae -o b.bin --epochs 1 > l")
        .succeeds();
    let words = ["b.bin is not the model that made these latents", "expected sha256", "leave out -m"];
    dir.run(&format!("{interpolate} points.vae -m b.bin")).fails(65, "vae-sample", &words);
    dir.run(&format!("{interpolate} points.vae -m no.bin")).fails(66, "vae-sample", &["no.bin: no such model"]);
    assert!(!dir.path("z.vae").exists());
}

#[test]
fn dimensions_that_the_model_does_not_have_are_refused() {
    let dir = TestDir::with_model();
    let words = ["--traverse 4: expected a dimension of the model, 0 to 3, got 4", "all"];
    dir.run("vae-sample -m model.bin --traverse 0,4 -o z.vae").fails(2, "vae-sample", &words);
    assert_eq!(dir.files(), ["model.bin"]);
}

#[test]
fn an_autoencoder_has_paths_and_no_prior() {
    let dir = TestDir::new();
    dir.run("mnist-dump --synthetic=50 -o digits.vae").succeeds();
    dir.run("vae-train --preset ae-20 --hidden 8 --latent 2 --epochs 1 digits.vae -o ae.bin > losses.jsonl").succeeds();
    let words = ["has no prior to draw from", "expected a VAE"];
    dir.run("vae-sample -m ae.bin -o z.vae").fails(2, "vae-sample", &words);
    let words = ["--manifold takes quantiles of the prior", "expected a VAE", "--traverse 0,1"];
    dir.run("vae-sample -m ae.bin --manifold 3 -o z.vae").fails(2, "vae-sample", &words);
    assert!(!dir.path("z.vae").exists());
    let z = latents(&dir, "vae-sample -m ae.bin --traverse all --range 0,4 --steps 3");
    assert_eq!(z, array![[0.0, 0.0], [2.0, 0.0], [4.0, 0.0], [0.0, 0.0], [0.0, 2.0], [0.0, 4.0]]);
    for paths in ["--interpolate spherical", "--traverse all -"] {
        let line = format!("vae-encode -m ae.bin digits.vae | vae-sample {paths} | vae-decode | grid-png -o out.png");
        dir.pipe(&line).succeeds();
    }
}

#[test]
fn options_that_make_no_sense_alone_or_together_are_2() {
    let dir = with_points();
    let before = dir.files();
    for (options, word) in [
        ("", "--model"),
        ("--traverse all", "--model"),
        ("--manifold 3", "--model"),
        ("-m model.bin --steps 3", "--interpolate"),
        ("-m model.bin --range 0,1", "--traverse"),
        ("-m model.bin points.vae", "--interpolate"),
        ("-m model.bin -n 3 points.vae", "cannot be used with"),
        ("-m model.bin --manifold 3 points.vae", "cannot be used with"),
        ("-m model.bin --manifold 3 -n 3", "cannot be used with"),
        ("-m model.bin --manifold 3 --seed 3", "cannot be used with"),
        ("-m model.bin --manifold 3 --temperature 1", "cannot be used with"),
        ("-m model.bin --manifold 3 --steps 3", "cannot be used with"),
        ("-m model.bin --manifold 3 --traverse all", "cannot be used with"),
        ("-m model.bin -n 3 --steps 3", "cannot be used with"),
        ("-m model.bin -n 3 --traverse all", "cannot be used with"),
        ("-m model.bin --traverse all --temperature 2", "cannot be used with"),
        ("--interpolate linear points.vae --traverse all", "cannot be used with"),
        ("--interpolate linear points.vae --seed 1", "cannot be used with"),
        ("--interpolate linear points.vae --range 0,1", "cannot be used with"),
        ("--interpolate round points.vae", "linear, spherical"),
        ("--interpolate linear --steps 1 points.vae", "expected 2 to 65536"),
        ("--interpolate linear --steps 65537 points.vae", "expected 2 to 65536"),
        ("--traverse one points.vae", "expected a number from 0, or all"),
        ("--traverse -1 points.vae", "expected a number from 0, or all"),
        ("--traverse 0 --range 3,-3 points.vae", "expected two numbers, the smaller first"),
        ("--traverse 0 --range -3 points.vae", "expected two numbers, the smaller first"),
        ("--traverse 0 --range nan,3 points.vae", "expected two numbers, the smaller first"),
        ("-m model.bin --temperature -1", "expected a number from 0"),
        ("-m model.bin --temperature nan", "expected a number from 0"),
        ("-m model.bin --temperature inf", "expected a number from 0"),
        ("-m model.bin --manifold 0x3", "expected ROWSxCOLUMNS"),
        ("-m model.bin --manifold 3,3", "expected ROWSxCOLUMNS"),
    ] {
        let output = dir.run(&format!("vae-sample {options} -o z.vae"));
        assert_eq!(output.codes, [2], "{output}");
        assert!(output.stderr.starts_with("vae-sample: ") && output.stderr.contains(word), "{word}: {output}");
        assert!(output.stdout.is_empty(), "{output}");
    }
    assert_eq!(dir.files(), before);
}
