//! The prior of a model, N(0, I) or learned for each class: draws from it, and latents scaled by it.

use common::backend::Device;
use common::infer::Prior;
use common::model::ModelFile;
use ndarray::Array2;
use std::ops::Range;
use vae_cli::Result;
use vae_stream::Tensor;

use crate::classes::{self, ClassCycle};
use crate::latents::LatentSequence;

/// Default of -n.
pub const DEFAULT_DRAWS: u32 = 64;

/// Options of draws.
#[derive(clap::Args, Clone, Copy)]
#[command(next_help_heading = "Draws from the prior, the default")]
pub struct DrawArgs {
    /// Number of draws [default: 64, or as many as --classes makes]
    #[arg(short = 'n', long, value_name = "N")]
    pub number: Option<u32>,
    /// Seed of the draws; draw i is the same for any N
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    /// Factor on the standard deviation of the prior: below 1 closer to its mean, above 1 farther from it
    #[arg(long, value_name = "T", default_value_t = 1.0, value_parser = temperature, allow_negative_numbers = true)]
    temperature: f32,
}

/// Loads the prior of a model.
///
/// # Errors
/// A model without a prior.
pub fn load(model: &ModelFile) -> Result<Prior> {
    Ok(Prior::new(model, Device::cpu(1)?)?)
}

/// Draws from a prior.
pub struct Draws {
    pub prior: Prior,
    pub args: DrawArgs,
    pub count: usize,
    /// Their classes, in a conditional model.
    pub classes: Option<ClassCycle>,
}

impl LatentSequence for Draws {
    fn len(&self) -> usize {
        self.count
    }

    fn z(&mut self, range: Range<usize>) -> Result<Array2<f32>> {
        let labels = self.classes.as_ref().map(|classes| classes.labels(range.clone()));
        let DrawArgs { seed, temperature, .. } = self.args;
        Ok(self.prior.draw(seed, range.start, range.len(), labels.as_deref(), temperature)?)
    }

    fn y(&self, range: Range<usize>) -> Option<Tensor> {
        self.classes.as_ref().map(|classes| classes::tensor(classes.labels(range)))
    }
}

/// z = mu_p + sigma_p * eps, where `eps` is a sequence in units of the prior's standard deviation.
pub struct ScaledByPrior {
    pub prior: Prior,
    pub eps: Box<dyn LatentSequence>,
}

impl LatentSequence for ScaledByPrior {
    fn len(&self) -> usize {
        self.eps.len()
    }

    fn z(&mut self, range: Range<usize>) -> Result<Array2<f32>> {
        let y = self.eps.y(range.clone());
        Ok(self.prior.at(self.eps.z(range)?, y.as_ref().map(Tensor::data))?) // class labels are u8
    }

    fn y(&self, range: Range<usize>) -> Option<Tensor> {
        self.eps.y(range)
    }
}

/// Parses --temperature. Up to 1e30, no draw overflows f32 unless a learned standard deviation is absurd.
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
