//! The programs as people use them: command lines, run by a shell in a folder of their own.

mod golden;
mod gpu;
mod harness;
mod install;
mod pages;
mod stages;
mod training;
