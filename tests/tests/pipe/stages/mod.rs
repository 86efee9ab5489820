//! The stages of a pipe: what each program reads and writes, and how it fails.

mod corruption;
mod determinism;
mod errors;
mod eval;
mod files;
mod interactive;
mod latents;
mod model_export;
mod model_import;
mod model_info;
mod model_lookup;
mod npy_images;
mod numpy;
mod outputs;
mod pictures;
mod plot;
mod pytorch;
mod sample;
mod sample_classes;
mod upstream_failures;
