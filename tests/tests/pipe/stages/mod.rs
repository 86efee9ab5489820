//! The stages of a pipe: what each program reads and writes, and how it fails.

mod attacks;
mod corruption;
mod determinism;
mod errors;
mod eval;
mod files;
mod foreign_inputs;
mod interactive;
mod latents;
mod mistakes;
mod model_export;
mod model_foreign;
mod model_import;
mod model_info;
mod model_lookup;
mod model_outputs;
mod npy_images;
mod numpy;
mod outputs;
mod pictures;
mod plot;
mod pytorch;
mod sample;
mod sample_classes;
mod upstream_failures;
