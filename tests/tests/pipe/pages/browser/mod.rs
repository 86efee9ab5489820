//! The pages in headless Chromium. `make test-page` runs these tests.

mod chromium;
mod explorer;
mod watch;
