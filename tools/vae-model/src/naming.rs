//! Naming schemes: the layer names of well-known PyTorch VAEs.

/// The key of the description of an exported network in the metadata of a .safetensors.
pub const DESCRIPTION: &str = "vae_export";

/// The layer names of another program, paired with ours.
#[derive(Debug)]
pub struct NamingScheme {
    /// Value of --names.
    pub name: &'static str,
    /// Help of that value.
    pub help: &'static str,
    /// `[theirs, ours]` of each layer.
    pub layers: &'static [[&'static str; 2]],
}

/// Every scheme but ours.
pub const SCHEMES: [NamingScheme; 3] = [
    NamingScheme {
        name: "pytorch-examples",
        help: "fc1 fc21 fc22 fc3 fc4, as in github.com/pytorch/examples: one hidden layer",
        layers: &[["fc1", "encoder.0"], ["fc21", "mu"], ["fc22", "logvar"], ["fc3", "decoder.0"], ["fc4", "decoder.2"]],
    },
    NamingScheme {
        name: "classic",
        help: "fc1 fc2_mean fc2_logvar fc3 fc4: one hidden layer",
        layers: &[
            ["fc1", "encoder.0"],
            ["fc2_mean", "mu"],
            ["fc2_logvar", "logvar"],
            ["fc3", "decoder.0"],
            ["fc4", "decoder.2"],
        ],
    },
    NamingScheme {
        name: "512-256-2",
        help: "fc1 fc2 fc31 fc32 fc4 fc5 fc6: two hidden layers",
        layers: &[
            ["fc1", "encoder.0"],
            ["fc2", "encoder.2"],
            ["fc31", "mu"],
            ["fc32", "logvar"],
            ["fc4", "decoder.0"],
            ["fc5", "decoder.2"],
            ["fc6", "decoder.4"],
        ],
    },
];

impl NamingScheme {
    /// Our name for one of their layers.
    pub fn ours(&self, layer: &str) -> Option<&'static str> {
        self.layers.iter().find(|[theirs, _]| *theirs == layer).map(|[_, ours]| *ours)
    }
    /// Their name for one of our layers.
    pub fn theirs(&self, layer: &str) -> Option<&'static str> {
        self.layers.iter().find(|[_, ours]| *ours == layer).map(|[theirs, _]| *theirs)
    }
}
