//! Replaces the crate of this name, with which the build scripts of `cust` look for a CUDA toolkit and fail without
//! one. `cuda-driver` defines the functions of the driver, so that a build needs no toolkit.

/// Does nothing.
pub fn include_cuda() {}
