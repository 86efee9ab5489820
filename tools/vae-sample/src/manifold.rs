//! The learned manifold: a grid of quantiles over 2 latent dimensions, as in figure 4 of Kingma and Welling,
//! "Auto-Encoding Variational Bayes", 2014.

use common::model::Network;
use ndarray::Array2;
use statrs::distribution::{ContinuousCDF, Normal};
use std::ops::Range;
use std::str::FromStr;
use vae_cli::{Error, Result};
use vae_stream::Tensor;

use crate::classes;
use crate::latents::LatentSequence;

/// Largest number of rows or columns.
const MAX_SIDE: usize = 10_000;

/// The number of rows and columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GridSize {
    rows: usize,
    columns: usize,
}

impl FromStr for GridSize {
    type Err = String;

    /// `20x30`, or `20` for 20x20.
    fn from_str(text: &str) -> Result<GridSize, String> {
        let (rows, columns) = text.split_once('x').unwrap_or((text, text));
        let side = |text: &str| text.parse().ok().filter(|n| (1..=MAX_SIDE).contains(n));
        let grid = side(rows).zip(side(columns)).map(|(rows, columns)| GridSize { rows, columns });
        grid.ok_or_else(|| format!("expected ROWSxCOLUMNS, such as 20x20, each from 1 to {MAX_SIDE}"))
    }
}

/// The points of a grid in row-major order from the top left; the whole grid once per class.
pub struct Manifold {
    /// z0 of each column, increasing.
    z0: Vec<f32>,
    /// z1 of each row, decreasing.
    z1: Vec<f32>,
    /// Empty for a model that is not conditional.
    classes: Vec<u8>,
}

impl Manifold {
    /// # Errors
    /// A model without a prior, or with more or fewer than 2 latent dimensions.
    pub fn new(grid: GridSize, network: &Network, classes: Vec<u8>) -> Result<Manifold> {
        if !network.bottleneck.is_distribution() {
            return Err(Error::Usage(
                "--manifold takes quantiles of the prior, and this model has none: expected a VAE; see --traverse 0,1 \
                 and --range"
                    .into(),
            ));
        }
        let latent = network.latent;
        if latent != 2 {
            return Err(Error::Usage(format!(
                "--manifold needs 2 latent dimensions: expected 2, got {latent}; train a model with vae-train \
                 --latent 2, or see --traverse"
            )));
        }
        let z1 = quantiles(grid.rows).into_iter().rev().collect();
        Ok(Manifold { z0: quantiles(grid.columns), z1, classes })
    }

    /// Points per class.
    fn per_class(&self) -> usize {
        self.z0.len() * self.z1.len()
    }
}

impl LatentSequence for Manifold {
    fn len(&self) -> usize {
        self.per_class() * self.classes.len().max(1)
    }

    fn z(&mut self, range: Range<usize>) -> Result<Array2<f32>> {
        let columns = self.z0.len();
        Ok(Array2::from_shape_fn([range.len(), 2], |(k, dimension)| {
            let k = (range.start + k) % self.per_class();
            if dimension == 0 { self.z0[k % columns] } else { self.z1[k / columns] }
        }))
    }

    fn y(&self, range: Range<usize>) -> Option<Tensor> {
        let label = |k| self.classes[k / self.per_class()];
        (!self.classes.is_empty()).then(|| classes::tensor(range.map(label).collect()))
    }
}

/// The quantiles of N(0, 1) at (i + 0.5) / n: the midpoints of n intervals of equal probability.
fn quantiles(n: usize) -> Vec<f32> {
    let normal = Normal::standard();
    (0..n).map(|i| normal.inverse_cdf((i as f64 + 0.5) / n as f64) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifold(text: &str) -> Manifold {
        Manifold::new(text.parse().expect("a grid"), &Network::mlp([28, 28], &[8], 2), vec![]).expect("a plane")
    }

    /// Known values of Wichura, "Algorithm AS 241", 1988, and of Python's statistics.NormalDist().inv_cdf.
    #[test]
    fn the_quantile_function_gives_the_known_answers() {
        for (p, answer) in [
            (0.25, -0.6744897501960817),
            (0.001, -3.090232306167813),
            (1e-20, -9.262340089798408),
            (0.5, 0.0),
            (0.975, 1.9599639845400536),
            (0.025, -1.9599639845400538),
            (0.00125, -3.023341439739147),
            (5e-5, -3.890591886413121),
            (0.3, -0.5244005127080407),
        ] {
            let got = Normal::standard().inverse_cdf(p);
            assert!((got - answer).abs() < 1e-9, "{p}: {got}, expected {answer}");
        }
    }

    #[test]
    fn quantiles_increase_and_are_symmetric() {
        for n in [1, 2, 3, 20, 999, MAX_SIDE] {
            let q = quantiles(n);
            assert!(q.windows(2).all(|pair| pair[0] < pair[1]), "{n}");
            assert!(q.iter().zip(q.iter().rev()).all(|(a, b)| (a + b).abs() < 1e-6), "{n}");
        }
    }

    #[test]
    fn the_first_latent_increases_to_the_right_and_the_second_to_the_top() {
        let z = manifold("2x3").z(0..6).expect("latents");
        // Of 1/6 and 1/4, from Python's statistics.NormalDist().inv_cdf.
        let (a, b) = (0.967_421_6, 0.674_489_75);
        let expected = [[-a, b], [0.0, b], [a, b], [-a, -b], [0.0, -b], [a, -b]];
        assert_eq!(z.dim(), (6, 2));
        for (got, expected) in z.rows().into_iter().zip(expected) {
            assert!((got[0] - expected[0]).abs() < 1e-6 && (got[1] - expected[1]).abs() < 1e-6, "{got} {expected:?}");
        }
    }

    #[test]
    fn a_point_does_not_depend_on_its_frame() {
        let mut manifold = manifold("7x5");
        let mut z = |which| manifold.z(which).expect("latents");
        assert_eq!(z(0..35).slice(ndarray::s![9..23, ..]), z(9..23));
    }

    #[test]
    fn a_grid_is_one_size_or_two() {
        assert_eq!("20".parse(), Ok(GridSize { rows: 20, columns: 20 }));
        assert_eq!("20x30".parse(), Ok(GridSize { rows: 20, columns: 30 }));
        for bad in ["", "0", "x", "3x", "x3", "0x3", "3x0", "-1", "2x2x2", "3,3", "10001", "99999999999999999999"] {
            assert!(bad.parse::<GridSize>().is_err(), "{bad}");
        }
    }
}
