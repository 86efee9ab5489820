//! Golden files, made by an earlier release and with PyTorch, and read by the programs of today.

mod pytorch;
mod release_2026_11_22;
