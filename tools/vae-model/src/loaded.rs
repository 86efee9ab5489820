//! A model file in memory, with the plan of its network.

use common::model::{Model, Spec, Stored, Weight};
use common::network::loss_graph;
use common::parameters;
use common::plan::{PixelType, Plan};
use std::path::{Path, PathBuf};
use vae_cli::input::check_kept;
use vae_cli::{Error, Result};

/// The model of a command, by position or by option, as in every other program.
#[derive(clap::Args)]
pub struct ModelArg {
    /// A model or checkpoint
    #[arg(value_name = "FILE", required_unless_present = "model", conflicts_with = "model")]
    file: Option<PathBuf>,
    /// The same by an option
    #[arg(short, long, value_name = "FILE")]
    model: Option<PathBuf>,
}

impl ModelArg {
    /// The file.
    pub fn path(&self) -> &Path {
        self.file.as_deref().or(self.model.as_deref()).expect("clap requires one")
    }

    /// Refuses an output that would replace it.
    pub fn check_kept(&self, output: Option<&Path>) -> Result<()> {
        output.map_or(Ok(()), |output| check_kept(output, [self.path()]))
    }
}

/// A model and the SHA-256 of its file.
pub struct LoadedModel {
    pub model: Model,
    pub sha256: String,
    plan: Plan,
}

/// A plan with every parameter of the network: encoder, decoder and, if it is learned, the prior.
pub fn plan(spec: &Spec) -> Plan {
    let mut plan = Plan::new(1);
    loss_graph(&mut plan, &spec.network, &spec.objective, &spec.data, 1, PixelType::U8);
    plan
}

/// Refuses a tensor with a NaN or an infinity.
pub fn expect_finite(name: &str, values: &[f32]) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(at) => {
            Err(Error::Data(format!("tensor {name} holds {} as value {at}: expected finite numbers", values[at])))
        }
    }
}

impl LoadedModel {
    /// Loads a file and checks its digest.
    ///
    /// # Errors
    /// No such file; a file that is no model, or damaged.
    pub fn load(path: &Path) -> Result<LoadedModel> {
        let stored = Stored::open(path)?;
        let plan = plan(stored.spec());
        Ok(LoadedModel { model: stored.file.model(), sha256: stored.sha256().to_owned(), plan })
    }

    /// Also checks every tensor of the network, and of the optimizer in a checkpoint: present, of its shape, and
    /// finite.
    ///
    /// # Errors
    /// Also the first tensor that is not, by name.
    pub fn load_verified(path: &Path) -> Result<LoadedModel> {
        let loaded = LoadedModel::load(path)?;
        let Model { spec, weights } = &loaded.model;
        parameters::check(&loaded.plan, weights, spec.checkpoint.is_some())
            .map_err(Error::from)
            .and_then(|()| weights.iter().try_for_each(|(name, weight)| expect_finite(name, &weight.values)))
            .map_err(|e| e.within(path.display()))?;
        Ok(loaded)
    }

    /// The tensors of the network, in its order, without the moments of the optimizer.
    pub fn tensors(&self) -> impl Iterator<Item = (String, &Weight)> {
        let names = parameters::shapes(&self.plan).into_iter().map(|(name, _)| name);
        names.filter_map(|name| self.model.weights.get(&name).map(|weight| (name, weight)))
    }

    /// The number of parameters of the network.
    pub fn parameter_count(&self) -> usize {
        self.tensors().map(|(_, weight)| weight.values.len()).sum()
    }
}
