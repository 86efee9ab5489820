//! The crates that each program links: the engine is linked by the programs that compute alone.

use std::collections::BTreeSet;
use std::process::Command;

use crate::harness::repository;

/// The crates that `package` links, the workspace's own and all others.
fn linked(package: &str) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").expect("cargo runs the tests");
    let tree = Command::new(cargo)
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "--package", package])
        .current_dir(repository())
        .output()
        .expect("cargo tree");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let lines = String::from_utf8(tree.stdout).expect("names");
    let names: BTreeSet<String> = lines.lines().filter_map(|l| l.split(' ').next()).map(str::to_owned).collect();
    assert!(names.contains(package), "cargo tree does not name {package}: {lines}");
    names
}

fn links_none_of(package: &str, unwanted: &[&str]) {
    let crates = linked(package);
    let found: Vec<_> = unwanted.iter().filter(|name| crates.contains(**name)).collect();
    assert!(found.is_empty(), "{package} links {found:?}");
}

#[test]
fn programs_that_compute_nothing_link_no_engine() {
    for package in ["mnist-dump", "image-dump", "vae-cat", "grid-png", "vae-watch"] {
        links_none_of(package, &["common", "kernels", "cust", "nalgebra"]);
    }
}

#[test]
fn vae_plot_links_an_eigensolver_and_no_engine() {
    links_none_of("vae-plot", &["common", "kernels", "cust"]);
    assert!(linked("vae-plot").contains("nalgebra"));
}

#[test]
fn the_stream_needs_no_command_line() {
    links_none_of("vae-stream", &["vae-cli", "clap", "common"]);
}

#[test]
fn programs_that_compute_link_the_engine() {
    let crates = linked("vae-train");
    assert!(["common", "kernels", "cust", "nalgebra"].iter().all(|name| crates.contains(*name)), "{crates:?}");
}
