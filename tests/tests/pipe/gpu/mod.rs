//! `--device cuda`, on the emulator of a GPU (kernels/interpreter), and the script that checks a real one.

mod check_script;
mod device;
mod overlap;
