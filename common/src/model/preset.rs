//! Well-known models by name.

/// The settings that a name stands for; the command line may change each.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Preset {
    /// `mlp-400-20`.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Units of each hidden layer.
    pub hidden: &'static [usize],
    /// Z.
    pub latent: usize,
    /// Adam's step size.
    pub lr: f64,
    /// N.
    pub batch: usize,
    /// Times that every image is seen.
    pub epochs: usize,
}

/// All presets, the default first.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "mlp-400-20",
        about: "the classic small VAE: 784 - 400 - 20, relu",
        hidden: &[400],
        latent: 20,
        lr: 3e-4,
        batch: 128,
        epochs: 20,
    },
    Preset {
        name: "mlp-512-256-2",
        about: "two hidden layers and a 2-D latent plane: 784 - 512 - 256 - 2, relu",
        hidden: &[512, 256],
        latent: 2,
        lr: 1e-3,
        batch: 128,
        epochs: 2,
    },
];

/// The preset of this name, which is one of [`PRESETS`].
pub fn preset(name: &str) -> Preset {
    *PRESETS.iter().find(|p| p.name == name).unwrap_or(&PRESETS[0])
}
