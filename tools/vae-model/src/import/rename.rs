//! Renames the keys of a state dict to ours.

use crate::naming::{NamingScheme, SCHEMES};
use common::model::{StateDict, Weight};
use common::parameters;
use common::plan::Plan;
use std::collections::BTreeMap;
use std::fmt::Display;
use vae_cli::{Error, Result};

/// Wrapper modules, anywhere in a key: DataParallel and averaged weights, torch.compile, FSDP, activation checkpoints,
/// Lightning Fabric.
const WRAPPERS: [&str; 5] =
    ["module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module"];
/// The attributes that hold our layers.
const STACKS: [&str; 3] = ["encoder", "decoder", "prior"];

/// A state dict under our names, with what restores the original ones for messages.
#[derive(Debug)]
pub struct RenamedDict {
    pub weights: StateDict,
    /// The names in the file, by ours.
    originals: BTreeMap<String, String>,
    /// What all names in the file begin with, and ours do not.
    prefix: String,
    scheme: Option<&'static NamingScheme>,
}

impl RenamedDict {
    /// # Errors
    /// Names that are neither ours nor of any scheme, or that are the same without wrappers.
    pub fn new(dict: StateDict) -> Result<RenamedDict> {
        let originals: Vec<&str> = dict.keys().map(String::as_str).collect();
        expect_no_batch_norm(&originals)?;
        let stripped = without_common_module(originals.iter().map(|name| without_wrappers(name)).collect());
        let prefix = originals[0].strip_suffix(&stripped[0]).unwrap_or_default();
        let is_prefix =
            originals.iter().zip(&stripped).all(|(name, bare)| name.strip_suffix(&bare[..]) == Some(prefix));
        let prefix = if is_prefix { prefix.to_owned() } else { String::new() };

        let known = |scheme: &&NamingScheme, name: &String| layer(name).is_some_and(|l| scheme.ours(l).is_some());
        let scheme = SCHEMES.iter().find(|scheme| stripped.iter().all(|name| known(scheme, name)));
        let ours = |name: &str| match scheme.zip(layer(name)) {
            Some((scheme, layer)) => format!("{}{}", scheme.ours(layer).unwrap_or(layer), &name[layer.len()..]),
            None => name.to_owned(),
        };
        let names: Vec<(String, String)> =
            stripped.iter().zip(&originals).map(|(bare, name)| (ours(bare), name.to_string())).collect();
        let mut renamed = RenamedDict { weights: StateDict::new(), originals: BTreeMap::new(), prefix, scheme };
        for ((ours, original), weight) in names.into_iter().zip(dict.into_values()) {
            if let Some(first) = renamed.originals.insert(ours.clone(), original.clone()) {
                return Err(Error::Data(format!(
                    "tensors {first} and {original} are both {ours}: expected one; remove the other in Python"
                )));
            }
            renamed.weights.insert(ours, weight);
        }
        renamed.expect_rows()?;
        match (scheme, stranger(&renamed.weights)) {
            (Some(scheme), _) => renamed.expect_complete(scheme),
            (None, None) => Ok(renamed),
            (None, Some(name)) => {
                Err(fused_fc(&renamed.weights).unwrap_or_else(|| unknown(&renamed.original_name(name))))
            }
        }
    }

    /// Refuses weights `[in, out]`, which Keras and Flax have: as many columns as there are biases, and not as many rows.
    fn expect_rows(&self) -> Result<()> {
        let transposed = |(name, weight): &(&String, &Weight)| {
            let bias = name.strip_suffix(".weight").and_then(|layer| self.weights.get(&format!("{layer}.bias")));
            match (&weight.shape[..], bias.map(|bias| &bias.shape[..])) {
                ([rows, columns], Some([biases])) => rows != biases && columns == biases,
                _ => false,
            }
        };
        match self.weights.iter().find(transposed) {
            None => Ok(()),
            Some((name, weight)) => Err(Error::Data(format!(
                "tensor {} is {:?}, with a bias for each column: expected [out, in]; transpose the weights, as of Keras: \
                 w.T",
                self.original_name(name),
                weight.shape
            ))),
        }
    }

    /// Refuses a dict without some layer of its scheme.
    fn expect_complete(self, scheme: &NamingScheme) -> Result<RenamedDict> {
        let tensors =
            scheme.layers.iter().flat_map(|[_, ours]| ["weight", "bias"].map(|suffix| format!("{ours}.{suffix}")));
        match tensors.into_iter().find(|name| !self.weights.contains_key(name)) {
            None => Ok(self),
            Some(name) => {
                let bias = if name.ends_with(".bias") { "; save zeros for a layer without a bias" } else { "" };
                let expected = format_args!("every layer of {}, each with a weight and a bias{bias}", scheme.name);
                Err(self.missing(&name, &expected))
            }
        }
    }

