//! From point to point: on a straight line, or on an arc around the origin.

use ndarray::{Array2, ArrayView1, Axis, Zip};
use std::ops::Range;
use vae_cli::{Error, Result};
use vae_stream::Tensor;

use crate::latents::Latents;
use crate::points::Points;

/// An angle below this, in radians, is a straight line in f32; one this near to half a turn has no arc of its own.
const TINY: f64 = 1e-6;

/// The way from one point to another.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq)]
pub enum How {
    /// On the straight line
    Linear,
    /// On an arc around the origin (slerp), as far from it as draws from the prior are; a line where there is no arc
    Spherical,
}

/// Interpolation along the points of an input.
pub struct Interpolation {
    how: How,
    steps: usize,
    /// The last point so far.
    last: Option<Points>,
}

impl Interpolation {
    /// With so many steps from each point to the next, both included.
    pub fn new(how: How, steps: usize) -> Interpolation {
        Interpolation { how, steps, last: None }
    }

    /// The way from the last point before these to the last of these.
    ///
    /// # Errors
    /// More labels than a tensor can hold.
    pub fn up_to(&mut self, points: Points) -> Result<Between> {
        let last = self.last.replace(points.last());
        let points = match last {
            Some(last) => last.then(points)?,
            None => points,
        };
        Ok(Between { points, how: self.how, steps: self.steps })
    }

    /// After all `points` of an input.
    ///
    /// # Errors
    /// Points that are too few to go anywhere.
    pub fn end(&self, points: usize) -> Result<()> {
        if points >= 2 {
            return Ok(());
        }
        Err(Error::Data(format!(
            "interpolation needs at least two points: expected 2 or more, got {points}; put them into one stream, say with \
             vae-cat a.vae b.vae"
        )))
    }
}

/// The ways between points, one after the other, all with the same number of steps.
pub struct Between {
    points: Points,
    how: How,
    steps: usize,
}

impl Latents for Between {
    fn count(&self) -> usize {
        (self.points.count() - 1) * self.steps
    }

    fn z(&mut self, which: Range<usize>) -> Result<Array2<f32>> {
        let mut z = Array2::zeros([which.len(), self.points.z.ncols()]);
        for (k, z) in which.zip(z.rows_mut()) {
            let (start, t) = (k / self.steps, (k % self.steps) as f64 / (self.steps - 1) as f64);
            let (a, b) = (self.points.z.index_axis(Axis(0), start), self.points.z.index_axis(Axis(0), start + 1));
            let [from, to] = weights(self.how, a, b, t);
            Zip::from(z).and(a).and(b).for_each(|z, a, b| *z = (from * *a as f64 + to * *b as f64) as f32);
        }
        Ok(z)
    }

    fn y(&self, which: Range<usize>) -> Option<Tensor> {
        self.points.labels(which.map(|k| k / self.steps))
    }
}

/// How much of `a` and of `b` there is at t of the way, from 0 to 1. At 0 it is `a` exactly, and at 1 `b`.
fn weights(how: How, a: ArrayView1<f32>, b: ArrayView1<f32>, t: f64) -> [f64; 2] {
    let straight = [1.0 - t, t];
    let arc = match how {
        How::Linear => None,
        How::Spherical => Arc::between(a, b),
    };
    let Some(Arc { angle, lengths: [from, to] }) = arc else { return straight };
    // Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985, for the directions.
    let [a, b] = straight.map(|part| (part * angle).sin() / angle.sin());
    let length = straight[0] * from + straight[1] * to;
    [a * (length / from), b * (length / to)]
}

/// Two vectors, seen from the origin.
struct Arc {
    angle: f64,
    lengths: [f64; 2],
}

