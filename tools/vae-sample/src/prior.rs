//! Draws from the prior, N(0, I).

use common::Result;
use common::infer;
use ndarray::Array2;
use std::ops::Range;

use crate::latents::Latents;

/// Which draws.
#[derive(clap::Args, Clone, Copy)]
#[command(next_help_heading = "Draws from the prior, if nothing below is asked for")]
pub struct Draws {
    /// How many draws
    #[arg(short = 'n', long, value_name = "N", default_value_t = 64)]
    number: u32,
    /// Key of the draws; draw i is the same for any N
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    /// Standard deviation of the draws: below 1 nearer to the middle of the prior, beyond 1 farther out
    #[arg(long, value_name = "T", default_value_t = 1.0, value_parser = temperature, allow_negative_numbers = true)]
    temperature: f32,
}

/// Draws from a prior.
pub struct Drawn {
    draws: Draws,
    prior: infer::Prior,
}

impl Drawn {
    pub fn new(draws: Draws, prior: infer::Prior) -> Drawn {
        Drawn { draws, prior }
    }
}

impl Latents for Drawn {
    fn count(&self) -> usize {
        self.draws.number as usize
    }

    fn z(&mut self, which: Range<usize>) -> Result<Array2<f32>> {
        self.prior.draw(self.draws.seed, which.start, which.len(), None, self.draws.temperature)
    }
}

/// A standard deviation with which no draw leaves the range of f32: none is beyond 6 without it.
fn temperature(text: &str) -> Result<f32, String> {
    let in_range = text.parse().ok().filter(|t| (0.0..=1e37).contains(t));
    in_range.ok_or_else(|| "expected a number from 0 to 1e37".to_owned())
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
