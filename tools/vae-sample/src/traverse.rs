//! Through points: one dimension goes over a range, the others stay.

use ndarray::Array2;
use std::ops::Range;
use std::str::FromStr;
use vae_cli::{Error, Result};
use vae_stream::Tensor;

use crate::latents::Latents;
use crate::points::Points;

/// Dimensions that the command line names.
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

/// From one value to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    low: f32,
    high: f32,
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        let number = |text: &str| text.parse().ok().filter(|value: &f32| value.is_finite());
        let span = text.split_once(',').and_then(|(low, high)| Some(Span { low: number(low)?, high: number(high)? }));
        let rising = span.filter(|span| span.low < span.high);
        rising.ok_or_else(|| "expected two numbers, the smaller first, such as -3,3".to_owned())
    }
}

/// What to do at each point.
#[derive(Clone)]
pub struct Traversal {
    dimensions: Vec<usize>,
    /// What each dimension is set to.
    values: Vec<f32>,
}

impl Traversal {
    /// So many steps over a span, both of its ends included, for each of these dimensions.
    ///
    /// # Errors
    /// Dimensions that a model with so many does not have.
    pub fn new(dimensions: &[Dimension], latent: usize, span: Span, steps: usize) -> Result<Traversal> {
        let mut numbers = vec![];
        for dimension in dimensions {
            match *dimension {
                Dimension::All => numbers.extend(0..latent),
                Dimension::One(number) if number < latent => numbers.push(number),
                Dimension::One(number) => {
                    let most = latent - 1;
                    return Err(Error::Usage(format!(
                        "--traverse {number}: expected a dimension of the model, 0 to {most}, got {number}; or give all"
                    )));
                }
            }
        }
        let value = |step: usize| {
            let t = step as f64 / (steps - 1) as f64;
            ((1.0 - t) * span.low as f64 + t * span.high as f64) as f32
        };
        Ok(Traversal { dimensions: numbers, values: (0..steps).map(value).collect() })
    }

    /// All rows through these points.
    pub fn through(&self, points: Points) -> Through {
        Through { points, traversal: self.clone() }
    }
}

/// For each point and dimension a row.
pub struct Through {
    points: Points,
    traversal: Traversal,
}

impl Through {
    /// The latents of one point.
    fn each(&self) -> usize {
        self.traversal.dimensions.len() * self.traversal.values.len()
    }
}

impl Latents for Through {
    fn count(&self) -> usize {
        self.points.count() * self.each()
    }

    fn z(&mut self, which: Range<usize>) -> Result<Array2<f32>> {
        let Traversal { dimensions, values } = &self.traversal;
        let mut z = Array2::zeros([which.len(), self.points.z.ncols()]);
        for (k, mut z) in which.zip(z.rows_mut()) {
            z.assign(&self.points.z.row(k / self.each()));
            z[dimensions[k / values.len() % dimensions.len()]] = values[k % values.len()];
        }
        Ok(z)
    }

    fn y(&self, which: Range<usize>) -> Option<Tensor> {
        self.points.labels(which.map(|k| k / self.each()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Dimension::{All, One};
    use ndarray::{array, s};

    fn traversal(dimensions: &[Dimension], steps: usize) -> Traversal {
        Traversal::new(dimensions, 3, Span { low: -1.0, high: 1.0 }, steps).expect("a traversal")
    }

    fn all(through: &mut Through) -> Array2<f32> {
        through.z(0..through.count()).expect("latents")
    }

    #[test]
    fn each_point_and_dimension_has_a_row_in_which_only_it_changes() {
        let z =
            all(&mut traversal(&[One(2), One(0)], 3).through(Points::unlabelled(array![[5.0, 6.0, 7.0], [0.0; 3]])));
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
        assert_eq!(traversal(&[All], 2).dimensions, [0, 1, 2]);
        assert_eq!(traversal(&[One(2), All], 2).dimensions, [2, 0, 1, 2]);
    }

    #[test]
    fn a_row_begins_and_ends_with_the_range_exactly() {
        for steps in [2, 3, 10, 101] {
            let span = Span { low: -0.3, high: 0.7 };
            let values = Traversal::new(&[One(0)], 3, span, steps).expect("a traversal").values;
            assert_eq!((values.len(), values[0], values[steps - 1]), (steps, -0.3, 0.7));
            assert!(values.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }

    #[test]
    fn a_latent_does_not_depend_on_its_frame() {
        let mut through = traversal(&[All], 4).through(Points::unlabelled(array![[5.0, 6.0, 7.0], [0.0; 3]]));
        assert_eq!(all(&mut through).slice(s![5..19, ..]), through.z(5..19).expect("latents"));
    }

    #[test]
    fn dimensions_beyond_the_model_are_named() {
        let refused = Traversal::new(&[One(0), One(3)], 3, Span { low: 0.0, high: 1.0 }, 2);
        let message = refused.err().expect("an error").to_string();
        assert_eq!(message, "--traverse 3: expected a dimension of the model, 0 to 2, got 3; or give all");
    }

    #[test]
    fn a_range_is_two_finite_numbers_that_rise() {
        assert_eq!("-3,3".parse(), Ok(Span { low: -3.0, high: 3.0 }));
        assert_eq!("0.5,2e1".parse(), Ok(Span { low: 0.5, high: 20.0 }));
        for bad in ["", "3", "3,-3", "1,1", "nan,1", "-inf,1", "0,1e39", "a,b", "1,2,3"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
