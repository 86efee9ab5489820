//! vae-encode and vae-decode: tensors, conversions to and from .npy and newline JSON, draws, and shards.

use ndarray::{Array2, Axis, Ix2};
use serde_json::json;

use crate::harness::TestDir;

const DIGITS: &str = "mnist-dump --synthetic=500 --split test -o digits.vae";

fn with_digits() -> TestDir {
    let dir = TestDir::with_model();
    dir.run(DIGITS).succeeds();
    dir
}

fn matrix(dir: &TestDir, name: &str) -> Array2<f32> {
    dir.npy::<f32>(name).into_dimensionality::<Ix2>().expect("[N, Z]")
}

#[test]
fn latents_leave_for_numpy_and_come_back() {
    let dir = with_digits();
    dir.run("vae-encode -m model.bin digits.vae --npy z > z.npy").succeeds();
    assert_eq!(dir.npy::<f32>("z.npy").shape(), [500, 4]);
    dir.pipe("vae-encode -m model.bin digits.vae | vae-decode --npy x_hat > direct.npy").succeeds();
    dir.run("vae-decode -m model.bin z.npy --npy x_hat > back.npy").succeeds();
    dir.assert_same("direct.npy", "back.npy");
    assert_eq!(dir.npy::<f32>("back.npy").shape(), [500, 28, 28]);
}

#[test]
fn latents_leave_as_newline_json_and_come_back() {
    let dir = with_digits();
    dir.run("vae-encode -m model.bin digits.vae --jsonl > z.jsonl; vae-encode -m model.bin digits.vae -o z.vae")
        .succeeds();
    let lines = dir.run("cat z.jsonl").succeeds().records();
    assert_eq!(lines.len(), 500);
    assert_eq!(lines[7]["i"], 7);
    assert!(lines[7]["y"].as_u64().is_some_and(|y| y < 10), "{}", lines[7]);
    assert_eq!(lines[7]["z"].as_array().map(Vec::len), Some(4));
    for name in ["z", "i"] {
        dir.run(&format!("vae-cat z.jsonl --npy {name} > a.npy; vae-cat z.vae --npy {name} > b.npy")).succeeds();
        dir.assert_same("a.npy", "b.npy");
    }
    dir.run("vae-cat z.jsonl --npy y > a.npy; vae-cat z.vae --npy y > b.npy").succeeds();
    assert_eq!(dir.npy::<i64>("a.npy"), dir.npy::<u8>("b.npy").mapv(i64::from));
}

#[test]
fn streams_one_after_the_other_are_one_stream() {
    let dir = with_digits();
    dir.run("vae-cat digits.vae --take 300 | vae-encode -m model.bin > a.vae").succeeds();
    dir.run("vae-cat digits.vae --skip 300 | vae-encode -m model.bin > b.vae").succeeds();
    dir.run("vae-encode -m model.bin digits.vae --npy z > whole.npy").succeeds();
    assert_eq!(dir.pipe("cat a.vae b.vae | vae-cat --check").succeeds().json()["items"], 500);
    dir.pipe("cat a.vae b.vae | vae-cat --npy z > joined.npy").succeeds();
    dir.assert_same("whole.npy", "joined.npy");
    dir.run("vae-cat a.vae b.vae --npy z > joined.npy").succeeds();
    dir.assert_same("whole.npy", "joined.npy");
    dir.pipe("cat a.vae b.vae | vae-decode | grid-png --max 0 > all.png").succeeds();
    assert_eq!(dir.png("all.png"), [242, 63 * 30 + 2]);
}

#[test]
fn shards_give_the_latents_draws_and_pixels_of_the_whole() {
    let dir = with_digits();
    for options in ["", "--sample --seed 5"] {
        dir.run(&format!("vae-encode -m model.bin {options} digits.vae | vae-decode --bernoulli --keep z > whole.vae"))
            .succeeds();
        let shard = format!("mnist-dump --synthetic=500 --split test --shard $s/3 | vae-encode -m model.bin {options}");
        dir.run(&format!("for s in 1 2 3; do {shard} | vae-decode --bernoulli --keep z; done > shards.vae")).succeeds();
        for name in ["z", "x_hat", "i"] {
            dir.run(&format!("vae-cat whole.vae --npy {name} > a.npy; vae-cat shards.vae --npy {name} > b.npy"))
                .succeeds();
            dir.assert_same("a.npy", "b.npy");
        }
    }
}

#[test]
fn a_choice_of_items_draws_what_the_whole_draws() {
    let dir = with_digits();
    let encode = "vae-encode -m model.bin --sample --jsonl";
    let whole = dir.run(&format!("{encode} digits.vae")).succeeds().records();
    let threes = dir.pipe(&format!("mnist-dump --synthetic=500 --split test --only 3 | {encode}")).succeeds().records();
    let expected: Vec<_> = whole.into_iter().filter(|item| item["y"] == 3).collect();
    assert!(expected.len() > 20);
    assert_eq!(threes, expected);
}

