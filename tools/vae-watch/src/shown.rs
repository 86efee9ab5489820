//! All that the page can show, kept up to date while the stream goes by.
//!
//! The pipe only ever waits here for a page to copy what it asks for, never for one to take it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde_json::{Map, Value};
use tokio::sync::watch;
use vae_cli::Error;
use vae_stream::Data;

use crate::pictures::Set;
use crate::points::Point;
use crate::thin::Thin;

/// Epochs with losses at most.
const POINTS: usize = 1000;
/// Epochs with pictures at most, and bytes that they may take.
const ALBUM: usize = 300;
const ALBUM_BYTES: usize = 48 << 20;
/// Bytes of a record of kind `run` at most.
const LONGEST_RUN: usize = 16 << 10;

/// How far the stream is.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    Waiting,
    Live,
    Finished,
    Failed(String),
}

impl Stage {
    fn is_over(&self) -> bool {
        matches!(self, Stage::Finished | Stage::Failed(_))
    }
}

/// The pictures of an epoch, and the number of the change that brought them.
#[derive(Clone, Default)]
pub struct Entry {
    pub serial: u64,
    pub recon: Option<Arc<Set>>,
    pub sample: Option<Arc<Set>>,
}

/// Everything at one moment.
pub struct State {
    /// Changes so far.
    pub serial: u64,
    pub stage: Stage,
    /// Why pictures cannot be shown.
    pub note: Option<String>,
    pub run: Option<Map<String, Value>>,
    pub epoch: Option<u64>,
    pub epochs: Option<u64>,
    /// The change that brought the last point.
    pub drawn: u64,
    pub points: Thin<Point>,
    pub album: Thin<Entry>,
    /// Bytes of the largest set.
    largest: usize,
}

/// What waiting pages hear of. It is all that they may look at while they wait: whoever changes the state holds its lock and
/// then this one's, and nobody may take them the other way round.
#[derive(Clone, Copy)]
pub struct Told {
    pub serial: u64,
    /// Whether nothing more will come.
    pub over: bool,
}

pub struct Shown {
    /// Tells this run of the program from others, which a page may have seen before.
    pub session: String,
    state: Mutex<State>,
    told: watch::Sender<Told>,
}

impl Shown {
    pub fn new() -> Shown {
        let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_nanos());
        let state = State {
            serial: 1,
            stage: Stage::Waiting,
            note: None,
            run: None,
            epoch: None,
            epochs: None,
            drawn: 0,
            points: Thin::new(),
            album: Thin::new(),
            largest: 1,
        };
        let session = format!("{now:x}-{:x}", std::process::id());
        Shown { session, state: Mutex::new(state), told: watch::Sender::new(Told { serial: 1, over: false }) }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears of every change.
    pub fn changes(&self) -> watch::Receiver<Told> {
        self.told.subscribe()
    }

    /// Takes in a record of a run.
    pub fn record(&self, record: &Map<String, Value>) {
        match record.get("kind").and_then(Value::as_str) {
            Some("run") => {
                let fits = serde_json::to_string(record).is_ok_and(|text| text.len() < LONGEST_RUN);
                self.change(|state| state.run = fits.then(|| record.clone()));
            }
            Some("epoch") => {
                let Some(epoch) = record.get("epoch").and_then(Value::as_u64) else { return };
                self.change(|state| {
                    state.epoch = Some(epoch);
                    state.epochs = record.get("epochs").and_then(Value::as_u64);
                    state.drawn = state.serial;
                    *state.points.at(epoch, POINTS) = Point::of(record);
                });
            }
            _ => {}
        }
    }

    /// Takes in the pictures of a frame, if it is one of those of vae-train.
    pub fn pictures(&self, data: &Data) {
        let is_recon = match data.group.as_deref() {
            Some("recon") => true,
            Some("sample") => false,
            _ => return,
        };
        match Set::of(data) {
            Err(e) => self.change(|state| state.note = Some(e.to_string())),
            Ok(None) => self.change(|state| state.note = Some("they are none, or too large".to_owned())),
            Ok(Some(set)) => self.change(|state| {
                state.largest = state.largest.max(set.bytes());
                let room = ALBUM_BYTES / (2 * state.largest);
                let serial = state.serial;
                let entry = state.album.at(data.epoch.unwrap_or(0), ALBUM.min(room));
                entry.serial = serial;
                *(if is_recon { &mut entry.recon } else { &mut entry.sample }) = Some(Arc::new(set));
            }),
        }
    }

    /// Nothing more will come.
    pub fn end(&self, error: Option<&Error>) {
        self.change(|state| state.stage = error.map_or(Stage::Finished, |e| Stage::Failed(e.to_string())));
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        state.serial += 1;
        state.stage = Stage::Live;
        change(&mut state);
        self.told.send_replace(Told { serial: state.serial, over: state.stage.is_over() });
    }
}
