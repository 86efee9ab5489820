//! The man pages of a program and its completions, written from its own command line, for `make install`.

use std::fs;
use std::path::Path;

use clap::Command;
use clap_complete::{Generator, Shell};

use crate::{Error, Result};

/// A program that finds this variable set writes its pages below the folder that it names, and does nothing else.
pub(crate) const VARIABLE: &str = "VAE_WRITE_MANUAL";

/// Where the shells look for completions, below a prefix.
const SHELLS: [(Shell, &str); 3] = [
    (Shell::Bash, "share/bash-completion/completions"),
    (Shell::Zsh, "share/zsh/site-functions"),
    (Shell::Fish, "share/fish/vendor_completions.d"),
];

pub(crate) fn write(mut command: Command, prefix: &Path) -> Result<()> {
    let name = command.get_name().to_owned();
    for (shell, folder) in SHELLS {
        let mut script = vec![];
        clap_complete::generate(shell, &mut command, &name, &mut script);
        // bash looks for the name of the program alone.
        let file = if shell == Shell::Bash { name.clone() } else { shell.file_name(&name) };
        place(prefix, folder, &file, &script)?;
    }
    pages(command, &name, prefix)
}

/// A page for the program, and one for each of its subcommands.
fn pages(mut command: Command, name: &str, prefix: &Path) -> Result<()> {
    command.build();
    for subcommand in command.get_subcommands().filter(|c| c.get_name() != "help") {
        let name = format!("{name}-{}", subcommand.get_name());
        pages(subcommand.clone().name(clap::builder::Str::from(&*name.clone().leak())), &name, prefix)?;
    }
    let mut page = vec![];
    clap_mangen::Man::new(command).render(&mut page).expect("a vector takes all that is written");
    place(prefix, "share/man/man1", &format!("{name}.1"), &page)
}

fn place(prefix: &Path, folder: &str, file: &str, text: &[u8]) -> Result<()> {
    let folder = prefix.join(folder);
    let path = folder.join(file);
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, text));
    written.map_err(|e| Error::io(format!("cannot write {}", path.display()), e))
}
