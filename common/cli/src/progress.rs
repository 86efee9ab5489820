//! Progress bars.

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar of `len` units on standard error, drawn only at a terminal.
///
/// # Panics
/// If the template is not one of indicatif's.
pub fn progress_bar(len: u64, template: &str) -> ProgressBar {
    ProgressBar::new(len).with_style(ProgressStyle::with_template(template).expect("a valid template"))
}
