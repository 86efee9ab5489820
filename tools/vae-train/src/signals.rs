//! SIGINT (Ctrl-C) and SIGTERM: the first asks the run to stop after a checkpoint, the second ends it at once.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use vae_cli::{Error, Result};

pub struct Signals([(i32, Arc<AtomicBool>); 2]);

impl Signals {
    pub fn listen() -> Result<Signals> {
        let signals = Signals([SIGINT, SIGTERM].map(|signal| (signal, Arc::new(AtomicBool::new(false)))));
        let failed = |e| Error::io("cannot listen for signals", e);
        for (signal, flag) in &signals.0 {
            // Handlers run in this order: the first signal finds the flag unset and sets it; the second finds it set.
            flag::register_conditional_shutdown(*signal, 128 + signal, flag.clone()).map_err(failed)?;
            flag::register(*signal, flag.clone()).map_err(failed)?;
        }
        Ok(signals)
    }
    /// The signal that asked the run to stop.
    pub fn pending(&self) -> Option<i32> {
        self.0.iter().find(|(_, flag)| flag.load(Ordering::Relaxed)).map(|(signal, _)| *signal)
    }
}
