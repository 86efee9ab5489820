//! Man pages and completions, as the programs write them for `make install`.

use crate::harness::{TOOLS, TestDir};
use crate::install::help::commands;

/// Prints the completions of bash for the last of these words.
const ASK_BASH: &str = r#"
. made/share/bash-completion/completions/$1
[[ $(complete -p $1) =~ -F\ ([^ ]+) ]]
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
${BASH_REMATCH[1]} $1 "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
echo "${COMPREPLY[@]}"
"#;

/// A folder in which every program has written its manual, below `made`.
fn written() -> TestDir {
    let mut dir = TestDir::new();
    dir.set("VAE_WRITE_MANUAL", "made");
    for tool in TOOLS {
        let output = dir.run(tool).succeeds();
        assert!(output.stdout.is_empty(), "{output}");
    }
    dir.set("VAE_WRITE_MANUAL", "");
    dir
}

/// A man page without the escapes of roff.
fn page(dir: &TestDir, command: &str) -> String {
    let name = format!("made/share/man/man1/{}.1", command.replace(' ', "-"));
    String::from_utf8(dir.read(&name)).expect("text").replace("\\-", "-").replace("\\*(Aq", "'").replace("\\fR", "")
}

#[test]
fn each_command_has_a_page_with_its_options_and_its_example() {
    let dir = written();
    for command in commands(&dir) {
        let (help, page) = (dir.run(&format!("{command} --help")).succeeds(), page(&dir, &command));
        let help = help.text();
        let options = help.lines().filter(|line| line.starts_with("  -") || line.starts_with("      --"));
        let flags = options.flat_map(|line| line.split([' ', ',', '[', '='])).filter(|word| word.starts_with('-'));
        let flags: Vec<&str> = flags.filter(|flag| flag.len() > 1).collect();
        assert!(flags.len() > 2, "{command}: {flags:?}");
        for flag in flags {
            assert!(page.contains(&format!("\\fB{flag}")), "{command} {flag}:\n{page}");
        }
        let (_, examples) = help.split_once("\nExample").expect("an example");
        let example = examples.trim_start_matches(['s', ':', '\n', ' ']).lines().next().expect("a line");
        for part in [".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION\n.PP", ".SH EXAMPLES", ".SH \"EXIT STATUS\"", example]
        {
            assert!(page.contains(part), "{command}: {part}\n{page}");
        }
    }
}

#[test]
fn pages_are_good_roff_and_refer_to_pages_that_are_there() {
    let dir = written();
    if !dir.has("groff") {
        return;
    }
    for command in commands(&dir) {
        let name = command.replace(' ', "-");
        let shown = dir.run(&format!("groff -k -man -Tutf8 -P-cbou -ww made/share/man/man1/{name}.1")).succeeds();
        let shown = shown.text();
        let words = shown.split([' ', ',', '\n']).filter_map(|word| word.strip_suffix("(1)"));
        for other in words.filter(|word| !word.is_empty()) {
            assert!(dir.path(&format!("made/share/man/man1/{other}.1")).is_file(), "{name}: {other}\n{shown}");
        }
        assert!(shown.contains(&format!("SYNOPSIS\n       {command} ")), "{shown}");
    }
}

#[test]
fn a_program_that_writes_its_manual_does_nothing_else() {
    let mut dir = TestDir::new();
    dir.run("mnist-dump --synthetic=20 -o digits.vae").succeeds();
    dir.set("VAE_WRITE_MANUAL", "made");
    let output = dir.run("vae-train --hidden 4 --latent 2 --epochs 1 digits.vae -o new.bin").succeeds();
    assert!(output.stdout.is_empty(), "{output}");
    assert_eq!(dir.files(), ["digits.vae", "made"]);
}

#[test]
fn a_manual_that_cannot_be_written_is_74() {
    let mut dir = TestDir::new();
    dir.write("file", "");
    dir.set("VAE_WRITE_MANUAL", "file");
    for tool in TOOLS {
        dir.run(tool).fails(74, tool, &["cannot write file/share/", "directory"]);
    }
    assert_eq!(dir.files(), ["file"]);
}

#[test]
fn bash_completes_options_and_presets() {
    let dir = written();
    dir.write("ask.sh", ASK_BASH);
    let ask = |words: &str| dir.run(&format!("bash ask.sh {words}")).succeeds().text().trim().to_owned();
    assert_eq!(ask("vae-train --pre"), "--preset --precision --preview");
    assert_eq!(ask("vae-train --preset mlp"), "mlp-400-20 mlp-512-256-2");
    assert_eq!(ask("vae-model ver"), "verify");
    for tool in TOOLS {
        dir.run(&format!("bash -n made/share/bash-completion/completions/{tool}")).succeeds();
        assert!(ask(&format!("{tool} --")).contains("--help"), "{tool}");
    }
}

#[test]
fn zsh_finds_the_completions_of_every_program() {
    let dir = written();
    if !dir.has("zsh") {
        return;
    }
    let folder = "made/share/zsh/site-functions";
    for tool in TOOLS {
        dir.run(&format!("zsh -n {folder}/_{tool}")).succeeds();
    }
    let line = format!(
        "zsh -f -c 'fpath=($PWD/{folder} $fpath); autoload -U compinit && compinit -u -D; \
         for tool; do echo $_comps[$tool]; autoload +X _$tool; done' zsh {}",
        TOOLS.join(" ")
    );
    let found = dir.run(&line).succeeds();
    assert_eq!(found.text().lines().collect::<Vec<_>>(), TOOLS.map(|tool| format!("_{tool}")), "{found}");
}

#[test]
fn fish_completes_options_and_presets() {
    let dir = written();
    if !dir.has("fish") {
        return;
    }
    let ask = |tool: &str, words: &str| {
        let file = format!("made/share/fish/vendor_completions.d/{tool}.fish");
        let output =
            dir.run(&format!("HOME=$PWD fish --no-config -c 'source {file}; complete -C \"{words}\"'")).succeeds();
        let names: Vec<String> =
            output.text().lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect();
        names
    };
    assert_eq!(ask("vae-train", "vae-train --preset mlp"), ["mlp-400-20", "mlp-512-256-2"]);
    assert_eq!(ask("vae-model", "vae-model ver"), ["verify"]);
    for tool in TOOLS {
        assert!(ask(tool, &format!("{tool} --hel")).contains(&"--help".to_owned()), "{tool}");
    }
}
