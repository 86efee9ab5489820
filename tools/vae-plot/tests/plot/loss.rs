//! `vae-plot loss`: what is drawn.

use super::{count, epoch, log, svg, texts};

/// The ends of the curves, of which each panel has one for each run and kind of images.
fn curves(svg: &str) -> usize {
    svg.lines().filter(|line| line.contains("<path") && line.contains(r#"fill="none""#)).count()
}

#[test]
fn a_run_has_its_loss_and_both_parts_with_units() {
    let svg = svg("loss", log(20).as_bytes(), &[]);
    for name in ["loss (nats per image)", "reconstruction (nats per image)", "KL divergence (nats per image)"] {
        assert!(texts(&svg).contains(&name), "{:?}", texts(&svg));
    }
    assert_eq!(texts(&svg).iter().filter(|text| **text == "epoch").count(), 3);
    assert_eq!(curves(&svg), 3 * 2);
}

#[test]
fn each_of_few_epochs_is_a_dot_and_many_are_a_line() {
    let few = svg("loss --show loss", log(20).as_bytes(), &[]);
    assert_eq!((count(&few, "<circle "), curves(&few)), (2 * 20, 2));
    let many = svg("loss --show loss", log(200).as_bytes(), &[]);
    assert_eq!((count(&many, "<circle "), curves(&many)), (0, 2));
}

#[test]
fn test_losses_are_in_full_colour_and_training_losses_paler() {
    let svg = svg("loss --show loss", log(5).as_bytes(), &[]);
    assert!(texts(&svg).ends_with(&["test", "training"]), "{:?}", texts(&svg));
    let dots = |colour: &str| svg.lines().filter(|line| line.contains("<circle ") && line.contains(colour)).count();
    assert_eq!(["#3f90da", "#b3d3f1"].map(dots), [5, 5]);
}

#[test]
fn a_run_without_test_images_has_training_losses_in_full_colour() {
    let log = epoch(1, [90.0, 10.0], None) + &epoch(2, [80.0, 12.0], None);
    let svg = svg("loss", log.as_bytes(), &[]);
    assert!(texts(&svg).contains(&"training") && !texts(&svg).contains(&"test"), "{:?}", texts(&svg));
    assert!(svg.contains("#3f90da") && !svg.contains("#b3d3f1"));
    assert_eq!(curves(&svg), 3);
}

#[test]
fn several_runs_have_colours_of_their_own_and_the_names_of_their_files() {
    let (a, b, c) = (log(9), log(5), log(3));
    let svg = svg(
        "loss a.jsonl b.jsonl c.jsonl",
        b"",
        &[("a.jsonl", a.as_bytes()), ("b.jsonl", b.as_bytes()), ("c.jsonl", c.as_bytes())],
    );
    let texts = texts(&svg);
    let at =
        |name: &str| texts.iter().position(|text| *text == name).unwrap_or_else(|| panic!("no {name} in {texts:?}"));
    assert!(at("a.jsonl") < at("b.jsonl") && at("b.jsonl") < at("c.jsonl") && at("c.jsonl") < at("test"));
    assert!(["#3f90da", "#ffa90e", "#bd1f01"].iter().all(|colour| svg.contains(colour)));
    assert_eq!(curves(&svg), 3 * 3 * 2);
}

#[test]
fn a_dozen_runs_have_a_dozen_colours_and_a_legend_that_fits() {
    let names: Vec<String> = (0..12).map(|n| format!("run-{n}.jsonl")).collect();
    let log = log(4);
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (&name[..], log.as_bytes())).collect();
    let svg = svg(&format!("loss {}", names.join(" ")), b"", &files);
    assert!(names.iter().all(|name| texts(&svg).contains(&&name[..])), "{:?}", texts(&svg));
    let height: f64 = svg.split(r#"height=""#).nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
    let lowest = svg.lines().find(|line| line.contains(">training<")).unwrap();
    let y: f64 = lowest.split(r#" y=""#).nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
    assert!(y < height, "training at {y} of {height}");
}

#[test]
fn an_autoencoder_has_its_squared_error_alone() {
    let record = r#"{"kind":"epoch","epoch":1,"train":{"loss":527.9,"recon":527.9,"kl":0.0,"mse":0.1},"test":{"loss":500.1,"recon":500.1,"kl":0.0,"mse":0.05}}"#;
    let svg = svg("loss", record.as_bytes(), &[]);
    assert!(texts(&svg).contains(&"squared error (per pixel)"), "{:?}", texts(&svg));
    assert_eq!((curves(&svg), count(&svg, "<circle ")), (0, 2), "an only epoch is a dot");
    assert!(texts(&svg).contains(&"1"), "{:?}", texts(&svg));
}

#[test]
fn panels_are_shown_in_the_order_asked_for() {
    let svg = svg("loss --show kl,loss", log(5).as_bytes(), &[]);
    let axes: Vec<_> = texts(&svg).into_iter().filter(|text| text.contains("nats")).collect();
    assert_eq!(axes, ["KL divergence (nats per image)", "loss (nats per image)"]);
}

#[test]
fn numbers_that_are_not_finite_are_left_out() {
    let log = epoch(1, [90.0, 10.0], None)
        + &epoch(2, [80.0, 10.0], None).replace("90,", r#""inf","#)
        + &epoch(3, [70.0, 10.0], None);
    let svg = svg("loss --show loss", log.as_bytes(), &[]);
    assert_eq!(count(&svg, "<circle "), 2);
}

#[test]
fn a_name_cannot_break_the_svg() {
    let log = log(3);
    let svg = svg("loss <&>$x$.jsonl b.jsonl", b"", &[("<&>$x$.jsonl", log.as_bytes()), ("b.jsonl", log.as_bytes())]);
    assert!(texts(&svg).contains(&"&lt;&amp;&gt;$x$.jsonl"), "{:?}", texts(&svg));
}

#[test]
fn terms_of_other_objectives_have_panels_in_the_order_of_the_records() {
    let line = |n: usize| {
        let terms = format!(r#"{{"loss":{},"recon":{},"tc":{},"dwkl":1.5,"mse":0.1}}"#, 90 / n, 80 / n, 9 / n);
        format!(r#"{{"kind":"epoch","epoch":{n},"train":{terms}}}"#) + "\n"
    };
    let log: String = (1..=3).map(line).collect();
    let labels = |arguments: &str| {
        let svg = svg(arguments, log.as_bytes(), &[]);
        let expected = ["loss (nats per image)", "reconstruction (nats per image)", "tc", "dwkl"];
        expected.map(|label| texts(&svg).iter().position(|text| *text == label))
    };
    let places = labels("loss");
    assert!(places[0].is_some() && places.is_sorted(), "{places:?}");
    assert_eq!(labels("loss --show tc").map(|place| place.is_some()), [false, false, true, false]);
}
