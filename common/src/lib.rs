//! What the programs of this workspace share.

pub mod error;
pub mod math;
pub mod rng;

pub use error::{Error, Result};
