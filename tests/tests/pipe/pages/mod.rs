//! Pages: the documentation, whose commands run, the explorer of a model, and vae-watch.

mod browser;
mod documents;
mod examples;
mod explorer;
mod watch;
mod watch_client;
mod watch_requests;
