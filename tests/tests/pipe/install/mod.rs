//! What `make install` puts beside the programs: packaging, man pages and completions; and `--help`.

mod help;
mod manual;
mod packaging;
