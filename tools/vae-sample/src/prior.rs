//! Draws from the prior, N(0, I).

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

/// Draws of so many dimensions.
pub struct Prior {
    draws: Draws,
    latent: usize,
}

impl Prior {
    pub fn new(draws: Draws, latent: usize) -> Prior {
        Prior { draws, latent }
    }
}

impl Latents for Prior {
    fn count(&self) -> usize {
        self.draws.number as usize
    }

    fn z(&self, which: Range<usize>) -> Array2<f32> {
        infer::prior(self.latent, self.draws.seed, which.start, which.len()) * self.draws.temperature
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

    fn draws(temperature: f32, which: Range<usize>) -> Array2<f32> {
        Prior::new(Draws { number: 100, seed: 3, temperature }, 5).z(which)
    }

    #[test]
    fn the_temperature_multiplies_every_draw() {
        let plain = draws(1.0, 0..100);
        assert_eq!(plain, infer::prior(5, 3, 0, 100));
        assert_eq!(draws(0.5, 0..100), plain.mapv(|z| z * 0.5));
        assert!(draws(0.0, 0..100).iter().all(|z| *z == 0.0));
        assert!(draws(1e37, 0..100).iter().all(|z| z.is_finite()));
    }

    #[test]
    fn a_draw_does_not_depend_on_its_frame() {
        assert_eq!(draws(2.0, 0..100).slice(ndarray::s![40..47, ..]), draws(2.0, 40..47));
    }

    #[test]
    fn temperatures_are_finite_and_not_negative() {
        for (text, good) in [("0", true), ("0.7", true), ("-0.1", false), ("nan", false), ("inf", false), ("x", false)]
        {
            assert_eq!(temperature(text).is_ok(), good, "{text}");
        }
    }
}