impl Arc {
    /// None where no arc, or any, leads from one to the other.
    fn between(a: ArrayView1<f32>, b: ArrayView1<f32>) -> Option<Arc> {
        let lengths = [a, b].map(|v| v.iter().map(|v| (*v as f64).powi(2)).sum::<f64>().sqrt());
        if lengths.contains(&0.0) {
            return None;
        }
        // Half the angle from the sum and the difference of the unit vectors, exact for any (Kahan). The arc cosine of
        // their product is not: of small angles it loses half of the digits.
        let (sum, difference) = a.iter().zip(b).fold((0.0, 0.0), |(sum, difference), (a, b)| {
            let (a, b) = (*a as f64 / lengths[0], *b as f64 / lengths[1]);
            (sum + (a + b).powi(2), difference + (a - b).powi(2))
        });
        let angle = 2.0 * difference.sqrt().atan2(sum.sqrt());
        (angle.sin() > TINY).then_some(Arc { angle, lengths })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{array, s};

    fn between(how: How, steps: usize, z: Array2<f32>) -> Between {
        let points = z.rows().into_iter().map(|row| Points::unlabelled(row.insert_axis(Axis(0)).to_owned()));
        let mut interpolation = Interpolation::new(how, steps);
        let joined = points.reduce(|a, b| a.then(b).expect("points")).expect("some");
        interpolation.up_to(joined).expect("a way")
    }

    fn all(mut between: Between) -> Array2<f32> {
        between.z(0..between.count()).expect("latents")
    }

    fn length(v: ArrayView1<f32>) -> f32 {
        v.iter().map(|v| v * v).sum::<f32>().sqrt()
    }

    #[test]
    fn a_line_is_cut_into_equal_parts() {
        let z = all(between(How::Linear, 5, array![[0.0, 4.0], [8.0, 0.0]]));
        assert_eq!(z, array![[0.0, 4.0], [2.0, 3.0], [4.0, 2.0], [6.0, 1.0], [8.0, 0.0]]);
    }

    #[test]
    fn each_pair_has_a_row_that_begins_and_ends_with_its_points_exactly() {
        let points = array![[0.1, -2.7, 0.3], [1.3, 0.7, -0.9], [-0.3, 1e-3, 5.1], [0.0, 0.0, 0.0]];
        for how in [How::Linear, How::Spherical] {
            let z = all(between(how, 7, points.clone()));
            assert_eq!(z.nrows(), 21);
            for pair in 0..3 {
                assert_eq!(z.row(7 * pair), points.row(pair), "{how:?}");
                assert_eq!(z.row(7 * pair + 6), points.row(pair + 1), "{how:?}");
            }
        }
    }

    #[test]
    fn slerp_keeps_the_length_of_equally_long_vectors_and_turns_evenly() {
        // Both of length 3, with 4 between their directions: an angle of acos(4 / 9).
        let z = all(between(How::Spherical, 9, array![[1.0, 2.0, 2.0], [2.0, -1.0, 2.0]]));
        let step = (4f64 / 9.0).acos() / 8.0;
        for (a, b) in z.rows().into_iter().zip(z.rows().into_iter().skip(1)) {
            assert!((length(a) - 3.0).abs() < 1e-6, "{a}");
            assert!((Arc::between(a, b).expect("an arc").angle - step).abs() < 1e-6, "{a} {b}");
        }
        let middle = all(between(How::Linear, 9, array![[1.0, 2.0, 2.0], [2.0, -1.0, 2.0]]));
        assert!(length(middle.row(4)) < 2.6, "a line passes nearer to the origin");
    }

    #[test]
    fn slerp_between_unequally_long_vectors_changes_the_length_evenly() {
        // The last leads nearly back: any other weights of the two vectors would be far too large there.
        for b in [[0.0, 5.0], [-3.0, 4.0], [-5.0, 1e-4]] {
            let z = all(between(How::Spherical, 5, array![[1.0, 0.0], b]));
            for (k, row) in z.rows().into_iter().enumerate() {
                assert!((length(row) - (1 + k) as f32).abs() < 1e-5, "{row}");
            }
        }
    }

    #[test]
    fn slerp_of_a_quarter_turn_is_the_circle() {
        let z = all(between(How::Spherical, 3, array![[2.0, 0.0], [0.0, 2.0]]));
        assert!((&z.row(1) - 2f32.sqrt()).iter().all(|v| v.abs() < 1e-6), "{z}");
    }

    #[test]
    fn where_there_is_no_arc_slerp_is_a_line() {
        for (name, points) in [
            ("the same point", array![[1.0, 2.0], [1.0, 2.0]]),
            ("a tiny angle", array![[1.0, 2.0], [1.0, 2.000_000_2]]),
            ("the same direction", array![[1.0, 2.0], [3.0, 6.0]]),
            ("the opposite direction", array![[1.0, 2.0], [-2.0, -4.0]]),
            ("the origin", array![[0.0, 0.0], [3.0, 6.0]]),
        ] {
            let [line, arc] = [How::Linear, How::Spherical].map(|how| all(between(how, 11, points.clone())));
            assert_eq!(line, arc, "{name}");
        }
    }

    #[test]
    fn large_and_small_latents_stay_finite() {
        for size in [1e38, 1e-44] {
            let z = all(between(How::Spherical, 5, array![[size, 0.0], [0.0, size]]));
            assert!(z.iter().all(|v| v.is_finite()), "{z}");
        }
    }

    #[test]
    fn a_way_does_not_depend_on_how_its_points_arrive() {
        let points = array![[1.0, 2.0], [3.0, -1.0], [0.5, 0.5], [-2.0, 1.0]];
        let whole = all(between(How::Spherical, 4, points.clone()));
        let mut interpolation = Interpolation::new(How::Spherical, 4);
        let mut parts = vec![];
        for part in [0..1, 1..3, 3..4] {
            let part = Points::unlabelled(points.slice(s![part, ..]).to_owned());
            parts.push(all(interpolation.up_to(part).expect("a way")));
        }
        assert_eq!(parts.iter().map(Array2::nrows).collect::<Vec<_>>(), [0, 8, 4]);
        let parts: Vec<_> = parts.iter().map(|part| part.view()).collect();
        assert_eq!(ndarray::concatenate(Axis(0), &parts).expect("rows"), whole);
    }
}
