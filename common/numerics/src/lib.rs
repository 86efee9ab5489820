//! Reproducible numerics, with the same bits on every machine and for any number of threads: counter-based random numbers,
//! elementary functions of IEEE operations, and sums in a fixed order.
//!
//! The feature `eigen` adds the eigenvectors of a covariance matrix.

#[cfg(feature = "eigen")]
pub mod eigen;
pub mod math;
pub mod rng;
