//! The pipelines of the README, run as they stand there.

use std::fs;

use crate::Place;
use crate::given::{idx, mnist};
use crate::place::repository;

/// The lines of the blocks that are marked as to be run.
fn pipelines(readme: &str) -> Vec<&str> {
    let mut inside = false;
    let lines = readme.lines().filter(|line| {
        inside = match *line {
            "```sh run" => true,
            "```" => false,
            _ => return inside,
        };
        false
    });
    lines.collect()
}

#[test]
fn every_pipeline_of_the_readme_makes_the_pictures_that_it_names() {
    let mut place = Place::new();
    let readme = fs::read_to_string(repository().join("README.md")).expect("the README");
    let pretrained = repository().join("examples/mlp-400-20.bin");
    fs::copy(pretrained, place.path("model.bin")).expect("a copy of the pretrained model");
    place.set("MNIST_DIR", mnist().unwrap_or_else(|| idx().to_owned()));
    place.set("ROOT", repository());
    let ran = place.run("$ROOT/examples/run_readme.sh $ROOT/README.md > log 2>&1 || { cat log >&2; false; }");
    ran.succeeds();

    // A name with holes, such as {group}-{epoch}.png, stands for all that begin like it.
    let words =
        pipelines(&readme).into_iter().flat_map(|line| line.split([' ', '\'', '"'])).filter(|w| w.ends_with(".png"));
    let starts: Vec<&str> = words.map(|word| word.split('{').next().expect("a start")).collect();
    assert!(starts.len() >= 5, "only {starts:?}");
    for start in starts {
        let pictures = place.run(&format!("ls -d '{start}'*")).succeeds();
        pictures.text().lines().for_each(|picture| assert!(place.png(picture).into_iter().all(|size| size >= 28)));
    }
}
