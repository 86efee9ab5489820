//! Latent traversals: one dimension sweeps a range, the others stay at their point.

use ndarray::Array2;
use std::ops::Range;
use std::str::FromStr;
use vae_cli::{Error, Result};
use vae_stream::Tensor;

use crate::latents::LatentSequence;
use crate::path_points::PathPoints;

/// One item of --traverse.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dimension {
    All,
    One(usize),
}

impl FromStr for Dimension {
    type Err = String;

    fn from_str(text: &str) -> Result<Dimension, String> {
        match text {
            "all" => Ok(Dimension::All),
            number => number.parse().map(Dimension::One).map_err(|_| "expected a number from 0, or all".to_owned()),
        }
    }
}

/// The closed interval of --range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ValueRange {
    low: f32,
    high: f32,
}

impl FromStr for ValueRange {
    type Err = String;

    fn from_str(text: &str) -> Result<ValueRange, String> {
        let number = |text: &str| text.parse().ok().filter(|value: &f32| value.is_finite());
        let range =
            text.split_once(',').and_then(|(low, high)| Some(ValueRange { low: number(low)?, high: number(high)? }));
        let increasing = range.filter(|range| range.low < range.high);
        increasing.ok_or_else(|| "expected two numbers, the smaller first, such as -3,3".to_owned())
    }
}

/// The dimensions to vary at each point, and their values.
#[derive(Clone)]
pub struct Sweep {
    dimensions: Vec<usize>,
    /// The values that each dimension takes in turn.
    values: Vec<f32>,
}

impl Sweep {
    /// `steps` evenly spaced values of the range, both ends included (linspace), for each dimension.
    ///
    /// # Errors
    /// Dimensions beyond the `latent` of the model.
    pub fn new(dimensions: &[Dimension], latent: usize, range: ValueRange, steps: usize) -> Result<Sweep> {
        let mut numbers = vec![];
        for dimension in dimensions {
            match *dimension {
                Dimension::All => numbers.extend(0..latent),
                Dimension::One(number) if number < latent => numbers.push(number),
                Dimension::One(number) => {
                    let last = latent - 1;
                    return Err(Error::Usage(format!(
                        "--traverse {number}: expected a dimension of the model, 0 to {last}, got {number}; or give all"
                    )));
                }
            }
        }
        let value = |step: usize| {
            let t = step as f64 / (steps - 1) as f64;
            ((1.0 - t) * range.low as f64 + t * range.high as f64) as f32
        };
        Ok(Sweep { dimensions: numbers, values: (0..steps).map(value).collect() })
    }

    /// The traversals around these points.
    pub fn around(&self, points: PathPoints) -> Traversals {
        Traversals { points, sweep: self.clone() }
    }
}

/// One row of latents per point and dimension.
pub struct Traversals {
    points: PathPoints,
    sweep: Sweep,
}

impl Traversals {
    /// Latents per point.
    fn per_point(&self) -> usize {
        self.sweep.dimensions.len() * self.sweep.values.len()
    }
}

impl LatentSequence for Traversals {
    fn len(&self) -> usize {
        self.points.count() * self.per_point()
    }

    fn z(&mut self, range: Range<usize>) -> Result<Array2<f32>> {
        let Sweep { dimensions, values } = &self.sweep;
        let mut z = Array2::zeros([range.len(), self.points.z.ncols()]);
        for (k, mut z) in range.zip(z.rows_mut()) {
            z.assign(&self.points.z.row(k / self.per_point()));
            z[dimensions[k / values.len() % dimensions.len()]] = values[k % values.len()];
        }
        Ok(z)
    }

    fn y(&self, range: Range<usize>) -> Option<Tensor> {
        self.points.gather_labels(range.map(|k| k / self.per_point()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Dimension::{All, One};
    use ndarray::{array, s};

    fn sweep(dimensions: &[Dimension], steps: usize) -> Sweep {
        Sweep::new(dimensions, 3, ValueRange { low: -1.0, high: 1.0 }, steps).expect("a sweep")
    }

    fn all(traversals: &mut Traversals) -> Array2<f32> {
        traversals.z(0..traversals.len()).expect("latents")
    }

    #[test]
    fn each_point_and_dimension_has_a_row_in_which_only_it_changes() {
        let z = all(&mut sweep(&[One(2), One(0)], 3).around(PathPoints::unlabelled(array![[5.0, 6.0, 7.0], [0.0; 3]])));
        assert_eq!(
            z,
            array![
                [5.0, 6.0, -1.0], // point 0, dimension 2
                [5.0, 6.0, 0.0],
                [5.0, 6.0, 1.0],
                [-1.0, 6.0, 7.0], // point 0, dimension 0
                [0.0, 6.0, 7.0],
                [1.0, 6.0, 7.0],
                [0.0, 0.0, -1.0], // point 1
                [0.0, 0.0, 0.0],
                [0.0, 0.0, 1.0],
                [-1.0, 0.0, 0.0],
                [0.0, 0.0, 0.0],
                [1.0, 0.0, 0.0],
            ]
        );
    }

    #[test]
    fn all_dimensions_come_in_order() {
        assert_eq!(sweep(&[All], 2).dimensions, [0, 1, 2]);
        assert_eq!(sweep(&[One(2), All], 2).dimensions, [2, 0, 1, 2]);
    }

    #[test]
    fn a_row_begins_and_ends_with_the_range_exactly() {
        for steps in [2, 3, 10, 101] {
            let range = ValueRange { low: -0.3, high: 0.7 };
            let values = Sweep::new(&[One(0)], 3, range, steps).expect("a sweep").values;
            assert_eq!((values.len(), values[0], values[steps - 1]), (steps, -0.3, 0.7));
            assert!(values.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }

    #[test]
    fn a_latent_does_not_depend_on_its_frame() {
        let mut traversals = sweep(&[All], 4).around(PathPoints::unlabelled(array![[5.0, 6.0, 7.0], [0.0; 3]]));
        assert_eq!(all(&mut traversals).slice(s![5..19, ..]), traversals.z(5..19).expect("latents"));
    }

    #[test]
    fn dimensions_beyond_the_model_are_named() {
        let refused = Sweep::new(&[One(0), One(3)], 3, ValueRange { low: 0.0, high: 1.0 }, 2);
        let message = refused.err().expect("an error").to_string();
        assert_eq!(message, "--traverse 3: expected a dimension of the model, 0 to 2, got 3; or give all");
    }

    #[test]
    fn a_range_is_two_finite_increasing_numbers() {
        assert_eq!("-3,3".parse(), Ok(ValueRange { low: -3.0, high: 3.0 }));
        assert_eq!("0.5,2e1".parse(), Ok(ValueRange { low: 0.5, high: 20.0 }));
        for bad in ["", "3", "3,-3", "1,1", "nan,1", "-inf,1", "0,1e39", "a,b", "1,2,3"] {
            assert!(bad.parse::<ValueRange>().is_err(), "{bad}");
        }
    }
}
