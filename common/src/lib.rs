//! What the programs of this workspace share.

pub mod cli;
pub mod error;
mod fd;
pub mod images;
pub mod output;
pub mod stream;

pub use error::{Error, Result};
