//! A model file in memory, and what its network needs.

use common::model::{Model, Spec, Stored, Weight};
use common::network::loss_graph;
use common::parameters;
use common::plan::{PixelType, Plan};
use std::path::Path;
use vae_cli::{Error, Result};

/// A model, and the hash by which streams name its file.
pub struct Opened {
    pub model: Model,
    pub sha256: String,
    plan: Plan,
}

/// The whole network of a model: encoder, decoder and, where that is learned, the prior.
pub fn plan(spec: &Spec) -> Plan {
    let mut plan = Plan::new(1);
    loss_graph(&mut plan, &spec.network, &spec.objective, &spec.data, 1, PixelType::U8);
    plan
}

/// Refuses a tensor with numbers that are none, or without end.
pub fn finite(name: &str, values: &[f32]) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(at) => {
            Err(Error::Data(format!("tensor {name} holds {} as value {at}: expected finite numbers", values[at])))
        }
    }
}

impl Opened {
    /// Reads a file whose digest agrees with what is in it.
    ///
    /// # Errors
    /// No such file; a file that is no model, or damaged.
    pub fn read(path: &Path) -> Result<Opened> {
        let stored = Stored::open(path)?;
        let plan = plan(stored.spec());
        Ok(Opened { model: stored.file.model(), sha256: stored.sha256().to_owned(), plan })
    }

    /// The same, where all is there that the network needs, and for a checkpoint what the optimizer needs, in its shape, and
    /// every number is finite.
    ///
    /// # Errors
    /// Also a tensor that is not so, by its name.
    pub fn whole(path: &Path) -> Result<Opened> {
        let opened = Opened::read(path)?;
        let Model { spec, weights } = &opened.model;
        parameters::check(&opened.plan, weights, spec.checkpoint.is_some())
            .map_err(Error::from)
            .and_then(|()| weights.iter().try_for_each(|(name, weight)| finite(name, &weight.values)))
            .map_err(|e| e.within(path.display()))?;
        Ok(opened)
    }

    /// The tensors of the network, in its order, without those of an optimizer.
    pub fn tensors(&self) -> impl Iterator<Item = (String, &Weight)> {
        let names = parameters::shapes(&self.plan).into_iter().map(|(name, _)| name);
        names.filter_map(|name| self.model.weights.get(&name).map(|weight| (name, weight)))
    }

    /// How many numbers the network has.
    pub fn parameters(&self) -> usize {
        self.tensors().map(|(_, weight)| weight.values.len()).sum()
    }
}
