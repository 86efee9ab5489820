//! What the programs of this workspace share.

pub mod backend;
pub mod dataset;
pub mod error;
pub mod images;
pub mod infer;
pub mod math;
pub mod model;
pub mod network;
pub mod parameters;
pub mod plan;
pub mod rng;
pub mod train;

pub use error::{Error, Result};
