//! `make install`, `make uninstall` and `make dist`: their scripts, run with the programs under test.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::harness::{CommandOutput, MODEL, TOOLS, TestDir, repository};

/// Runs a script of `packaging` with these arguments, in which $programs is the folder of the programs under test.
fn run(dir: &TestDir, script: &str, arguments: &str) -> CommandOutput {
    let packaging = repository().join("packaging");
    dir.run(&format!("programs=$(dirname \"$(command -v vae-cat)\"); {}/{script}.sh {arguments}", packaging.display()))
}

fn install(dir: &TestDir, prefix: &str) -> CommandOutput {
    run(dir, "install", &format!("$programs {prefix} {}", TOOLS.join(" "))).succeeds()
}

/// Every file and folder below, by its path.
fn below(dir: &TestDir, folder: &str) -> Vec<String> {
    let found = dir.run(&format!("cd {folder} && find . -mindepth 1 | LC_ALL=C sort")).succeeds();
    found.text().lines().map(|line| line.trim_start_matches("./").to_owned()).collect()
}

#[test]
fn installed_programs_run_and_their_manual_model_and_documents_are_beside_them() {
    let dir = TestDir::new();
    let told = install(&dir, "prefix");
    assert!(told.text().contains("12 programs"), "{told}");
    for tool in TOOLS {
        for file in [
            format!("bin/{tool}"),
            format!("share/man/man1/{tool}.1"),
            format!("share/bash-completion/completions/{tool}"),
            format!("share/zsh/site-functions/_{tool}"),
            format!("share/fish/vendor_completions.d/{tool}.fish"),
        ] {
            let mode = fs::metadata(dir.path("prefix").join(&file)).unwrap_or_else(|e| panic!("{file}: {e}"));
            let expected = if file.starts_with("bin/") { 0o755 } else { 0o644 };
            assert_eq!(mode.permissions().mode() & 0o777, expected, "{file}");
        }
    }
    for file in
        ["man/man1/vae-model-import.1", "doc/vae-pipes/README.md", "doc/vae-pipes/FORMAT.md", "doc/vae-pipes/LICENSE"]
    {
        assert!(dir.path("prefix/share").join(file).is_file(), "{file}");
    }
    let programs = fs::read_dir(dir.path("prefix/bin")).expect("the folder").count();
    assert_eq!(programs, TOOLS.len(), "benchmarks and helpers of tests are not installed");
    let line = "PATH=prefix/bin:/usr/bin:/bin; vae-sample -m prefix/share/vae-pipes/mlp-400-20.bin -n 4 | vae-decode | grid-png > a.png";
    dir.pipe(line).succeeds();
    assert_eq!(dir.png("a.png"), [122, 32]);
}

#[test]
fn the_readme_that_is_installed_refers_to_what_is_installed() {
    let dir = TestDir::new();
    install(&dir, "prefix");
    let folder = dir.path("prefix/share/doc/vae-pipes");
    let readme = fs::read_to_string(folder.join("README.md")).expect("the README");
    let pictures = readme.split("](pictures/").skip(1).map(|rest| rest.split(')').next().unwrap_or_default());
    let mut count = 0;
    for picture in pictures {
        assert!(folder.join("pictures").join(picture).is_file(), "{picture}");
        count += 1;
    }
    assert!(count > 5 && readme.contains("](FORMAT.md)"), "{count}");
}

#[test]
fn uninstalling_removes_what_was_installed_and_nothing_else() {
    let dir = TestDir::new();
    dir.run(
        "mkdir -p prefix/bin prefix/share/man/man1 && echo mine | tee prefix/bin/mine > prefix/share/man/man1/mine.1",
    )
    .succeeds();
    let before = below(&dir, "prefix");
    install(&dir, "prefix");
    assert!(below(&dir, "prefix").len() > before.len() + 5 * TOOLS.len());
    run(&dir, "uninstall", "prefix").succeeds();
    assert_eq!(below(&dir, "prefix"), before);
}

#[test]
fn folders_that_others_use_by_now_stay() {
    let dir = TestDir::new();
    install(&dir, "prefix");
    dir.write("prefix/bin/mine", "");
    run(&dir, "uninstall", "prefix").succeeds();
    assert_eq!(below(&dir, "prefix"), ["bin", "bin/mine"]);
}

