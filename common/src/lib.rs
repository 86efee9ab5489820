//! What the programs of this workspace share.
#![warn(clippy::missing_errors_doc)]

pub mod backend;
pub mod dataset;
pub mod evaluate;
mod hugepages;
pub mod infer;
pub mod model;
pub mod network;
pub mod options;
pub mod parameters;
pub mod pca;
pub mod plan;
pub mod train;
