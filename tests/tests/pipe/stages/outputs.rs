//! Outputs: full disks, closed pipes, folders, links and terminals.

use crate::harness::TestDir;

/// A command line of every program that succeeds.
const LINES: [&str; 13] = [
    "mnist-dump --synthetic=300",
    "mnist-dump --synthetic=300 --npy x",
    "mnist-dump --synthetic=300 --jsonl",
    "vae-encode -m model.bin digits.vae",
    "vae-decode z.vae",
    "vae-sample -m model.bin",
    "vae-cat digits.vae",
    "vae-cat --check digits.vae",
    "vae-cat --head digits.vae",
    "grid-png digits.vae",
    "vae-cat --npy y digits.vae",
    "vae-plot latent z.vae",
    "vae-plot loss losses.jsonl",
];

fn with_work() -> TestDir {
    let dir = TestDir::with_model();
    dir.run("mnist-dump --synthetic=300 -o digits.vae; vae-encode -m model.bin digits.vae -o z.vae").succeeds();
    dir.write("losses.jsonl", r#"{"kind":"epoch","epoch":1,"train":{"loss":3,"recon":2,"kl":1}}"#);
    dir
}

fn tool(line: &str) -> &str {
    line.split(' ').next().expect("a program")
}

#[test]
fn a_full_disk_is_74() {
    let dir = with_work();
    for line in LINES {
        dir.run(&format!("{line} > /dev/full")).fails(
            74,
            tool(line),
            &["cannot write standard output", "No space left"],
        );
        dir.run(&format!("{line} -o /dev/full")).fails(74, tool(line), &["cannot write /dev/full", "No space left"]);
    }
    let line = "vae-train --dry-run digits.vae > /dev/full";
    dir.run(line).fails(74, "vae-train", &["cannot write standard output", "No space left"]);
}

#[test]
fn standard_output_closed_at_the_start_is_74_before_any_work() {
    let dir = with_work();
    let before = dir.files();
    // Work that would take hours.
    let works = ["mnist-dump --synthetic=4000000000", "vae-sample -m model.bin -n 4000000000"];
    let train = [
        "vae-train --epochs 1000000 digits.vae -o new.bin",
        "vae-train --preview 3 --epochs 1000000 digits.vae -o new.bin",
    ];
    for line in LINES.into_iter().chain(works).chain(train).chain(["vae-train --dry-run digits.vae"]) {
        dir.run(&format!("{line} >&-")).fails(74, tool(line), &["standard output", "closed"]);
        assert_eq!(dir.files(), before, "{line}");
    }
}

#[test]
fn a_file_can_be_written_where_standard_output_is_closed() {
    let dir = with_work();
    for line in LINES {
        dir.run(&format!("{line} > a; {line} -o b >&-")).succeeds();
        if line != "vae-cat --head digits.vae" {
            assert!(!dir.read("b").is_empty(), "{line}");
        }
        dir.run("rm a b").succeeds();
    }
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let dir = with_work();
    for line in LINES {
        dir.run(&format!("{line} -o no/out")).fails(
            74,
            tool(line),
            &["cannot write no/out", "No such file or directory"],
        );
    }
    dir.run("vae-train digits.vae -o no/out").fails(66, "vae-train", &["no: no such folder"]);
    dir.run("vae-train digits.vae -o out --checkpoint no/c").fails(66, "vae-train", &["no: no such folder"]);
}

#[test]
fn a_folder_is_no_place_for_an_output() {
    let dir = with_work();
    dir.run("mkdir folder").succeeds();
    for line in LINES {
        dir.run(&format!("{line} -o folder")).fails(74, tool(line), &["cannot write folder", "directory"]);
    }
    dir.run("vae-train digits.vae -o folder").fails(2, "vae-train", &["folder is no regular file"]);
    assert_eq!(dir.run("ls -A folder").succeeds().text(), "");
}

#[test]
fn a_device_is_written_directly_but_holds_no_model() {
    let dir = with_work();
    for line in LINES {
        dir.run(&format!("{line} -o /dev/null")).succeeds();
        let stdout = dir.run(&format!("{line} -o /dev/stdout | wc -c")).succeeds();
        assert_ne!(stdout.text().trim(), "0", "{line}");
    }
    dir.run("vae-train digits.vae -o /dev/null").fails(2, "vae-train", &["/dev/null is no regular file"]);
    dir.run("vae-train digits.vae -o m --checkpoint /dev/null").fails(
        2,
        "vae-train",
        &["/dev/null is no regular file"],
    );
    assert!(dir.run("test -c /dev/null").codes == [0], "the device is no longer one");
}

#[test]
fn a_file_keeps_its_old_content_when_its_new_one_fails() {
    let dir = with_work();
    dir.run("head -c 10000 digits.vae > cut.vae; head -c 1000 z.vae > cutz.vae").succeeds();
    for line in [
        "vae-encode -m model.bin cut.vae",
        "vae-decode cutz.vae",
        "vae-cat cut.vae",
        "vae-cat --npy x cut.vae",
        "vae-cat --check cut.vae",
        "grid-png cut.vae",
        "vae-plot latent cutz.vae",
        "vae-train cut.vae",
    ] {
        dir.write("out", "old");
        let before = dir.files();
        dir.run(&format!("{line} -o out")).fails(65, tool(line), &[]);
        assert_eq!(dir.read("out"), b"old", "{line}");
        assert_eq!(dir.files(), before, "{line} left a temporary file");
    }
}

#[test]
fn a_file_may_be_replaced_by_what_is_made_of_it() {
    let dir = with_work();
    dir.run("cp z.vae mine.vae; vae-decode mine.vae -o mine.vae; vae-decode z.vae -o other.vae").succeeds();
    dir.run("vae-cat mine.vae --npy x_hat > a; vae-cat other.vae --npy x_hat > b").succeeds();
    dir.assert_same("a", "b");
}

#[test]
fn the_file_behind_a_link_is_written_and_the_link_stays() {
    let dir = with_work();
    dir.run("touch real.png; ln -s real.png link.png; grid-png digits.vae -o link.png").succeeds();
    dir.run("test -L link.png").succeeds();
    assert_eq!(dir.png("real.png"), [242, 242]);
}

#[test]
fn an_output_named_minus_is_standard_output() {
    let dir = with_work();
    for line in LINES {
        dir.run(&format!("{line} | wc -c > a; {line} -o - | wc -c > b")).succeeds();
        assert_ne!(dir.read("a"), b"0\n", "{line}");
    }
    assert!(!dir.path("-").exists());
}

#[test]
fn binary_is_refused_to_a_terminal() {
    let dir = with_work();
    let train = ["vae-train --preview 3 digits.vae -o new.bin"];
    let binary = |line: &&str| !["--jsonl", "--check", "--head", "grid-png"].iter().any(|text| line.contains(text));
    for line in LINES.into_iter().filter(binary).chain(train) {
        let Some((code, shown)) = dir.run_at_terminal(line) else { return };
        assert_eq!(code, 2, "{line}: {shown}");
        let expected = format!("{}: standard output is a terminal", tool(line));
        assert!(shown.starts_with(&expected) && shown.lines().count() == 1, "{line}: {shown}");
    }
    assert!(!dir.path("new.bin").exists());
}

#[test]
fn text_and_pictures_are_welcome_at_a_terminal() {
    let dir = with_work();
    for line in [
        "vae-cat --check digits.vae",
        "vae-cat --head digits.vae",
        "vae-sample -m model.bin --jsonl",
        "grid-png digits.vae",
    ] {
        let Some((code, shown)) = dir.run_at_terminal(line) else { return };
        assert_eq!(code, 0, "{line}: {shown}");
        assert!(!shown.contains("PNG") && shown.len() > 10, "{line}: {shown}");
    }
}

#[test]
fn a_run_at_a_terminal_draws_the_course_of_its_losses() {
    let dir = with_work();
    let line = "vae-train --hidden 8 --latent 2 --epochs 3 --batch 50 digits.vae -o new.bin > losses";
    for (variables, draws) in [("TERM=xterm", true), ("TERM=xterm NO_COLOR=1", true), ("TERM=dumb", false)] {
        let Some((code, shown)) = dir.run_at_terminal(&format!("{variables} {line}")) else { return };
        assert_eq!(code, 0, "{shown}");
        let last = shown.lines().find(|line| line.contains("epoch 3/3")).unwrap_or_else(|| panic!("{shown}"));
        assert_eq!(last.trim_end().ends_with('▁'), draws, "{variables}: {shown}");
        assert_eq!(last.contains('█'), draws, "{variables}: {shown}");
    }
    let said = dir.run(&format!("{line} -v")).stderr;
    assert!(said.contains("epoch 3/3") && !said.contains('▁'), "no terminal: {said}");
}

#[test]
fn a_terminal_is_no_input() {
    let dir = with_work();
    for line in [
        "vae-encode -m model.bin -o out",
        "vae-decode -o out",
        "vae-cat -o out",
        "grid-png -o out",
        "vae-plot loss -o out",
        "vae-plot latent -o out",
        "vae-train -o out",
    ] {
        let Some((code, shown)) = dir.run_at_terminal(&format!("{line} < /dev/tty")) else { return };
        assert_eq!(code, 2, "{line}: {shown}");
        assert!(shown.contains("standard input is a terminal") && shown.lines().count() == 1, "{line}: {shown}");
        assert!(!dir.path("out").exists());
    }
}

#[test]
fn a_link_stays_a_link_and_the_file_it_leads_to_appears() {
    let dir = with_work();
    dir.run("mkdir real; ln -s real/new.vae there.vae; ln -s new.bin model-link.bin").succeeds();
    dir.run("mnist-dump --synthetic=30 -o there.vae && mnist-dump --synthetic=40 -o there.vae").succeeds();
    dir.run("vae-train --hidden 4 --latent 2 --epochs 1 there.vae -o model-link.bin").succeeds();
    dir.run("test -L there.vae && test -L model-link.bin && vae-cat --check real/new.vae && test -f new.bin")
        .succeeds();
}
