//! Stands in for the crate of this name, through which the build scripts of `cust` look for a CUDA toolkit and stop without
//! one: `cuda-driver` has the driver's functions, so that nothing has to be found or linked when a program is built.

/// Does nothing.
pub fn include_cuda() {}
