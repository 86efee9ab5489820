//! The pages in a real browser, Chromium without a window. `make test-page` runs these.

mod browser;
mod explored;
mod watched;