#[test]
fn what_is_kept_and_emitted_is_in_the_stream_beside_what_passes_through() {
    let dir = with_digits();
    let names = |options: &str| {
        let head = dir.pipe(&format!("vae-encode -m model.bin {options} digits.vae | vae-cat --head")).succeeds();
        let head = head.json();
        head["tensors"].as_object().expect("tensors").keys().cloned().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(""), "y i z");
    assert_eq!(names("--keep x"), "x y i z");
    assert_eq!(names("--emit mu,logvar"), "y i mu logvar");
    assert_eq!(names("--emit z,mu --keep x"), "x y i z mu");
    let both = "vae-encode -m model.bin digits.vae | vae-decode --keep z | vae-cat --head";
    let head = dir.pipe(both).succeeds().json();
    assert_eq!(head["tensors"]["z"], json!({"dtype": "<f4", "shape": [4]}));
    assert_eq!(head["tensors"]["x_hat"], json!({"dtype": "<f4", "shape": [28, 28]}));
    let tools: Vec<&str> =
        head["history"].as_array().expect("a list").iter().filter_map(|e| e["tool"].as_str()).collect();
    assert_eq!(tools, ["mnist-dump 0.1.0", "vae-encode 0.1.0", "vae-decode 0.1.0"]);
}

#[test]
fn the_mean_is_emitted_unless_draws_are_asked_for() {
    let dir = with_digits();
    dir.run("vae-encode -m model.bin --emit z,mu digits.vae -o mean.vae").succeeds();
    dir.run("vae-cat mean.vae --npy z > z.npy; vae-cat mean.vae --npy mu > mu.npy").succeeds();
    dir.assert_same("z.npy", "mu.npy");
}

#[test]
fn draws_follow_the_mean_the_variance_and_the_seed() {
    let dir = with_digits();
    for (seed, name) in [(0, "a"), (0, "again"), (1, "b")] {
        let emit = "--emit z,mu,logvar";
        dir.run(&format!("vae-encode -m model.bin --sample --seed {seed} {emit} digits.vae -o {name}.vae")).succeeds();
        dir.run(&format!("vae-cat {name}.vae --npy z > {name}.npy")).succeeds();
    }
    dir.assert_same("a.npy", "again.npy");
    dir.assert_differ("a.npy", "b.npy");
    dir.run("vae-cat a.vae --npy mu > mu.npy; vae-cat a.vae --npy logvar > logvar.npy").succeeds();
    let (z, mu, logvar) = (matrix(&dir, "a.npy"), matrix(&dir, "mu.npy"), matrix(&dir, "logvar.npy"));
    let noise = (z - mu) / logvar.mapv(|l| (l / 2.0).exp());
    let (mean, variance) = (noise.mean().expect("some"), noise.var(0.0));
    // 2000 standard normals: their mean is within 0.1 of 0, 4.5 standard errors, their variance within 0.15 of 1.
    assert!(mean.abs() < 0.1 && (variance - 1.0).abs() < 0.15, "{mean} {variance}");
}

#[test]
fn pixels_drawn_are_black_or_white_with_the_decoders_means() {
    let dir = with_digits();
    dir.run("vae-encode -m model.bin digits.vae -o z.vae").succeeds();
    let decode = |options: &str, name: &str| {
        dir.run(&format!("vae-decode {options} z.vae --npy x_hat > {name}.npy")).succeeds();
        dir.npy::<f32>(&format!("{name}.npy"))
    };
    let (means, draws) = (decode("", "means"), decode("--bernoulli", "draws"));
    assert!(means.iter().all(|p| (0.0..=1.0).contains(p)) && means.iter().any(|p| p.fract() != 0.0));
    assert!(draws.iter().all(|p| [0.0, 1.0].contains(p)));
    let expected: f64 = means.iter().map(|&p| f64::from(p)).sum();
    let deviation = means.iter().map(|&p| f64::from(p * (1.0 - p))).sum::<f64>().sqrt();
    let got: f64 = draws.iter().map(|&p| f64::from(p)).sum();
    assert!((got - expected).abs() < 5.0 * deviation, "{got} white pixels, expected {expected} +- {deviation}");
    decode("--bernoulli --seed 1", "others");
    dir.assert_differ("draws.npy", "others.npy");
}

#[test]
fn an_items_number_picks_the_draws_of_its_pixels() {
    let dir = TestDir::with_model();
    dir.run("vae-sample -m model.bin -n 10 -o z.vae; vae-decode --bernoulli z.vae --npy x_hat > all.npy").succeeds();
    dir.pipe("vae-cat z.vae --skip 7 | vae-decode --bernoulli --npy x_hat > last.npy").succeeds();
    let (all, last) = (dir.npy::<f32>("all.npy"), dir.npy::<f32>("last.npy"));
    assert_eq!(all.select(Axis(0), &[7, 8, 9]), last);
}

#[test]
fn bytes_are_the_means_times_255() {
    let dir = TestDir::with_model();
    dir.run(
        "vae-sample -m model.bin -n 9 -o z.vae; vae-decode z.vae -o floats.vae; vae-decode --u8 z.vae -o bytes.vae",
    )
    .succeeds();
    dir.run("vae-cat floats.vae --npy x_hat > f.npy; vae-cat bytes.vae --npy x_hat > b.npy").succeeds();
    let expected = dir.npy::<f32>("f.npy").mapv(|p| (p * 255.0).round() as u8);
    assert_eq!(dir.npy::<u8>("b.npy"), expected);
    dir.run("grid-png floats.vae > f.png; grid-png bytes.vae > b.png").succeeds();
    assert_eq!(dir.png("f.png"), dir.png("b.png"));
}

#[test]
fn a_draw_from_the_prior_has_its_number_and_is_the_same_among_more() {
    let dir = TestDir::with_model();
    let sample = |options: &str| dir.run(&format!("vae-sample -m model.bin --jsonl {options}")).succeeds().records();
    let (few, many) = (sample("-n 5"), sample("-n 300 --batch 7"));
    assert_eq!(few[..], many[..5]);
    assert_eq!((many.len(), &many[299]["i"]), (300, &json!(299)));
    assert_ne!(few, sample("-n 5 --seed 1"));
}
