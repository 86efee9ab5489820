//! Tests of the programs through command lines, each in a shell and a temporary folder of its own.

mod golden;
mod gpu;
mod harness;
mod install;
mod pages;
mod stages;
mod training;
