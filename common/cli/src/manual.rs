//! Man pages and completions from the command line of a program, for `make install`.

use std::fs;
use std::path::Path;

use clap::{Arg, Command};
use clap_complete::{Generator, Shell};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

use crate::{Error, Result};

/// If this variable is set, a program writes its pages below the folder that it names, and ends.
pub(crate) const VARIABLE: &str = "VAE_WRITE_MANUAL";

/// The folders of completions, below a prefix.
const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "share/bash-completion/completions"),
    (Shell::Zsh, "share/zsh/site-functions"),
    (Shell::Fish, "share/fish/vendor_completions.d"),
];

/// The meanings of [`Error::exit_code`].
const EXIT_STATUS: [(&str, &str); 8] = [
    ("0", "Success, or the reader of the output has closed it."),
    ("1", "The run itself failed, say by a loss that is not finite."),
    ("2", "The command line is wrong."),
    ("65", "The input is bad, or a program before this one in the pipe failed."),
    ("66", "A file is missing."),
    ("69", "A device, memory or the network is missing."),
    ("74", "The system refused to read or write."),
    ("128 + N", "Signal N ended it."),
];

/// Writes the completions of the program, its page, and one for each of its subcommands.
pub(crate) fn write(command: Command, prefix: &Path) -> Result<()> {
    let name = command.get_name().to_owned();
    for (shell, folder) in SHELLS {
        let mut script = vec![];
        clap_complete::generate(shell, &mut command.clone(), &name, &mut script);
        // bash looks for the name of the program alone.
        let file = if shell == Shell::Bash { name.clone() } else { shell.file_name(&name) };
        write_file(prefix, folder, &file, &script)?;
    }
    let source = format!("{name} {}", command.get_version().unwrap_or_default());
    let mut command = inline_values(command).disable_help_subcommand(true);
    command.build(); // gives subcommands their full names
    for subcommand in command.get_subcommands() {
        page(subcommand.clone(), &[&name], &source, prefix)?;
    }
    let others: Vec<&str> = command.get_subcommands().filter_map(Command::get_display_name).collect();
    page(command.clone(), &others, &source, prefix)
}

/// Puts defaults and possible values without help at the end of each option's text, as `--help` does: a line for each of 33
/// colormaps would hide the rest.
fn inline_values(command: Command) -> Command {
    command.mut_args(inline_values_of).mut_subcommands(inline_values)
}

fn inline_values_of(arg: Arg) -> Arg {
    let mut text = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if !defaults.is_empty() && !arg.is_hide_default_value_set() {
        text += &format!(" [default: {}]", defaults.join(" "));
    }
    let takes_values = arg.get_action().takes_values(); // a flag has no values
    let values: Vec<_> = arg.get_possible_values().into_iter().filter(|v| takes_values && !v.is_hide_set()).collect();
    let plain = values.iter().all(|value| value.get_help().is_none());
    if plain && !values.is_empty() {
        let names: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
        text += &format!(" [possible values: {}]", names.join(", "));
    }
    arg.long_help(text).hide_default_value(true).hide_possible_values(plain)
}

/// Writes the page of a command, which is built.
fn page(mut command: Command, others: &[&str], source: &str, prefix: &Path) -> Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let (usage, text) = (usage(&mut command), description(&command));
    let (examples, has_subcommands) = (examples(&command), command.has_subcommands());
    // An empty date would be left out, and the next field take its place.
    let man = Man::new(command).date(" ").source(source).manual("Variational autoencoders as Unix pipes");

    let mut page = vec![];
    let written = (|| {
        man.render_title(&mut page)?;
        // No hyphenation: words are typed as they stand.
        let mut head = Roff::new();
        head.control("nh", []).control("ad", ["l"]).to_writer(&mut page)?;
        man.render_name_section(&mut page)?;
        usage.to_writer(&mut page)?;
        text.to_writer(&mut page)?;
        man.render_options_section(&mut page)?;
        if has_subcommands {
            man.render_subcommands_section(&mut page)?;
        }
        examples.to_writer(&mut page)?;
        exit_status().to_writer(&mut page)?;
        see_also(others).to_writer(&mut page)
    })();
    written.expect("writes to a vector do not fail");
    write_file(prefix, "share/man/man1", &format!("{name}.1"), &page)
}

fn usage(command: &mut Command) -> Roff {
    let usage = command.render_usage().to_string();
    let line = usage.strip_prefix("Usage: ").unwrap_or(&usage);
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold(name), roman(line.strip_prefix(name).unwrap_or(line))]);
    roff
}

/// The description after its first paragraph, which is beside the name.
fn description(command: &Command) -> Roff {
    let text = command.get_long_about().map(ToString::to_string).unwrap_or_default();
    let mut roff = Roff::new();
    roff.control("SH", ["DESCRIPTION"]);
    for paragraph in text.split("\n\n").skip(1) {
        roff.control("PP", []).text([roman(paragraph)]);
    }
    roff
}

/// The examples, with the line breaks of `--help`.
fn examples(command: &Command) -> Roff {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let lines = text.strip_prefix("Examples:\n").or(text.strip_prefix("Example: ")).unwrap_or(&text);
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]).control("nf", []);
    for line in lines.lines() {
        roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
    }
    roff.control("fi", []);
    roff
}

fn exit_status() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in EXIT_STATUS {
        roff.control("TP", []).text([bold(code)]).text([roman(meaning)]);
    }
    roff
}

fn see_also(others: &[&str]) -> Roff {
    let mut names: Vec<Inline> = vec![];
    for other in others {
        names.extend([roman(if names.is_empty() { "" } else { ", " }), bold(*other), roman("(1)")]);
    }
    let mut roff = Roff::new();
    if !names.is_empty() {
        roff.control("SH", ["SEE ALSO"]).text(names);
    }
    roff
}

fn write_file(prefix: &Path, folder: &str, file: &str, text: &[u8]) -> Result<()> {
    let folder = prefix.join(folder);
    let path = folder.join(file);
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, text));
    written.map_err(|e| Error::io(format!("cannot write {}", path.display()), e))
}
