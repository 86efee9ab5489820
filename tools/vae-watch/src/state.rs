//! The state of the page, updated while the stream is read.
//!
//! The pipe waits here for a request to copy the state, never for one to send it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde_json::{Map, Value};
use tokio::sync::watch;
use vae_cli::Error;
use vae_stream::record::Record;
use vae_stream::{Data, one_line};

use crate::curves::Curves;
use crate::history::History;
use crate::preview::Preview;

/// Most epochs with previews, and the bytes of all previews.
const MAX_EPOCHS: usize = 300;
const MAX_BYTES: usize = 48 << 20;
/// Most bytes of a `run` record.
const MAX_RUN: usize = 16 << 10;

/// The stage of the stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    Waiting,
    Live,
    Finished,
    Failed(String),
}

impl Stage {
    fn has_ended(&self) -> bool {
        matches!(self, Stage::Finished | Stage::Failed(_))
    }
}

/// The previews of an epoch, and the version of the state that brought them.
#[derive(Clone, Default)]
pub struct Previews {
    pub version: u64,
    pub recon: Option<Arc<Preview>>,
    pub sample: Option<Arc<Preview>>,
}

/// The state of the page.
pub struct State {
    /// Changes so far.
    pub version: u64,
    pub stage: Stage,
    /// Why the last preview is not shown.
    pub note: Option<String>,
    pub run: Option<Map<String, Value>>,
    pub epoch: Option<u64>,
    pub epochs: Option<u64>,
    pub curves: Curves,
    /// The version that brought the last point of the curves.
    pub curves_version: u64,
    pub previews: History<Previews>,
    /// Bytes of the largest preview.
    largest: usize,
}

/// What a waiting request observes. Lock order: the lock of [`State`], then the one of this channel.
#[derive(Clone, Copy)]
pub struct Version {
    pub number: u64,
    /// Whether it is the last.
    pub is_last: bool,
}

/// The state, shared by the reader of the stream and the server.
pub struct Shared {
    /// Identifies this process to pages that saw an earlier one.
    pub session: String,
    state: Mutex<State>,
    version: watch::Sender<Version>,
}

impl Shared {
    pub fn new() -> Shared {
        let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_nanos());
        let state = State {
            version: 1,
            stage: Stage::Waiting,
            note: None,
            run: None,
            epoch: None,
            epochs: None,
            curves: Curves::default(),
            curves_version: 0,
            previews: History::default(),
            largest: 1,
        };
        let session = format!("{now:x}-{:x}", std::process::id());
        let version = watch::Sender::new(Version { number: 1, is_last: false });
        Shared { session, state: Mutex::new(state), version }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Receives every new version.
    pub fn versions(&self) -> watch::Receiver<Version> {
        self.version.subscribe()
    }

    /// Adds a record; other kinds and malformed records are skipped.
    pub fn record(&self, json: &Map<String, Value>) {
        match Record::parse(json) {
            Ok(Some(Record::Run(_))) => {
                let fits = serde_json::to_string(json).is_ok_and(|text| text.len() < MAX_RUN);
                self.change(|state| state.run = fits.then(|| json.clone()));
            }
            Ok(Some(Record::Epoch(epoch))) => self.change(|state| {
                state.epoch = Some(epoch.epoch);
                state.epochs = epoch.epochs;
                state.curves_version = state.version;
                state.curves.push(&epoch);
            }),
            _ => {}
        }
    }

    /// Adds the preview in a frame of vae-train; other groups are skipped.
    pub fn preview(&self, data: &Data) {
        let is_recon = match data.group.as_deref() {
            Some("recon") => true,
            Some("sample") => false,
            _ => return,
        };
        match Preview::of(data) {
            Err(e) => self.change(|state| state.note = Some(one_line(&e.to_string()))),
            Ok(None) => self.change(|state| state.note = Some("expected small images x or x_hat, got none".to_owned())),
            Ok(Some(preview)) => self.change(|state| {
                state.largest = state.largest.max(preview.bytes());
                let capacity = MAX_EPOCHS.min(MAX_BYTES / (2 * state.largest));
                let version = state.version;
                let previews = state.previews.entry(data.epoch.unwrap_or(0), capacity);
                previews.version = version;
                *(if is_recon { &mut previews.recon } else { &mut previews.sample }) = Some(Arc::new(preview));
            }),
        }
    }

    /// Ends the stream, well or with an error.
    pub fn end(&self, error: Option<&Error>) {
        self.change(|state| state.stage = error.map_or(Stage::Finished, |e| Stage::Failed(one_line(&e.to_string()))));
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        state.version += 1;
        state.stage = Stage::Live;
        change(&mut state);
        self.version.send_replace(Version { number: state.version, is_last: state.stage.has_ended() });
    }
}
