//! The pages of documentation, README.md and those of docs, common and tests: their commands run, and what they link to
//! exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use crate::harness::{CommandOutput, TestDir, idx, mnist, repository, skipped};

/// The ends of names of files that a block makes.
const FILES: [&str; 11] = [".png", ".gif", ".npy", ".npz", ".csv", ".tsv", ".txt", ".json", ".jsonl", ".vae", ".bin"];

/// A block that is marked `sh run`.
struct Block {
    needs: Vec<String>,
    text: String,
}

/// Every page, by its path in the repository.
fn pages() -> Vec<String> {
    let markdown = |folder: &str| {
        let entries = fs::read_dir(repository().join(folder)).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        let pages = names.filter(|name| name.ends_with(".md"));
        pages.map(|name| Path::new(folder).join(name).display().to_string()).collect::<Vec<_>>()
    };
    let pages: BTreeSet<String> = ["", "docs", "common", "tests"].into_iter().flat_map(markdown).collect();
    assert!(pages.contains("README.md") && pages.contains("docs/RECIPES.md"), "{pages:?}");
    pages.into_iter().collect()
}

fn read(page: &str) -> String {
    fs::read_to_string(repository().join(page)).unwrap_or_else(|e| panic!("{page}: {e}"))
}

fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut inside) = (vec![], false);
    for line in read(page).lines() {
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

/// A folder in which every block of a page has run, or was skipped with a line on standard output.
fn with_page(page: &str, data: &Path) -> (TestDir, CommandOutput) {
    let mut dir = TestDir::new();
    let pretrained = repository().join("examples/mlp-400-20.bin");
    fs::copy(pretrained, dir.path("model.bin")).expect("a copy of the pretrained model");
    dir.set("MNIST_DIR", data);
    dir.set("ROOT", repository());
    dir.set("PAGE", page);
    let output = dir.run("$ROOT/examples/run_page.sh $ROOT/$PAGE 2> log || { cat log >&2; false; }").succeeds();
    (dir, output)
}

/// The files of the current folder that a block names, by how their names begin: a pattern, with {epoch}, %03d or $i in
/// it, ends before that.
fn named(block: &Block) -> Vec<&str> {
    let words = block.text.split(|c: char| c.is_whitespace() || "'\"();=,".contains(c));
    let files = words.filter(|word| FILES.iter().any(|end| word.ends_with(end)));
    let starts = files.map(|word| word.split(['{', '%', '$', '*']).next().expect("a start"));
    starts.filter(|start| !start.is_empty()).collect()
}

/// Asserts that files exist whose names begin like this, that none is empty, and that pictures are PNGs.
fn expect_files(dir: &TestDir, page: &str, start: &str) {
    let found = dir.run(&format!("ls -d '{start}'* there/'{start}'* 2> /dev/null || true")).succeeds();
    assert!(!found.text().is_empty(), "{page}: no {start}; there is only {:?}", dir.files());
    for file in found.text().lines().filter(|file| !dir.path(file).is_dir()) {
        assert!(!dir.read(file).is_empty(), "{page}: {file} is empty");
        if file.ends_with(".png") {
            assert!(dir.png(file).into_iter().all(|size| size >= 28), "{page}: {file}");
        }
    }
}

/// Runs a page, and gives the number of its blocks.
fn run(page: &str) -> usize {
    let blocks = blocks(page);
    if blocks.is_empty() {
        return 0;
    }
    // The README runs as a reader would run it, on MNIST if it is there.
    let data = if page == "README.md" { mnist() } else { None }.unwrap_or_else(|| idx().to_owned());
    let (dir, output) = with_page(page, &data);
    for line in output.text().lines() {
        assert!(std::env::var("REQUIRE_NUMPY").is_err() || !line.contains("numpy"), "{page}: {line}");
        skipped(page, line.trim_start_matches("SKIPPED "));
    }
    let missing = |need: &String| output.text().contains(&format!("SKIPPED a block: no {need}\n"));
    for block in blocks.iter().filter(|block| !block.needs.iter().any(missing)) {
        named(block).into_iter().for_each(|start| expect_files(&dir, page, start));
    }
    blocks.len()
}

#[test]
fn every_block_of_every_page_runs_and_makes_the_files_that_it_names() {
    let pages = pages();
    let blocks: usize = thread::scope(|scope| {
        let running: Vec<_> = pages.iter().map(|page| scope.spawn(|| run(page))).collect();
        running.into_iter().map(|page| page.join().unwrap_or_else(|e| std::panic::resume_unwind(e))).sum()
    });
    assert!(blocks >= 40, "only {blocks} blocks are marked `sh run`");
}

#[test]
fn the_pipelines_of_the_readme_need_nothing_but_the_programs_and_make_pictures() {
    let blocks = blocks("README.md");
    assert!(blocks.iter().all(|block| block.needs.is_empty()));
    let pictures = blocks.iter().flat_map(named).filter(|name| name.ends_with(".png"));
    assert!(pictures.count() >= 5);
}

#[test]
fn a_block_whose_program_is_missing_is_skipped_and_one_that_fails_stops_the_page() {
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
fn without_python_the_blocks_that_need_it_are_skipped() {
    let mut dir = TestDir::new();
    dir.set("ROOT", repository());
    dir.set("PYTHON", "false");
    let page = "```sh run numpy\npython3 -c 'import numpy'\n```\n```sh run python3\npython3 -c 'print(1)'\n```\n";
    dir.write("page.md", page);
    let output = dir.run("$ROOT/examples/run_page.sh page.md 2> log").succeeds();
    assert_eq!(output.text(), "SKIPPED a block: no numpy\nSKIPPED a block: no python3\n");
}

/// The targets of the links of a page, as FILE or FILE#HEADING.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    links.filter(|link| !link.contains("://"))
}

/// What stands between backticks and begins with a folder of the repository: a path from its root.
fn paths(text: &str) -> impl Iterator<Item = PathBuf> {
    const FOLDERS: [&str; 8] =
        ["common/", "docs/", "examples/", "kernels/", "packaging/", "pictures/", "tests/", "tools/"];
    let code = text.split('`').skip(1).step_by(2);
    let paths = code.filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)));
    paths.filter(|path| !path.contains([' ', '*', '{', '<', '…'])).map(|path| repository().join(path))
}

#[test]
fn every_file_that_a_page_names_exists() {
    let mut count = 0;
    for page in pages() {
        let text = read(&page);
        let folder = repository().join(&page).parent().expect("a folder").to_owned();
        let files = links(&text).map(|link| link.split('#').next().unwrap_or_default());
        let files = files.filter(|file| !file.is_empty()).map(|file| folder.join(file));
        for file in files.chain(paths(&text)) {
            assert!(file.exists(), "{page} names {}", file.display());
            count += 1;
        }
    }
    assert!(count >= 80, "only {count}");
}

#[test]
fn every_heading_that_a_page_links_to_exists() {
    // As GitHub makes an anchor of a heading.
    let anchor = |heading: &str| -> String {
        let kept = heading.to_lowercase().replace(' ', "-");
        kept.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
    };
    for page in pages() {
        let text = read(&page);
        for (file, wanted) in links(&text).filter_map(|link| link.split_once('#')) {
            let target = Path::new(&page).parent().expect("a folder").join(file);
            let target = if file.is_empty() { text.clone() } else { read(target.to_str().expect("text")) };
            let headings = target.lines().filter(|line| line.starts_with('#'));
            let mut anchors = headings.map(|line| anchor(line.trim_start_matches(['#', ' '])));
            assert!(anchors.any(|anchor| anchor == wanted), "{page} links to #{wanted} of {file}");
        }
    }
}
