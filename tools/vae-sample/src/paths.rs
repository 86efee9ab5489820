//! Paths: interpolations between points and traversals through them.

use vae_cli::Result;
use vae_stream::{Frame, Reader};

use crate::interpolation::{Interpolator, Method};
use crate::latents::{LatentSequence, LatentWriter};
use crate::path_points::PathPoints;
use crate::traversal::{Dimension, Sweep, ValueRange};

/// Options of paths.
#[derive(clap::Args)]
#[command(next_help_heading = "Paths")]
pub struct PathArgs {
    /// Interpolate from each point of the input to the next, in S steps with both ends: a row of a picture per pair
    #[arg(long, value_name = "METHOD", group = "path", conflicts_with = "DrawArgs")]
    interpolate: Option<Method>,
    /// Vary one dimension at a time around each point of FILE, else around the mean of the prior, or the origin of an
    /// autoencoder: for each of these dimensions, counted from 0, or all, a row of S points over the range
    #[arg(
        long,
        value_name = "DIM,DIM",
        value_delimiter = ',',
        allow_negative_numbers = true,
        group = "path",
        conflicts_with = "DrawArgs"
    )]
    traverse: Option<Vec<Dimension>>,
    /// Points per row
    #[arg(
        long,
        value_name = "S",
        default_value_t = 10,
        value_parser = steps,
        requires = "path",
        conflicts_with_all = ["DrawArgs", "manifold"] // clap waives `requires` where a conflict excludes it
    )]
    steps: usize,
    /// First and last value of a traversed dimension: values of z; without FILE, where the prior is learned, in its
    /// standard deviations from its mean
    #[arg(
        long,
        value_name = "LO,HI",
        default_value = "-3,3",
        allow_hyphen_values = true,
        requires = "traverse",
        conflicts_with_all = ["DrawArgs", "manifold", "interpolate"]
    )]
    range: ValueRange,
}

/// Paths of one kind.
pub enum Paths {
    Interpolate(Interpolator),
    Traverse(Sweep),
}

impl PathArgs {
    /// Whether the paths need points from the input.
    pub fn need_points(&self) -> bool {
        self.interpolate.is_some()
    }

    /// The paths of --interpolate or --traverse, if either is given.
    ///
    /// # Errors
    /// Dimensions that the model does not have.
    pub fn resolve(&self, latent: usize) -> Result<Option<Paths>> {
        Ok(match (self.interpolate, &self.traverse) {
            (Some(method), _) => Some(Paths::Interpolate(Interpolator::new(method, self.steps))),
            (_, Some(dimensions)) => Some(Paths::Traverse(Sweep::new(dimensions, latent, self.range, self.steps)?)),
            (None, None) => None,
        })
    }
}

impl Paths {
    /// Reads all points and writes each path as soon as its points are there. Frames without points pass through. In a
    /// conditional model, labels are checked against the number of classes.
    pub fn run(mut self, mut input: Reader, classes: Option<usize>, writer: &mut LatentWriter) -> Result<()> {
        let mut count = 0;
        while let Some(frame) = input.next_frame()? {
            match frame {
                Frame::Data(data) if data.is_main() => {
                    let points = PathPoints::read(&data, count, classes)?;
                    count += points.count();
                    writer.write(&mut *self.along(points)?)?;
                }
                other => writer.pass_through(other)?,
            }
        }
        match self {
            Paths::Interpolate(interpolator) => interpolator.finish(count),
            Paths::Traverse(_) => Ok(()),
        }
    }

    /// The latents that these points add to the paths.
    pub fn along(&mut self, points: PathPoints) -> Result<Box<dyn LatentSequence>> {
        Ok(match self {
            Paths::Interpolate(interpolator) => Box::new(interpolator.extend(points)?),
            Paths::Traverse(sweep) => Box::new(sweep.around(points)),
        })
    }
}

/// Parses --steps: at least both ends of a row.
fn steps(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| (2..=1 << 16).contains(n)).ok_or_else(|| "expected 2 to 65536".to_owned())
}
