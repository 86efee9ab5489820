//! `--help` of every program, and suggestions for mistyped names.

use crate::harness::{TOOLS, TestDir};

/// Every program and every subcommand, as typed.
pub fn commands(dir: &TestDir) -> Vec<String> {
    let of = |tool: &str| {
        let help = dir.run(&format!("{tool} --help")).succeeds();
        let list = help.text().split_once("\nCommands:\n").map_or("", |(_, list)| list);
        let list = list.split_once("\n\n").map_or(list, |(list, _)| list);
        let names = list.lines().filter(|line| !line.starts_with("   ")).filter_map(|line| line.split(' ').nth(2));
        let names: Vec<String> = names.filter(|name| *name != "help").map(|name| format!("{tool} {name}")).collect();
        [vec![tool.to_owned()], names].concat()
    };
    TOOLS.into_iter().flat_map(of).collect()
}

#[test]
fn every_help_says_what_is_read_and_written_what_memory_it_takes_and_an_example() {
    let dir = TestDir::new();
    let commands = commands(&dir);
    assert!(commands.len() > TOOLS.len() + 5, "{commands:?}");
    for command in commands {
        let help = dir.run(&format!("{command} --help")).succeeds();
        let (about, options) = help.text().split_once("\nUsage: ").unwrap_or_else(|| panic!("{help}"));
        for words in [["Reads ", "reads "], ["Writes ", "writes "], ["Memory", "memory"]] {
            assert!(words.iter().any(|word| about.contains(word)), "{words:?}: {help}");
        }
        let (_, examples) = options.split_once("\nExample").unwrap_or_else(|| panic!("no example: {help}"));
        let name = command.split(' ').next().expect("a name");
        assert!(examples.contains(&format!("{name} ")) || examples.ends_with(name), "{help}");
    }
}

#[test]
fn short_help_is_shorter() {
    let dir = TestDir::new();
    for command in commands(&dir) {
        let [short, long] = ["-h", "--help"].map(|how| dir.run(&format!("{command} {how}")).succeeds().stdout.len());
        assert!(short < long, "{command}: {short} and {long} bytes");
    }
}

#[test]
fn a_mistyped_name_gets_a_suggestion() {
    let dir = TestDir::new();
    for (line, meant) in [
        ("vae-train --prest conv-20", "--preset"),
        ("vae-train --preset mlp-40-20", "mlp-400-20"),
        ("vae-train --binarize statc", "static"),
        ("vae-train --activation rleu", "did you mean relu?"),
        ("vae-train --activation relu,leaky-rule:0.1", "did you mean leaky-relu?"),
        ("vae-train --autoencoder=rel", "did you mean relu?"),
        ("vae-encode -m model.bin --device cdua", "did you mean cuda?"),
        ("vae-encode -m model.bin --emit mus", "mu"),
        ("vae-sample -m model.bin --interpolate sperical", "spherical"),
        ("vae-model inof", "info"),
        ("vae-model export model.bin --names clasic", "classic"),
        ("vae-plot los", "loss"),
        ("grid-png --colormap virdis", "viridis"),
        ("mnist-dump --splt test", "--split"),
        ("mnist-dump --split tset", "test"),
    ] {
        let output = dir.run(line);
        assert_eq!(output.codes, [2], "{output}");
        let tip = output.stderr.lines().find(|line| line.contains("tip: a similar") || line.contains("did you mean"));
        assert!(tip.is_some_and(|tip| tip.contains(meant)), "{meant}: {output}");
    }
}

#[test]
fn a_name_like_no_other_gets_no_suggestion() {
    let dir = TestDir::new();
    for line in ["vae-train --activation 17", "vae-encode -m model.bin --device tensor", "vae-train --preset zzz"] {
        let output = dir.run(line);
        assert_eq!(output.codes, [2], "{output}");
        assert!(!output.stderr.contains("tip:") && !output.stderr.contains("did you mean"), "{output}");
    }
}

#[test]
fn no_color_takes_the_colours_from_everything_at_a_terminal() {
    let dir = TestDir::with_model();
    dir.run("mnist-dump --synthetic=100 -o digits.vae").succeeds();
    let styled = ["vae-train --help", "vae-model import --help", "grid-png digits.vae"];
    let plain = [
        "vae-train --prest x",
        "vae-cat no-such-file",
        "vae-train digits.vae --epochs 2 --hidden 8 --latent 2 -o new.bin > /dev/null",
        "vae-eval -m model.bin -k 9 digits.vae",
    ];
    let coloured = |text: &str| {
        text.split("\x1b[").skip(1).any(|rest| {
            rest.split_once('m').is_some_and(|(code, _)| code.chars().all(|c| c.is_ascii_digit() || c == ';'))
        })
    };
    for line in styled.iter().chain(&plain) {
        for (variables, expected) in [("TERM=xterm NO_COLOR=1", false), ("TERM=xterm", styled.contains(line))] {
            let Some((_, shown)) = dir.run_at_terminal(&format!("env -u CLICOLOR_FORCE {variables} {line}")) else {
                return;
            };
            assert!(!shown.is_empty(), "{line}");
            assert_eq!(coloured(&shown), expected, "{variables} {line}: {shown:?}");
        }
    }
}
