//! Paths between and through points: which the command line asks for, and along the points of an input.

use vae_cli::Result;
use vae_stream::{Frame, Reader};

use crate::interpolate::{How, Interpolation};
use crate::latents::{Frames, Latents};
use crate::points::Points;
use crate::traverse::{Dimension, Span, Traversal};

/// Which paths.
#[derive(clap::Args)]
#[command(next_help_heading = "Paths")]
pub struct PathArgs {
    /// From each point that is read to the next, S points with both ends: a row of a picture for each pair
    #[arg(long, value_name = "HOW", group = "path", conflicts_with = "Draws")]
    interpolate: Option<How>,
    /// Through each point of FILE, else through the middle of the prior, or the origin of an autoencoder: for each of these
    /// dimensions, counted from 0, or all, a row of S points in which it goes over the range and the others stay
    #[arg(
        long,
        value_name = "DIM,DIM",
        value_delimiter = ',',
        allow_negative_numbers = true,
        group = "path",
        conflicts_with = "Draws"
    )]
    traverse: Option<Vec<Dimension>>,
    /// Points in a row
    #[arg(
        long,
        value_name = "S",
        default_value_t = 10,
        value_parser = steps,
        requires = "path",
        conflicts_with_all = ["Draws", "manifold"] // clap misses no partner that could not be there
    )]
    steps: usize,
    /// Where traversals begin and end: values of z; without FILE, where the prior is learned, its standard deviations from
    /// its mean
    #[arg(
        long,
        value_name = "LO,HI",
        default_value = "-3,3",
        allow_hyphen_values = true,
        requires = "traverse",
        conflicts_with_all = ["Draws", "manifold", "interpolate"]
    )]
    range: Span,
}

/// Paths of one kind.
pub enum Paths {
    Between(Interpolation),
    Through(Traversal),
}

impl PathArgs {
    /// Whether there is no path without points to read.
    pub fn need_points(&self) -> bool {
        self.interpolate.is_some()
    }

    /// What is asked for, if anything.
    ///
    /// # Errors
    /// Dimensions that the model does not have.
    pub fn paths(&self, latent: usize) -> Result<Option<Paths>> {
        Ok(match (self.interpolate, &self.traverse) {
            (Some(how), _) => Some(Paths::Between(Interpolation::new(how, self.steps))),
            (_, Some(dimensions)) => Some(Paths::Through(Traversal::new(dimensions, latent, self.range, self.steps)?)),
            (None, None) => None,
        })
    }
}

impl Paths {
    /// Reads all points, and writes the paths that can be made as soon as they can be. Other frames pass through. In a
    /// conditional model, points have labels of so many classes.
    pub fn follow(mut self, mut input: Reader, classes: Option<usize>, frames: &mut Frames) -> Result<()> {
        let mut seen = 0;
        while let Some(frame) = input.next_frame()? {
            match frame {
                Frame::Data(data) if data.is_main() => {
                    let points = Points::read(&data, seen, classes)?;
                    seen += points.count();
                    frames.write(&mut *self.of(points)?)?;
                }
                other => frames.pass_on(other)?,
            }
        }
        match self {
            Paths::Between(interpolation) => interpolation.end(seen),
            Paths::Through(_) => Ok(()),
        }
    }

    /// The paths that these points add to those before them.
    pub fn of(&mut self, points: Points) -> Result<Box<dyn Latents>> {
        Ok(match self {
            Paths::Between(interpolation) => Box::new(interpolation.up_to(points)?),
            Paths::Through(traversal) => Box::new(traversal.through(points)),
        })
    }
}

/// A row begins and ends somewhere.
fn steps(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| (2..=1 << 16).contains(n)).ok_or_else(|| "expected 2 to 65536".to_owned())
}
