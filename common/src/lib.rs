//! What the programs of this workspace share.

pub mod error;

pub use error::{Error, Result};
