//! Numbers that come out the same to the bit on every machine and for any number of threads: random numbers that are a
//! function of what they are for, elementary functions made of IEEE operations, and sums in a fixed order.
//!
//! The feature `eigen` adds the eigenvectors of a covariance.

#[cfg(feature = "eigen")]
pub mod eigen;
pub mod math;
pub mod rng;