    /// The name of a tensor in the file.
    pub fn original_name(&self, name: &str) -> String {
        if let Some(original) = self.originals.get(name) {
            return original.clone();
        }
        let theirs = self.scheme.and_then(|scheme| {
            let layer = layer(name)?;
            Some(format!("{}{}", scheme.theirs(layer)?, &name[layer.len()..]))
        });
        format!("{}{}", self.prefix, theirs.as_deref().unwrap_or(name))
    }

    /// The name of a layer in the file.
    pub fn original_layer(&self, layer: &str) -> String {
        let weight = self.original_name(&format!("{layer}.weight"));
        weight.strip_suffix(".weight").unwrap_or(&weight).to_owned()
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

/// A key without wrapper modules.
fn without_wrappers(name: &str) -> String {
    name.split('.').filter(|part| !WRAPPERS.contains(part)).collect::<Vec<_>>().join(".")
}

/// Keys without the attribute that holds the whole network, such as `model` in Lightning, which all of them begin with.
fn without_common_module(mut names: Vec<String>) -> Vec<String> {
    loop {
        let Some((outer, _)) = names[0].split_once('.') else { return names };
        let inner = |name: &String| {
            let (first, rest) = name.split_once('.')?;
            let is_tensor = rest.contains('.') || matches!(rest, "mean" | "components");
            (first == outer && !STACKS.contains(&first) && is_tensor).then(|| rest.to_owned())
        };
        match names.iter().map(inner).collect() {
            Some(inner) => names = inner,
            None => return names,
        }
    }
}

/// The layer of a tensor: `fc1` of `fc1.weight`.
fn layer(name: &str) -> Option<&str> {
    name.strip_suffix(".weight").or_else(|| name.strip_suffix(".bias"))
}

fn is_ours(name: &str) -> bool {
    let numbered = |layer: &str| {
        let number = STACKS.iter().find_map(|stack| layer.strip_prefix(stack)?.strip_prefix('.'));
        number.is_some_and(|n| n.parse::<usize>().is_ok_and(|k| k.to_string() == n))
    };
    let heads = ["mu", "logvar", "prior_mu", "prior_logvar"];
    matches!(name, "mean" | "components") || layer(name).is_some_and(|l| heads.contains(&l) || numbered(l))
}

/// The first tensor that belongs neither to us nor to the scheme that knows most of the others.
fn stranger(weights: &StateDict) -> Option<&str> {
    let mut names = weights.keys().map(String::as_str).filter(|name| !is_ours(name)).peekable();
    names.peek()?;
    let is_known = |scheme: &NamingScheme, name: &str| layer(name).is_some_and(|layer| scheme.ours(layer).is_some());
    let count = |scheme: &&NamingScheme| weights.keys().filter(|name| is_known(scheme, name)).count();
    let scheme = SCHEMES.iter().max_by_key(count).filter(|scheme| 2 * count(scheme) >= weights.len());
    match scheme {
        Some(scheme) => names.find(|name| !is_known(scheme, name)),
        None => names.next(),
    }
}

fn expect_no_batch_norm(names: &[&str]) -> Result<()> {
    match names.iter().find(|name| name.ends_with("running_mean") || name.ends_with("running_var")) {
        None => Ok(()),
        Some(name) => Err(Error::Data(format!(
            "tensor {name} is of batch normalisation, which no network here has: expected linear layers and \
             convolutions; fold it into the layer before it (torch.nn.utils.fusion) and number the layers anew"
        ))),
    }
}

fn unknown(name: &str) -> Error {
    let schemes: Vec<String> = SCHEMES
        .iter()
        .map(|scheme| scheme.layers.iter().map(|[theirs, _]| *theirs).collect::<Vec<_>>().join(" "))
        .collect();
    let last = name.rsplit(['.', '/']).next().unwrap_or(name);
    let remedy = match last {
        "kernel" | "kernel:0" | "bias:0" => {
            "rename the keys in Python, and transpose each kernel of Keras or Flax to [out, in]"
        }
        "weight_orig" | "weight_mask" => "make the pruning permanent: torch.nn.utils.prune.remove",
        "weight_g" | "weight_v" | "original0" | "original1" => "remove the parametrization: torch.nn.utils.parametrize",
        _ if last.starts_with("arr_") => "give numpy.savez the names: numpy.savez(FILE, **weights)",
        _ => "rename the keys in Python",
    };
    Error::Data(format!(
        "tensor {name} is not known: expected encoder.N.weight, encoder.N.bias, mu, logvar and decoder.N, or all layers \
         of one scheme: {}; {remedy}",
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
