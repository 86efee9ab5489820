//! Renames the keys of a state dict to ours.

use crate::naming::{NamingScheme, SCHEMES};
use common::model::{StateDict, Weight};
use common::parameters;
use common::plan::Plan;
use std::fmt::Display;
use vae_cli::{Error, Result};

/// Key prefixes of wrapper modules: DataParallel, torch.compile, and common attribute names.
const PREFIXES: [&str; 5] = ["module.", "_orig_mod.", "model.", "vae.", "net."];

/// A state dict under our names, with what restores the original ones for messages.
#[derive(Debug)]
pub struct RenamedDict {
    pub weights: StateDict,
    prefix: String,
    scheme: Option<&'static NamingScheme>,
}

impl RenamedDict {
    /// # Errors
    /// Names that are neither ours nor of any scheme.
    pub fn new(mut dict: StateDict) -> Result<RenamedDict> {
        let mut prefix = String::new();
        while let Some(outer) = PREFIXES.into_iter().find(|outer| dict.keys().all(|name| name.starts_with(outer))) {
            dict = dict.into_iter().map(|(name, weight)| (name[outer.len()..].to_owned(), weight)).collect();
            prefix += outer;
        }
        let has_all =
            |scheme: &&NamingScheme| dict.keys().all(|name| layer(name).is_some_and(|l| scheme.ours(l).is_some()));
        if let Some(scheme) = SCHEMES.iter().find(has_all) {
            let ours = |name: String| match layer(&name) {
                Some(layer) => format!("{}{}", scheme.ours(layer).unwrap_or(layer), &name[layer.len()..]),
                None => name,
            };
            let weights = dict.into_iter().map(|(name, weight)| (ours(name), weight)).collect();
            return RenamedDict { weights, prefix, scheme: Some(scheme) }.expect_complete(scheme);
        }
        match dict.keys().find(|name| !is_ours(name)) {
            None => Ok(RenamedDict { weights: dict, prefix, scheme: None }),
            Some(name) => Err(fused_fc(&dict).unwrap_or_else(|| unknown(&format!("{prefix}{name}")))),
        }
    }

    /// Refuses a dict without some layer of its scheme.
    fn expect_complete(self, scheme: &NamingScheme) -> Result<RenamedDict> {
        let tensors =
            scheme.layers.iter().flat_map(|[_, ours]| ["weight", "bias"].map(|suffix| format!("{ours}.{suffix}")));
        match tensors.into_iter().find(|name| !self.weights.contains_key(name)) {
            None => Ok(self),
            Some(name) => {
                Err(self.missing(&name, &format_args!("every layer of {}, each with a weight and a bias", scheme.name)))
            }
        }
    }

    /// The name of a tensor in the file.
    pub fn original_name(&self, name: &str) -> String {
        let theirs = self.scheme.and_then(|scheme| {
            let layer = layer(name)?;
            Some(format!("{}{}", scheme.theirs(layer)?, &name[layer.len()..]))
        });
        format!("{}{}", self.prefix, theirs.as_deref().unwrap_or(name))
    }

    /// Checks for exactly the tensors of a plan, each of its shape.
    pub fn check(&self, plan: &Plan) -> Result<()> {
        let shapes = parameters::shapes(plan);
        for (name, expected) in &shapes {
            match self.weights.get(name) {
                None => return Err(self.missing(name, &format_args!("one of shape {expected:?}"))),
                Some(Weight { shape, .. }) if shape != expected => {
                    let name = self.original_name(name);
                    return Err(Error::Data(format!("tensor {name}: expected shape {expected:?}, got {shape:?}")));
                }
                Some(_) => {}
            }
        }
        match self.weights.keys().find(|name| !shapes.iter().any(|(known, _)| known == *name)) {
            None => Ok(()),
            Some(name) => {
                let (name, last) = (self.original_name(name), shapes.last().map_or("", |(name, _)| name));
                Err(Error::Data(format!(
                    "unexpected tensor {name}: expected only the layers of this network, up to {}",
                    self.original_name(last)
                )))
            }
        }
    }

    /// The error of a missing tensor.
    pub fn missing(&self, name: &str, expected: &dyn Display) -> Error {
        Error::Data(format!("no tensor {}: expected {expected}", self.original_name(name)))
    }
}

/// The layer of a tensor: `fc1` of `fc1.weight`.
fn layer(name: &str) -> Option<&str> {
    name.strip_suffix(".weight").or_else(|| name.strip_suffix(".bias"))
}

fn is_ours(name: &str) -> bool {
    let numbered = |layer: &str| {
        let number = ["encoder.", "decoder.", "prior."].iter().find_map(|stack| layer.strip_prefix(stack));
        number.is_some_and(|n| n.parse::<usize>().is_ok_and(|k| k.to_string() == n))
    };
    let heads = ["mu", "logvar", "prior_mu", "prior_logvar"];
    matches!(name, "mean" | "components") || layer(name).is_some_and(|l| heads.contains(&l) || numbered(l))
}

fn unknown(name: &str) -> Error {
    let schemes: Vec<String> = SCHEMES
        .iter()
        .map(|scheme| scheme.layers.iter().map(|[theirs, _]| *theirs).collect::<Vec<_>>().join(" "))
        .collect();
    Error::Data(format!(
        "tensor {name} is not known: expected encoder.N.weight, encoder.N.bias, mu, logvar and decoder.N, or all layers \
         of one scheme: {}; rename the keys in Python",
        schemes.join("; ")
    ))
}

/// The error of a fused head in fc1, fc2, fc3 ..: a layer with twice as many outputs as the next has inputs.
fn fused_fc(dict: &StateDict) -> Option<Error> {
    let weight = |n: usize| dict.get(&format!("fc{n}.weight")).map(|weight| &weight.shape[..]);
    (1..).map_while(|n| Some((n, weight(n)?, weight(n + 1)?))).find_map(|(n, head, next)| match (head, next) {
        ([out, _], [_, inp]) if *out == inp.checked_mul(2)? => {
            Some(fused_head(&format!("fc{n}"), *out, &format!("fc{}", n + 1)))
        }
        _ => None,
    })
}

/// The error of one layer for mu and sigma, whose output is split in half.
pub fn fused_head(head: &str, outputs: usize, next: &str) -> Error {
    let half = outputs / 2;
    Error::Data(format!(
        "{head} has {outputs} outputs and {next} has {half} inputs: one layer for mu and sigma, split in half, often after \
         a relu, with which neither can be negative; expected separate linear layers mu and logvar; without an \
         activation before the split, save mu = {head}[:{half}] and logvar = {head}[{half}:]"
    ))
}
