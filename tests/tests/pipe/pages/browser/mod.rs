//! The pages in a real browser, Chromium without a window. `make test-page` runs these.

mod chromium;
mod explorer;
mod watch;
