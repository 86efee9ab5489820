//! The prior of a model, N(0, I) or learned for each class: draws from it, and shapes laid out in it.

use common::backend::Device;
use common::infer::Prior;
use common::model::ModelFile;
use ndarray::Array2;
use std::ops::Range;
use vae_cli::Result;
use vae_stream::Tensor;

use crate::classes::{self, Turns};
use crate::latents::Latents;

/// How many draws where nothing is asked for.
pub const USUAL: u32 = 64;

/// Which draws.
#[derive(clap::Args, Clone, Copy)]
#[command(next_help_heading = "Draws from the prior, if nothing below is asked for")]
pub struct Draws {
    /// How many draws [default: 64, or as many as --classes says]
    #[arg(short = 'n', long, value_name = "N")]
    pub number: Option<u32>,
    /// Key of the draws; draw i is the same for any N
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    /// Times the standard deviation of the prior: below 1 nearer to its middle, beyond 1 farther out
    #[arg(long, value_name = "T", default_value_t = 1.0, value_parser = temperature, allow_negative_numbers = true)]
    temperature: f32,
}

/// The prior of a model.
///
/// # Errors
/// A model that has none.
pub fn of(model: &ModelFile) -> Result<Prior> {
    Ok(Prior::new(model, Device::cpu(1)?)?)
}

/// Draws from a prior.
pub struct Drawn {
    pub prior: Prior,
    pub draws: Draws,
    pub count: usize,
    /// Of which classes, in a conditional model.
    pub turns: Option<Turns>,
}

impl Latents for Drawn {
    fn count(&self) -> usize {
        self.count
    }

    fn z(&mut self, which: Range<usize>) -> Result<Array2<f32>> {
        let labels = self.turns.as_ref().map(|turns| turns.labels(which.clone()));
        let Draws { seed, temperature, .. } = self.draws;
        Ok(self.prior.draw(seed, which.start, which.len(), labels.as_deref(), temperature)?)
    }

    fn y(&self, which: Range<usize>) -> Option<Tensor> {
        self.turns.as_ref().map(|turns| classes::tensor(turns.labels(which)))
    }
}

/// Latents counted in standard deviations of a prior from its mean.
pub struct LaidOut {
    pub prior: Prior,
    pub shape: Box<dyn Latents>,
}

impl Latents for LaidOut {
    fn count(&self) -> usize {
        self.shape.count()
    }

    fn z(&mut self, which: Range<usize>) -> Result<Array2<f32>> {
        let y = self.shape.y(which.clone());
        Ok(self.prior.at(self.shape.z(which)?, y.as_ref().map(Tensor::data))?) // labels of classes are bytes
    }

    fn y(&self, which: Range<usize>) -> Option<Tensor> {
        self.shape.y(which)
    }
}

/// A factor with which no draw leaves the range of f32, unless a learned standard deviation is absurd.
fn temperature(text: &str) -> Result<f32, String> {
    let in_range = text.parse().ok().filter(|t| (0.0..=1e30).contains(t));
    in_range.ok_or_else(|| "expected a number from 0 to 1e30".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temperatures_are_finite_and_not_negative() {
        for (text, good) in [("0", true), ("0.7", true), ("-0.1", false), ("nan", false), ("inf", false), ("x", false)]
        {
            assert_eq!(temperature(text).is_ok(), good, "{text}");
        }
    }
}
