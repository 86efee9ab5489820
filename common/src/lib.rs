//! What the programs of this workspace share.

pub mod backend;
pub mod error;
pub mod math;
pub mod plan;
pub mod rng;

pub use error::{Error, Result};
