//! The harness of the tests: a temporary folder with a shell, and fixtures.

mod fixtures;
mod shell;

pub use fixtures::{MODEL, NETWORKS, SplitMix64, idx, mnist};
pub use shell::{CommandOutput, TOOLS, TestDir, code, repository, skipped, tools};