#[test]
fn installing_anew_replaces_and_is_uninstalled_as_one() {
    let dir = TestDir::new();
    install(&dir, "prefix");
    let list = dir.path("prefix/share/vae-pipes/files");
    let first = fs::read_to_string(&list).expect("the list");
    // A program of an earlier version that this one lacks.
    dir.write("prefix/bin/vae-old", "");
    fs::write(&list, format!("{first}bin/vae-old\n")).expect("a list to write");
    dir.write("prefix/bin/vae-cat", "damaged");
    install(&dir, "prefix");
    assert!(dir.run("prefix/bin/vae-cat --version").succeeds().text().starts_with("vae-cat "));
    run(&dir, "uninstall", "prefix").succeeds();
    assert_eq!(below(&dir, "prefix"), [""; 0]);
}

#[test]
fn uninstalling_where_nothing_is_installed_is_an_error() {
    let dir = TestDir::new();
    fs::create_dir(dir.path("prefix")).expect("a folder");
    for prefix in ["prefix", "no-such-folder"] {
        run(&dir, "uninstall", prefix).fails(1, "make uninstall", &[prefix, "share/vae-pipes/files", "PREFIX"]);
    }
}

#[test]
fn installing_programs_that_are_not_built_is_an_error_and_leaves_nothing() {
    let dir = TestDir::new();
    fs::create_dir(dir.path("empty")).expect("a folder");
    run(&dir, "install", "empty prefix vae-cat").fails(1, "make install", &["empty/vae-cat", "make build"]);
    assert_eq!(dir.files(), ["empty"]);
}

#[test]
fn make_install_takes_a_prefix_and_a_destination_and_every_program() {
    let dir = TestDir::new();
    if !dir.has("make") {
        return;
    }
    let root = repository().display();
    // Without cargo nothing is built: the folder of programs is one that is given.
    let make = |target: &str| {
        format!(
            "env -u MAKEFLAGS make -s -C {root} {target} CARGO=no-such-cargo BIN=\"$(dirname \"$(command -v vae-cat)\")\" DESTDIR=$PWD/stage PREFIX=/usr"
        )
    };
    dir.run(&make("install")).succeeds();
    let mut programs = below(&dir, "stage/usr/bin");
    programs.sort();
    let mut expected = TOOLS.map(str::to_owned);
    expected.sort();
    assert_eq!(programs, expected);
    dir.run(&make("uninstall")).succeeds();
    assert_eq!(below(&dir, "stage/usr"), [""; 0]);
}

#[test]
fn an_archive_is_the_same_bytes_again_and_holds_what_is_installed() {
    let mut dir = TestDir::new();
    if !dir.has("tar") || !dir.has("objdump") {
        return;
    }
    // The tests may run where the archive must not be made.
    dir.set("GLIBC", "99");
    dir.set("SOURCE_DATE_EPOCH", "1700000000");
    let [first, second] = ["one", "two"].map(|folder| {
        run(&dir, "dist", &format!("$programs {folder} {}", TOOLS.join(" "))).succeeds();
        let names = below(&dir, folder);
        assert_eq!(names.len(), 1, "{names:?}");
        assert!(names[0].starts_with("vae-pipes-") && names[0].ends_with("-linux.tar.gz"), "{names:?}");
        format!("{folder}/{}", names[0])
    });
    dir.assert_same(&first, &second);
    install(&dir, "prefix");
    dir.run(&format!("tar -xf {first} && mv vae-pipes-* unpacked")).succeeds();
    assert_eq!(below(&dir, "unpacked"), below(&dir, "prefix"));
    let owners = dir.run(&format!("tar --numeric-owner -tvf {first}")).succeeds();
    assert!(owners.text().lines().all(|line| line.contains(" 0/0 ") && line.contains("2023-11-1")), "{owners}");
    let symbols = dir.run("for p in unpacked/bin/*; do objdump -t $p | grep -c 'F .text' ; done; true").succeeds();
    assert!(symbols.text().lines().all(|count| count == "0"), "not stripped: {symbols}");
    let line = format!(
        "PATH=unpacked/bin:/usr/bin:/bin; mnist-dump --synthetic=50 | vae-train {MODEL} --epochs 1 -o m.bin > l"
    );
    dir.pipe(&line).succeeds();
    assert!(Path::new(&dir.path("m.bin")).is_file());
}

#[test]
fn an_archive_of_programs_that_older_systems_cannot_run_is_refused() {
    let mut dir = TestDir::new();
    if !dir.has("objdump") {
        return;
    }
    dir.set("GLIBC", "2.17");
    dir.set("SOURCE_DATE_EPOCH", "1700000000");
    let refused = run(&dir, "dist", "$programs one vae-cat");
    refused.fails(1, "make dist", &["vae-cat", "glibc 2.17", "GLIBC=2."]);
    assert_eq!(below(&dir, "one"), [""; 0]);
}
