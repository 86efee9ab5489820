//! Activation functions.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use vae_cli::meant;

/// The activation function of a layer; as text it is what the command line takes, `leaky-relu:0.2`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Activation {
    /// The identity.
    None,
    /// max(v, 0).
    Relu,
    /// max(v, slope · v), for a slope from 0 to below 1.
    LeakyRelu(f32),
    /// The hyperbolic tangent.
    Tanh,
    /// ln(1 + exp(v)).
    Softplus,
}

impl Activation {
    /// PyTorch's names.
    pub const NAMES: [&str; 5] = ["none", "relu", "leaky-relu", "tanh", "softplus"];
    /// PyTorch's default slope.
    const SLOPE: f32 = 0.01;
}

impl FromStr for Activation {
    type Err = String;

    fn from_str(text: &str) -> Result<Activation, String> {
        let (name, slope) = text.split_once(':').map_or((text, None), |(name, slope)| (name, Some(slope)));
        let activation = match name {
            "none" => Activation::None,
            "relu" => Activation::Relu,
            "leaky-relu" => Activation::LeakyRelu(Activation::SLOPE),
            "tanh" => Activation::Tanh,
            "softplus" => Activation::Softplus,
            _ => {
                let names = Activation::NAMES;
                return Err(format!("expected one of {}{}", names.join(", "), meant(name, &names)));
            }
        };
        match (activation, slope.map(str::parse::<f32>)) {
            (activation, None) => Ok(activation),
            (Activation::LeakyRelu(_), Some(Ok(slope))) if (0.0..1.0).contains(&slope) => {
                Ok(Activation::LeakyRelu(slope))
            }
            (Activation::LeakyRelu(_), _) => Err("expected a slope from 0 to below 1, as in leaky-relu:0.2".into()),
            _ => Err(format!("expected {name} without a number")),
        }
    }
}

impl TryFrom<String> for Activation {
    type Error = String;

    fn try_from(text: String) -> Result<Activation, String> {
        text.parse()
    }
}

impl From<Activation> for String {
    fn from(activation: Activation) -> String {
        activation.to_string()
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Activation::None => f.write_str("none"),
            Activation::Relu => f.write_str("relu"),
            Activation::LeakyRelu(slope) => write!(f, "leaky-relu:{slope}"),
            Activation::Tanh => f.write_str("tanh"),
            Activation::Softplus => f.write_str("softplus"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_activation_is_read_as_it_is_written() {
        for text in ["none", "relu", "leaky-relu:0.2", "tanh", "softplus"] {
            assert_eq!(text.parse::<Activation>().unwrap().to_string(), text);
        }
        assert_eq!("leaky-relu".parse(), Ok(Activation::LeakyRelu(0.01)));
        for (text, part) in
            [("sin", "relu"), ("leaky-relu:1", "slope"), ("leaky-relu:x", "slope"), ("tanh:2", "without")]
        {
            assert!(text.parse::<Activation>().unwrap_err().contains(part), "{text}");
        }
    }
}
