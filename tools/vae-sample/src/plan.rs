//! What there is to make: what the command line asks for, of what the model has.

use common::model::{ModelFile, Trained};
use vae_cli::Result;
use vae_stream::Reader;

use crate::Args;
use crate::latents::{Frames, Latents};
use crate::manifold::Manifold;
use crate::paths::Paths;
use crate::points::{self, Points};
use crate::prior::{self, Drawn, LaidOut};

/// What there is to do.
pub enum Plan {
    /// These, from nothing.
    Make(Box<dyn Latents>),
    /// Paths of the points of an input, whose labels are of so many classes in a conditional model.
    Follow(Paths, Box<Reader>, Option<usize>),
}

impl Plan {
    /// # Errors
    /// What the model does not have; points that are not the model's.
    pub fn new(args: &Args, input: Option<Reader>, model: &ModelFile) -> Result<Plan> {
        let network = &model.spec().network;
        Ok(match (args.paths.paths(network.latent)?, input, args.manifold) {
            (Some(paths), Some(input), _) => {
                points::check(input.head(), network.latent)?;
                Plan::Follow(paths, Box::new(input), network.classes)
            }
            (Some(mut paths), None, _) => {
                let labels = args.classes.of_shape("--traverse", network)?;
                Plan::Make(laid_out(paths.of(Points::origin(network.latent, labels))?, model)?)
            }
            (None, _, Some(grid)) => {
                let labels = args.classes.of_shape("--manifold", network)?;
                Plan::Make(laid_out(Box::new(Manifold::new(grid, network, labels)?), model)?)
            }
            (None, _, None) => {
                let prior = prior::of(model)?;
                let (count, turns) = args.classes.of_draws(args.draws.number, prior::USUAL, network)?;
                Plan::Make(Box::new(Drawn { prior, draws: args.draws, count, turns }))
            }
        })
    }

    /// Makes it.
    pub fn run(self, frames: &mut Frames) -> Result<()> {
        match self {
            Plan::Make(mut latents) => frames.write(&mut *latents),
            Plan::Follow(paths, input, classes) => paths.follow(*input, classes, frames),
        }
    }
}

/// In the prior of the model; as it is, from the origin, where there is none.
fn laid_out(shape: Box<dyn Latents>, model: &ModelFile) -> Result<Box<dyn Latents>> {
    match model.spec().network.bottleneck.is_distribution() {
        true => Ok(Box::new(LaidOut { prior: prior::of(model)?, shape })),
        false => Ok(shape),
    }
}
