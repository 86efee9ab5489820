//! The pipelines of the README and of docs/RECIPES.md, run as they stand there, and the files that docs/EXTENDING.md names.

use std::fs;
use std::path::Path;

use crate::harness::{CommandOutput, TestDir, idx, mnist, repository, skipped};

/// A block that is marked as to be run.
struct Block {
    needs: Vec<String>,
    text: String,
}

fn page(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut inside) = (vec![], false);
    for line in page.lines() {
        match (line.strip_prefix("```sh run"), line) {
            (Some(needs), _) => {
                let needs = needs.split_whitespace().map(str::to_owned).collect();
                blocks.push(Block { needs, text: String::new() });
                inside = true;
            }
            (_, "```") => inside = false,
            _ if inside => blocks.last_mut().expect("a block").text += &format!("{line}\n"),
            _ => {}
        }
    }
    blocks
}

/// A folder in which every block of a page has run, or was left out with a line on standard output.
fn with_page(path: &str, data: &Path) -> (TestDir, CommandOutput) {
    let mut dir = TestDir::new();
    let pretrained = repository().join("examples/mlp-400-20.bin");
    fs::copy(pretrained, dir.path("model.bin")).expect("a copy of the pretrained model");
    dir.set("MNIST_DIR", data);
    dir.set("ROOT", repository());
    dir.set("PAGE", path);
    let output = dir.run("$ROOT/examples/run_page.sh $ROOT/$PAGE 2> log || { cat log >&2; false; }").succeeds();
    (dir, output)
}

/// The files of the current folder that a block names with one of these ends. A name with holes, such as {epoch}, %03d or
/// $i, stands for all that begin like it.
fn named<'a>(block: &'a Block, ends: &[&str]) -> Vec<&'a str> {
    let words = block.text.split(|c: char| c.is_whitespace() || "'\"();=".contains(c));
    let files = words.filter(|word| ends.iter().any(|end| word.ends_with(end)));
    let starts = files.map(|word| word.split(['{', '%', '$', '*']).next().expect("a start"));
    starts.filter(|start| !start.is_empty()).collect()
}

/// Checks that there are files that begin like this, none empty, and pictures where they are called so.
fn expect_files(dir: &TestDir, start: &str) {
    let found = dir.run(&format!("ls -d '{start}'* there/'{start}'* 2> /dev/null || true")).succeeds();
    assert!(!found.text().is_empty(), "no {start}; there is only {:?}", dir.files());
    for file in found.text().lines() {
        assert!(!dir.read(file).is_empty(), "{file} is empty");
        if file.ends_with(".png") {
            assert!(dir.png(file).into_iter().all(|size| size >= 28), "{file}");
        }
    }
}

#[test]
fn every_pipeline_of_the_readme_makes_the_pictures_that_it_names() {
    let (dir, output) = with_page("README.md", &mnist().unwrap_or_else(|| idx().to_owned()));
    assert_eq!(output.text(), "", "nothing is left out");
    let blocks = blocks(&page("README.md"));
    let starts: Vec<&str> = blocks.iter().flat_map(|block| named(block, &[".png"])).collect();
    assert!(starts.len() >= 5, "only {starts:?}");
    starts.into_iter().for_each(|start| expect_files(&dir, start));
}

#[test]
fn every_recipe_makes_the_files_that_it_names() {
    let (dir, output) = with_page("docs/RECIPES.md", idx());
    for line in output.text().lines() {
        assert!(std::env::var("REQUIRE_NUMPY").is_err() || !line.contains("numpy"), "{line}");
        skipped("a recipe", line);
    }
    let left_out = |need: &String| output.text().contains(&format!("SKIPPED a block: no {need}\n"));
    let blocks = blocks(&page("docs/RECIPES.md"));
    assert!(blocks.len() >= 20, "only {}", blocks.len());
    let ends = [".png", ".gif", ".npy", ".npz", ".csv", ".tsv", ".txt", ".json", ".jsonl", ".vae", ".bin"];
    for block in blocks.iter().filter(|block| !block.needs.iter().any(left_out)) {
        named(block, &ends).into_iter().for_each(|start| expect_files(&dir, start));
    }
}

#[test]
fn a_block_whose_program_is_missing_is_left_out_and_one_that_fails_stops_the_page() {
    let mut dir = TestDir::new();
    dir.set("ROOT", repository());
    let page = "```sh run no-such-program\necho 1\n```\n```sh run sh ls\necho 2\n```\n```sh\necho 3\n```\n";
    dir.write("page.md", page);
    let output = dir.run("$ROOT/examples/run_page.sh page.md 2> log").succeeds();
    assert_eq!(output.text(), "SKIPPED a block: no no-such-program\n2\n");
    dir.write("page.md", format!("{page}```sh run ls\nls nothing\n```\n```sh run\necho 4\n```\n"));
    let output = dir.run("$ROOT/examples/run_page.sh page.md 2> log");
    assert_ne!(output.codes, [0]);
    assert!(output.text().ends_with("2\n"), "{output}");
}

#[test]
fn without_numpy_the_recipes_that_need_it_are_left_out() {
    let mut dir = TestDir::new();
    dir.set("ROOT", repository());
    dir.set("PYTHON", "false");
    dir.write("page.md", "```sh run numpy\npython3 -c 'import numpy'\n```\n");
    let output = dir.run("$ROOT/examples/run_page.sh page.md 2> log").succeeds();
    assert_eq!(output.text(), "SKIPPED a block: no numpy\n");
}

#[test]
fn every_file_that_a_page_names_is_there() {
    let mut named = 0;
    for path in ["README.md", "docs/EXTENDING.md", "docs/RECIPES.md"] {
        let text = page(path);
        let folder = repository().join(path).parent().expect("a folder").to_owned();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        let links = links.filter(|link| !link.is_empty() && !link.contains("://")).map(|link| folder.join(link));
        // In EXTENDING.md what is code and has a slash is a path from the root.
        let code = text.split('`').skip(1).step_by(2).filter(|_| path == "docs/EXTENDING.md");
        let paths = code.filter(|word| word.contains('/') && !word.contains(' ')).map(|word| repository().join(word));
        for file in links.chain(paths) {
            assert!(file.exists(), "{path} names {}", file.display());
            named += 1;
        }
    }
    assert!(named >= 80, "only {named}");
}

#[test]
fn every_heading_that_a_page_links_to_is_there() {
    // As GitHub makes an anchor of a heading.
    let anchor = |heading: &str| -> String {
        let kept = heading.to_lowercase().replace(' ', "-");
        kept.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
    };
    for path in ["README.md", "docs/EXTENDING.md", "docs/RECIPES.md"] {
        let text = page(path);
        for (file, wanted) in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()?.split_once('#')) {
            let to = Path::new(path).parent().expect("a folder").join(if file.is_empty() { "" } else { file });
            let there = if file.is_empty() { text.clone() } else { page(to.to_str().expect("text")) };
            let headings =
                there.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches(['#', ' ']));
            assert!(headings.map(anchor).any(|anchor| anchor == wanted), "{path} links to #{wanted} of {file}");
        }
    }
}
