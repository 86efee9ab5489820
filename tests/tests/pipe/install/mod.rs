//! Installation: packaging, man pages, completions, `--help`, and what the programs link.

mod dependencies;
mod help;
mod manual;
mod packaging;
