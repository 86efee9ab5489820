//! The models and the engine: a plan of operations, its backends for CPU and CUDA, training, inference and evaluation.
#![warn(clippy::missing_errors_doc)]

pub mod backend;
pub mod dataset;
mod error;
pub mod evaluate;
mod hugepages;
pub mod infer;
pub mod model;
pub mod network;
pub mod options;
pub mod parameters;
pub mod pca;
pub mod plan;
mod remedies;
pub mod train;

pub use backend::cuda::GpuError;
pub use error::{DataError, Error, ModelError, Result, ResumeError, SpecError};
