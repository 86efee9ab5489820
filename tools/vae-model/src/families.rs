//! What layers are called in well-known programs.

/// The names that a program gives the layers of a network, beside ours.
#[derive(Debug)]
pub struct Family {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Each layer: theirs, ours.
    pub layers: &'static [[&'static str; 2]],
}

/// Every family, besides our own names.
pub const FAMILIES: [Family; 3] = [
    Family {
        name: "pytorch-examples",
        about: "fc1 fc21 fc22 fc3 fc4, as in github.com/pytorch/examples: one hidden layer",
        layers: &[["fc1", "encoder.0"], ["fc21", "mu"], ["fc22", "logvar"], ["fc3", "decoder.0"], ["fc4", "decoder.2"]],
    },
    Family {
        name: "classic",
        about: "fc1 fc2_mean fc2_logvar fc3 fc4: one hidden layer",
        layers: &[
            ["fc1", "encoder.0"],
            ["fc2_mean", "mu"],
            ["fc2_logvar", "logvar"],
            ["fc3", "decoder.0"],
            ["fc4", "decoder.2"],
        ],
    },
    Family {
        name: "512-256-2",
        about: "fc1 fc2 fc31 fc32 fc4 fc5 fc6: two hidden layers",
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

impl Family {
    /// Our name of one of their layers.
    pub fn ours(&self, layer: &str) -> Option<&'static str> {
        self.layers.iter().find(|[theirs, _]| *theirs == layer).map(|[_, ours]| *ours)
    }
    /// Their name of one of our layers.
    pub fn theirs(&self, layer: &str) -> Option<&'static str> {
        self.layers.iter().find(|[_, ours]| *ours == layer).map(|[theirs, _]| *theirs)
    }
}
