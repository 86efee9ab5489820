//! Interpolation between points: linear, or spherical (slerp).

use ndarray::{Array2, ArrayView1, Axis, Zip};
use std::ops::Range;
use vae_cli::{Error, Result};
use vae_stream::Tensor;

use crate::latents::LatentSequence;
use crate::path_points::PathPoints;

/// The smallest sine of an angle between two vectors at which slerp is defined. Below it they are parallel, where
/// linear interpolation is the same in f32, or opposite, where no arc is unique.
const MIN_SINE: f64 = 1e-6;

/// The interpolation method.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// On a straight line
    Linear,
    /// On an arc around the origin (slerp), at the norms of draws from the prior; linear between parallel or opposite
    /// vectors
    Spherical,
}

/// Interpolates between successive points of an input, which arrive in batches.
pub struct Interpolator {
    method: Method,
    steps: usize,
    /// The last point so far.
    last: Option<PathPoints>,
}

impl Interpolator {
    /// `steps` latents from each point to the next, both ends included.
    pub fn new(method: Method, steps: usize) -> Interpolator {
        Interpolator { method, steps, last: None }
    }

    /// The interpolation from the last point so far through all of these.
    ///
    /// # Errors
    /// More labels than a tensor can hold.
    pub fn extend(&mut self, points: PathPoints) -> Result<Interpolation> {
        let last = self.last.replace(points.last());
        let points = match last {
            Some(last) => last.append(points)?,
            None => points,
        };
        Ok(Interpolation { points, method: self.method, steps: self.steps })
    }

    /// Checks the number of points at the end of the input.
    ///
    /// # Errors
    /// Fewer than two.
    pub fn finish(&self, points: usize) -> Result<()> {
        if points >= 2 {
            return Ok(());
        }
        Err(Error::Data(format!(
            "interpolation needs at least two points: expected 2 or more, got {points}; put them into one stream, say \
             with vae-cat a.vae b.vae"
        )))
    }
}

/// One row of `steps` latents per pair of successive points.
pub struct Interpolation {
    points: PathPoints,
    method: Method,
    steps: usize,
}

impl LatentSequence for Interpolation {
    fn len(&self) -> usize {
        (self.points.count() - 1) * self.steps
    }

    fn z(&mut self, range: Range<usize>) -> Result<Array2<f32>> {
        let mut z = Array2::zeros([range.len(), self.points.z.ncols()]);
        for (k, z) in range.zip(z.rows_mut()) {
            let (start, t) = (k / self.steps, (k % self.steps) as f64 / (self.steps - 1) as f64);
            let (a, b) = (self.points.z.index_axis(Axis(0), start), self.points.z.index_axis(Axis(0), start + 1));
            let [wa, wb] = weights(self.method, a, b, t);
            Zip::from(z).and(a).and(b).for_each(|z, a, b| *z = (wa * *a as f64 + wb * *b as f64) as f32);
        }
        Ok(z)
    }

    fn y(&self, range: Range<usize>) -> Option<Tensor> {
        self.points.gather_labels(range.map(|k| k / self.steps))
    }
}

/// The weights of `a` and `b` at t in [0, 1]: exactly (1, 0) at 0 and (0, 1) at 1.
fn weights(method: Method, a: ArrayView1<f32>, b: ArrayView1<f32>, t: f64) -> [f64; 2] {
    let linear = [1.0 - t, t];
    let arc = match method {
        Method::Linear => None,
        Method::Spherical => Arc::between(a, b),
    };
    let Some(Arc { angle, norms: [norm_a, norm_b] }) = arc else { return linear };
    // The directions by slerp (Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985), the norm
    // linearly.
    let [a, b] = linear.map(|share| (share * angle).sin() / angle.sin());
    let norm = linear[0] * norm_a + linear[1] * norm_b;
    [a * (norm / norm_a), b * (norm / norm_b)]
}

/// The arc around the origin between two vectors: its angle, in radians, and their norms.
struct Arc {
    angle: f64,
    norms: [f64; 2],
}

