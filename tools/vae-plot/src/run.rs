//! The losses of a training run, from its log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use vae_cli::{Error, Result, input};
use vae_stream::record::{self, Epoch, LOSS, MSE, RECON};

/// The images that a loss is averaged over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Images {
    Train,
    Test,
}

/// A number by epoch.
type Curve = BTreeMap<u64, f64>;

/// The curves of one log.
#[derive(Debug)]
pub(crate) struct Run {
    /// The file as given.
    pub(crate) name: String,
    /// By name, in the order of the records; over training and test images. The last record of a repeated epoch counts.
    curves: Vec<(String, [Curve; 2])>,
}

impl Run {
    /// Reads a log to its end, finished or not. What it takes for granted is said on standard error.
    pub(crate) fn read(path: Option<&Path>) -> Result<Run> {
        let mut records = input::records(path)?;
        let mut run = Run { name: records.name().to_owned(), curves: Vec::new() };
        let mut has_epochs = false;
        // The epochs since the last `run` record, and the first that came twice.
        let (mut epochs, mut twice) = (BTreeSet::new(), None);
        while let Some(json) = records.next_record()? {
            if record::kind(&json) == record::RUN {
                epochs.clear();
            }
            if let Some(epoch) = Epoch::parse(&json).map_err(|e| e.within(&run.name))? {
                run.add(&epoch);
                has_epochs = true;
                twice = twice.or((!epochs.insert(epoch.epoch)).then_some(epoch.epoch));
            }
        }
        if let Some(message) = records.passed_over() {
            vae_cli::tell(&message);
        }
        if let Some(epoch) = twice {
            vae_cli::tell(&format!(
                "{}: epoch {epoch} comes twice without a run record between: expected one run; the last record counts",
                run.name
            ));
        }
        match has_epochs {
            true => Ok(run),
            false => Err(Error::Data(format!(
                "{}: no epochs: expected epoch records of vae-train, got none; wait for the end of the first epoch",
                run.name
            ))),
        }
    }

    /// Numbers that are not finite, which are text in a record, are left out.
    fn add(&mut self, epoch: &Epoch) {
        for curve in self.curves.iter_mut().flat_map(|(_, curves)| curves) {
            curve.remove(&epoch.epoch);
        }
        for (images, (_, terms)) in epoch.losses().into_iter().enumerate() {
            for (name, value) in terms.into_iter().flat_map(|terms| terms.iter()) {
                let known = self.curves.iter().position(|(known, _)| known == name);
                let index = known.unwrap_or_else(|| {
                    self.curves.push((name.to_owned(), Default::default()));
                    self.curves.len() - 1
                });
                self.curves[index].1[images].insert(epoch.epoch, value);
            }
        }
    }

    /// The names of the numbers.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.curves.iter().filter(|(_, curves)| curves.iter().any(|curve| !curve.is_empty())).map(|(name, _)| &name[..])
    }

    /// A number over some images: epochs and values.
    pub(crate) fn curve(&self, images: Images, name: &str) -> Vec<(f64, f64)> {
        let curve = self.curves.iter().find(|(known, _)| known == name).map(|(_, curves)| &curves[images as usize]);
        curve.into_iter().flatten().map(|(epoch, value)| (*epoch as f64, *value)).collect()
    }

    /// Whether the loss has a term beside the reconstruction that is not always 0, as the KL of a VAE.
    pub(crate) fn is_regularised(&self) -> bool {
        let others = self.curves.iter().filter(|(name, _)| ![LOSS, RECON, MSE].contains(&&name[..]));
        others.flat_map(|(_, curves)| curves).any(|curve| curve.values().any(|value| *value != 0.0))
    }
}
