//! Installation: packaging, man pages and completions; and `--help`.

mod help;
mod manual;
mod packaging;
