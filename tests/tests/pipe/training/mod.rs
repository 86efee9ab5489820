//! vae-train: every kind of model, its records, checkpoints and losses.

mod conditional;
mod instruction_sets;
mod known_losses;
mod model_matrix;
mod pca;
mod presets;
mod preview;
mod records;
mod resume;
mod signals;
