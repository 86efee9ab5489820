//! What the programs of this workspace share.
#![warn(clippy::missing_errors_doc)]

pub mod backend;
pub mod cli;
pub mod dataset;
pub mod error;
pub mod evaluate;
mod fd;
pub mod html;
mod hugepages;
pub mod images;
pub mod infer;
pub mod input;
pub(crate) mod manual;
pub mod math;
pub mod model;
pub mod network;
pub mod options;
pub mod output;
pub mod parameters;
pub mod pca;
pub mod plan;
pub mod rng;
pub mod stream;
mod suggestion;
pub mod train;

pub use error::{Error, Result};