impl Arc {
    /// None if a vector is 0, or the two are parallel or opposite.
    fn between(a: ArrayView1<f32>, b: ArrayView1<f32>) -> Option<Arc> {
        let norms = [a, b].map(|v| v.iter().map(|v| (*v as f64).powi(2)).sum::<f64>().sqrt());
        if norms.contains(&0.0) {
            return None;
        }
        // 2 atan2(|a - b|, |a + b|) of the unit vectors is accurate at any angle (Kahan); the arc cosine of their dot
        // product loses half of the digits of a small one.
        let (sum, difference) = a.iter().zip(b).fold((0.0, 0.0), |(sum, difference), (a, b)| {
            let (a, b) = (*a as f64 / norms[0], *b as f64 / norms[1]);
            (sum + (a + b).powi(2), difference + (a - b).powi(2))
        });
        let angle = 2.0 * difference.sqrt().atan2(sum.sqrt());
        (angle.sin() > MIN_SINE).then_some(Arc { angle, norms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{array, s};

    fn interpolation(method: Method, steps: usize, z: Array2<f32>) -> Interpolation {
        let points = z.rows().into_iter().map(|row| PathPoints::unlabelled(row.insert_axis(Axis(0)).to_owned()));
        let mut interpolator = Interpolator::new(method, steps);
        let joined = points.reduce(|a, b| a.append(b).expect("points")).expect("some");
        interpolator.extend(joined).expect("an interpolation")
    }

    fn all(mut interpolation: Interpolation) -> Array2<f32> {
        interpolation.z(0..interpolation.len()).expect("latents")
    }

    fn norm(v: ArrayView1<f32>) -> f32 {
        v.iter().map(|v| v * v).sum::<f32>().sqrt()
    }

    #[test]
    fn linear_interpolation_has_equal_steps() {
        let z = all(interpolation(Method::Linear, 5, array![[0.0, 4.0], [8.0, 0.0]]));
        assert_eq!(z, array![[0.0, 4.0], [2.0, 3.0], [4.0, 2.0], [6.0, 1.0], [8.0, 0.0]]);
    }

    #[test]
    fn each_pair_has_a_row_that_starts_and_ends_exactly_at_its_points() {
        let points = array![[0.1, -2.7, 0.3], [1.3, 0.7, -0.9], [-0.3, 1e-3, 5.1], [0.0, 0.0, 0.0]];
        for method in [Method::Linear, Method::Spherical] {
            let z = all(interpolation(method, 7, points.clone()));
            assert_eq!(z.nrows(), 21);
            for pair in 0..3 {
                assert_eq!(z.row(7 * pair), points.row(pair), "{method:?}");
                assert_eq!(z.row(7 * pair + 6), points.row(pair + 1), "{method:?}");
            }
        }
    }

    #[test]
    fn slerp_keeps_an_equal_norm_and_has_equal_angles() {
        // Both of norm 3, with dot product 4: an angle of acos(4 / 9).
        let z = all(interpolation(Method::Spherical, 9, array![[1.0, 2.0, 2.0], [2.0, -1.0, 2.0]]));
        let step = (4f64 / 9.0).acos() / 8.0;
        for (a, b) in z.rows().into_iter().zip(z.rows().into_iter().skip(1)) {
            assert!((norm(a) - 3.0).abs() < 1e-6, "{a}");
            assert!((Arc::between(a, b).expect("an arc").angle - step).abs() < 1e-6, "{a} {b}");
        }
        let middle = all(interpolation(Method::Linear, 9, array![[1.0, 2.0, 2.0], [2.0, -1.0, 2.0]]));
        assert!(norm(middle.row(4)) < 2.6, "a line passes nearer to the origin");
    }

    #[test]
    fn slerp_between_unequal_norms_changes_the_norm_linearly() {
        // The last is nearly opposite, where any other weights would be far too large.
        for b in [[0.0, 5.0], [-3.0, 4.0], [-5.0, 1e-4]] {
            let z = all(interpolation(Method::Spherical, 5, array![[1.0, 0.0], b]));
            for (k, row) in z.rows().into_iter().enumerate() {
                assert!((norm(row) - (1 + k) as f32).abs() < 1e-5, "{row}");
            }
        }
    }

    #[test]
    fn slerp_of_a_quarter_turn_is_the_circle() {
        let z = all(interpolation(Method::Spherical, 3, array![[2.0, 0.0], [0.0, 2.0]]));
        assert!((&z.row(1) - 2f32.sqrt()).iter().all(|v| v.abs() < 1e-6), "{z}");
    }

    #[test]
    fn slerp_without_a_unique_arc_is_linear() {
        for (name, points) in [
            ("the same point", array![[1.0, 2.0], [1.0, 2.0]]),
            ("a tiny angle", array![[1.0, 2.0], [1.0, 2.000_000_2]]),
            ("the same direction", array![[1.0, 2.0], [3.0, 6.0]]),
            ("the opposite direction", array![[1.0, 2.0], [-2.0, -4.0]]),
            ("the origin", array![[0.0, 0.0], [3.0, 6.0]]),
        ] {
            let [line, arc] =
                [Method::Linear, Method::Spherical].map(|method| all(interpolation(method, 11, points.clone())));
            assert_eq!(line, arc, "{name}");
        }
    }

    #[test]
    fn large_and_small_latents_stay_finite() {
        for size in [1e38, 1e-44] {
            let z = all(interpolation(Method::Spherical, 5, array![[size, 0.0], [0.0, size]]));
            assert!(z.iter().all(|v| v.is_finite()), "{z}");
        }
    }

    #[test]
    fn an_interpolation_does_not_depend_on_the_batches_of_its_points() {
        let points = array![[1.0, 2.0], [3.0, -1.0], [0.5, 0.5], [-2.0, 1.0]];
        let whole = all(interpolation(Method::Spherical, 4, points.clone()));
        let mut interpolator = Interpolator::new(Method::Spherical, 4);
        let mut parts = vec![];
        for part in [0..1, 1..3, 3..4] {
            let part = PathPoints::unlabelled(points.slice(s![part, ..]).to_owned());
            parts.push(all(interpolator.extend(part).expect("an interpolation")));
        }
        assert_eq!(parts.iter().map(Array2::nrows).collect::<Vec<_>>(), [0, 8, 4]);
        let parts: Vec<_> = parts.iter().map(|part| part.view()).collect();
        assert_eq!(ndarray::concatenate(Axis(0), &parts).expect("rows"), whole);
    }
}
