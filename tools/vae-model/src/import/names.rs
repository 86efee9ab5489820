//! The names of a state dict as ours.

use crate::families::{FAMILIES, Family};
use common::model::{StateDict, Weight};
use common::parameters;
use common::plan::Plan;
use std::fmt::Display;
use vae_cli::{Error, Result};

/// What programs put before all names when they wrap a module in another.
const WRAPPERS: [&str; 5] = ["module.", "_orig_mod.", "model.", "vae.", "net."];

/// A state dict under our names, which knows what they were called.
#[derive(Debug)]
pub struct Named {
    pub weights: StateDict,
    wrapper: String,
    family: Option<&'static Family>,
}

impl Named {
    /// # Errors
    /// Names that are neither ours nor of any family.
    pub fn new(mut dict: StateDict) -> Result<Named> {
        let mut wrapper = String::new();
        while let Some(outer) = WRAPPERS.into_iter().find(|outer| dict.keys().all(|name| name.starts_with(outer))) {
            dict = dict.into_iter().map(|(name, weight)| (name[outer.len()..].to_owned(), weight)).collect();
            wrapper += outer;
        }
        let in_family =
            |family: &&Family| dict.keys().all(|name| layer(name).is_some_and(|l| family.ours(l).is_some()));
        if let Some(family) = FAMILIES.iter().find(in_family) {
            let ours = |name: String| match layer(&name) {
                Some(layer) => format!("{}{}", family.ours(layer).unwrap_or(layer), &name[layer.len()..]),
                None => name,
            };
            let weights = dict.into_iter().map(|(name, weight)| (ours(name), weight)).collect();
            return Named { weights, wrapper, family: Some(family) }.all_of(family);
        }
        match dict.keys().find(|name| !is_ours(name)) {
            None => Ok(Named { weights: dict, wrapper, family: None }),
            Some(name) => Err(fused_chain(&dict).unwrap_or_else(|| unknown(&format!("{wrapper}{name}")))),
        }
    }

    /// Refuses a part of a family.
    fn all_of(self, family: &Family) -> Result<Named> {
        let tensors =
            family.layers.iter().flat_map(|[_, ours]| ["weight", "bias"].map(|part| format!("{ours}.{part}")));
        match tensors.into_iter().find(|name| !self.weights.contains_key(name)) {
            None => Ok(self),
            Some(name) => {
                Err(self.missing(&name, &format_args!("every layer of {}, each with a weight and a bias", family.name)))
            }
        }
    }

    /// What a tensor is called in the file.
    pub fn called(&self, name: &str) -> String {
        let theirs = self.family.and_then(|family| {
            let layer = layer(name)?;
            Some(format!("{}{}", family.theirs(layer)?, &name[layer.len()..]))
        });
        format!("{}{}", self.wrapper, theirs.as_deref().unwrap_or(name))
    }

    /// Refuses what is not exactly the tensors of a plan.
    pub fn check(&self, plan: &Plan) -> Result<()> {
        let shapes = parameters::shapes(plan);
        for (name, expected) in &shapes {
            match self.weights.get(name) {
                None => return Err(self.missing(name, &format_args!("one of shape {expected:?}"))),
                Some(Weight { shape, .. }) if shape != expected => {
                    let name = self.called(name);
                    return Err(Error::Data(format!("tensor {name}: expected shape {expected:?}, got {shape:?}")));
                }
                Some(_) => {}
            }
        }
        match self.weights.keys().find(|name| !shapes.iter().any(|(known, _)| known == *name)) {
            None => Ok(()),
            Some(name) => {
                let (name, last) = (self.called(name), shapes.last().map_or("", |(name, _)| name));
                Err(Error::Data(format!(
                    "tensor {name} has no place in this network: expected nothing besides its layers, up to {}",
                    self.called(last)
                )))
            }
        }
    }

    pub fn missing(&self, name: &str, expected: &dyn Display) -> Error {
        Error::Data(format!("no tensor {}: expected {expected}", self.called(name)))
    }
}

/// `fc1` of `fc1.weight`.
fn layer(name: &str) -> Option<&str> {
    name.strip_suffix(".weight").or_else(|| name.strip_suffix(".bias"))
}

fn is_ours(name: &str) -> bool {
    let numbered = |layer: &str| {
        let number = ["encoder.", "decoder.", "prior."].iter().find_map(|part| layer.strip_prefix(part));
        number.is_some_and(|n| n.parse::<usize>().is_ok_and(|k| k.to_string() == n))
    };
    let heads = ["mu", "logvar", "prior_mu", "prior_logvar"];
    matches!(name, "mean" | "components") || layer(name).is_some_and(|l| heads.contains(&l) || numbered(l))
}

fn unknown(name: &str) -> Error {
    let families: Vec<String> = FAMILIES
        .iter()
        .map(|family| family.layers.iter().map(|[theirs, _]| *theirs).collect::<Vec<_>>().join(" "))
        .collect();
    Error::Data(format!(
        "tensor {name} is not known: expected encoder.N.weight, encoder.N.bias, mu, logvar and decoder.N, or all of one \
         family: {}; rename the keys in Python",
        families.join("; ")
    ))
}

/// fc1 fc2 fc3 .., of which one puts out twice what the next takes.
fn fused_chain(dict: &StateDict) -> Option<Error> {
    let weight = |n: usize| dict.get(&format!("fc{n}.weight")).map(|weight| &weight.shape[..]);
    (1..).map_while(|n| Some((n, weight(n)?, weight(n + 1)?))).find_map(|(n, head, next)| match (head, next) {
        ([out, _], [_, inp]) if *out == inp.checked_mul(2)? => {
            Some(fused(&format!("fc{n}"), *out, &format!("fc{}", n + 1)))
        }
        _ => None,
    })
}

/// Mu and sigma from one layer that is cut in two.
pub fn fused(head: &str, out: usize, next: &str) -> Error {
    let half = out / 2;
    Error::Data(format!(
        "{head} puts out {out} values and {next} takes {half}: one layer for mu and sigma, cut in two, where often a relu \
         comes between, under which neither can be negative; expected linear layers mu and logvar of their own; if nothing \
         comes between, save mu = {head}[:{half}] and logvar = {head}[{half}:]"
    ))
}
