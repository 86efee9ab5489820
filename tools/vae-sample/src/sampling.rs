//! What to sample: the options, resolved against the model.

use common::model::{ModelFile, Trained};
use vae_cli::Result;
use vae_stream::Reader;

use crate::Args;
use crate::latents::{LatentSequence, LatentWriter};
use crate::manifold::Manifold;
use crate::path_points::{self, PathPoints};
use crate::paths::Paths;
use crate::prior::{self, Draws, ScaledByPrior};

/// What to sample.
pub enum Sampling {
    /// A sequence that needs no input.
    Sequence(Box<dyn LatentSequence>),
    /// Paths along the points of an input, which in a conditional model have labels below the number of classes.
    AlongInput(Paths, Box<Reader>, Option<usize>),
}

impl Sampling {
    /// # Errors
    /// Dimensions, classes or a prior that the model lacks; points of another width than its latents.
    pub fn resolve(args: &Args, input: Option<Reader>, model: &ModelFile) -> Result<Sampling> {
        let network = &model.spec().network;
        Ok(match (args.paths.resolve(network.latent)?, input, args.manifold) {
            (Some(paths), Some(input), _) => {
                path_points::check(input.head(), network.latent)?;
                Sampling::AlongInput(paths, Box::new(input), network.classes)
            }
            (Some(mut paths), None, _) => {
                let labels = args.classes.required("--traverse", network)?;
                Sampling::Sequence(scaled(paths.along(PathPoints::origin(network.latent, labels))?, model)?)
            }
            (None, _, Some(grid)) => {
                let labels = args.classes.required("--manifold", network)?;
                Sampling::Sequence(scaled(Box::new(Manifold::new(grid, network, labels)?), model)?)
            }
            (None, _, None) => {
                let prior = prior::load(model)?;
                let (count, classes) = args.classes.of_draws(args.draws.number, prior::DEFAULT_DRAWS, network)?;
                Sampling::Sequence(Box::new(Draws { prior, args: args.draws, count, classes }))
            }
        })
    }

    /// Writes the latents.
    pub fn run(self, writer: &mut LatentWriter) -> Result<()> {
        match self {
            Sampling::Sequence(mut latents) => writer.write(&mut *latents),
            Sampling::AlongInput(paths, input, classes) => paths.run(*input, classes, writer),
        }
    }
}

/// Scales latents by the prior of the model; unchanged if it has none.
fn scaled(latents: Box<dyn LatentSequence>, model: &ModelFile) -> Result<Box<dyn LatentSequence>> {
    match model.spec().network.bottleneck.is_distribution() {
        true => Ok(Box::new(ScaledByPrior { prior: prior::load(model)?, eps: latents })),
        false => Ok(latents),
    }
}
