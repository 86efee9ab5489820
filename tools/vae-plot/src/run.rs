//! What a run of vae-train told of its epochs.

use std::collections::BTreeMap;
use std::path::Path;

use clap::ValueEnum;
use serde_json::{Map, Value};
use vae_cli::{Error, Result, input};

/// A number of each epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Quantity {
    /// reconstruction + beta times KL
    Loss,
    /// reconstruction
    Recon,
    /// KL divergence, before it is multiplied by beta
    Kl,
    /// squared error per pixel
    Mse,
}

/// Which images a number is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Images {
    Train,
    Test,
}

/// The epochs of one log.
#[derive(Debug)]
pub(crate) struct Run {
    /// The file as it was given.
    pub(crate) name: String,
    /// Of an epoch that was told twice, as after a resumption, the last.
    epochs: BTreeMap<u64, Epoch>,
}

/// By images and quantity.
type Epoch = [[Option<f64>; 4]; 2];

impl Run {
    /// Reads a log to its end, finished or not.
    pub(crate) fn read(path: Option<&Path>) -> Result<Run> {
        let mut records = input::records(path)?;
        let mut epochs = BTreeMap::new();
        while let Some(record) = records.next_record()? {
            if record.get("kind").and_then(Value::as_str) != Some("epoch") {
                continue;
            }
            let number = record.get("epoch").and_then(Value::as_u64).ok_or_else(|| {
                let got = record.get("epoch").map_or("none".to_owned(), Value::to_string);
                Error::Data(format!("{}: bad record of an epoch: expected its number, got {got}", records.name()))
            })?;
            epochs.insert(number, epoch(&record));
        }
        match epochs.is_empty() {
            false => Ok(Run { name: records.name().to_owned(), epochs }),
            true => Err(Error::Data(format!(
                "{}: no epochs: expected the records of vae-train, got none of an epoch; is its first one over?",
                records.name()
            ))),
        }
    }

    /// The numbers of the epochs, with the epochs.
    pub(crate) fn curve(&self, images: Images, quantity: Quantity) -> Vec<(f64, f64)> {
        let point =
            |(number, epoch): (&u64, &Epoch)| Some((*number as f64, epoch[images as usize][quantity as usize]?));
        self.epochs.iter().filter_map(point).collect()
    }

    /// Whether any epoch has this.
    pub(crate) fn has(&self, images: Images, quantity: Quantity) -> bool {
        self.epochs.values().any(|epoch| epoch[images as usize][quantity as usize].is_some())
    }

    /// Whether z is drawn: a KL that is not 0.
    pub(crate) fn is_variational(&self) -> bool {
        let of = |epoch: &Epoch| epoch.iter().any(|parts| parts[Quantity::Kl as usize].is_some_and(|kl| kl != 0.0));
        self.epochs.values().any(of)
    }
}

/// Numbers that are not finite, which are written as text, are left out.
fn epoch(record: &Map<String, Value>) -> Epoch {
    let number = |images: &str, part: &str| record.get(images)?.get(part)?.as_f64().filter(|v| v.is_finite());
    ["train", "test"].map(|images| ["loss", "recon", "kl", "mse"].map(|part| number(images, part)))
}
