//! The programs as people use them: command lines, run by a shell in a folder of their own.

mod batches;
mod classes;
mod components;
mod conditions;
mod damage;
mod described;
mod examples;
mod explorer;
mod exported;
mod given;
mod golden;
mod gpu_check;
mod imported;
mod instructions;
mod judged;
mod kinds;
mod latents;
mod live;
mod losses;
mod models;
mod numpy;
mod outputs;
mod own_data;
mod parameters;
mod pictures;
mod place;
mod previews;
mod readme;
mod refused;
mod resume;
mod sampling;
mod signals;
mod torch;
mod training;
mod upstream;

use given::{MODEL, Place};
