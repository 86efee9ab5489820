//! Projection on principal components.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, Axis};
use vae_cli::memory::expect_memory;
use vae_cli::{Error, Result};
use vae_numerics::eigen::principal;

/// Points per matrix product of the covariance.
const BLOCK: usize = 256;

/// Scores on the first principal components.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Projection {
    /// [N, count], centred.
    pub(crate) points: Array2<f64>,
    /// Share of the variance of each component, from 0 to 1; 0 if the points are equal.
    pub(crate) variance_ratios: Vec<f64>,
}

/// Projects points [N, D] on their first `count` principal components.
///
/// # Errors
/// A covariance matrix larger than the memory of the machine.
///
/// # Panics
/// If `count` exceeds D.
pub(crate) fn project(points: ArrayView2<f32>, count: usize) -> Result<Projection> {
    let (items, size) = points.dim();
    assert!(count <= size, "{count} components of {size} dimensions");
    expect_memory(2 * 8 * (size * size) as u64, "select two with --dims")?;
    let items = items.max(1) as f64;
    let mean = points.fold_axis(Axis(0), 0.0, |sum, v| sum + f64::from(*v)) / items;
    let centred = |rows: ArrayView2<f32>| rows.mapv(f64::from) - &mean;
    let mut covariance = Array2::zeros([size, size]);
    for rows in points.axis_chunks_iter(Axis(0), BLOCK) {
        let rows = centred(rows);
        general_mat_mul(1.0 / items, &rows.t(), &rows, 1.0, &mut covariance);
    }
    let total = covariance.diag().sum();
    let (variances, components) = principal(covariance, count).map_err(|e| Error::Failed(e.to_string()))?;
    let variance_ratios =
        variances.iter().map(|v| if total > 0.0 { (v / total).clamp(0.0, 1.0) } else { 0.0 }).collect();
    Ok(Projection { points: centred(points).dot(&components.t()), variance_ratios })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_projected_on_the_directions_in_which_they_vary_most() {
        // Four times as wide along (0.6, 0.8, 0) as along (0.8, -0.6, 0), around (5, 0, 7).
        let points = [[4.0, 1.0], [4.0, -1.0], [-4.0, 1.0], [-4.0, -1.0]];
        let line = |[a, b]: [f64; 2]| [5.0 + 0.6 * a + 0.8 * b, 0.8 * a - 0.6 * b, 7.0].map(|v| v as f32);
        let placed = Array2::from(points.map(line).to_vec());
        let found = project(placed.view(), 2).unwrap();
        for (row, [a, b]) in found.points.rows().into_iter().zip(points) {
            assert!((row[0] - a).abs() < 1e-6 && (row[1] - b).abs() < 1e-6, "expected {a} {b}, got {row}");
        }
        assert!(
            (found.variance_ratios[0] - 16.0 / 17.0).abs() < 1e-6
                && (found.variance_ratios[1] - 1.0 / 17.0).abs() < 1e-6
        );
    }

    #[test]
    fn points_that_do_not_vary_are_projected_on_one() {
        let found = project(Array2::from_elem((3, 4), 0.5).view(), 2).unwrap();
        assert_eq!((found.points, found.variance_ratios), (Array2::zeros((3, 2)), vec![0.0, 0.0]));
    }
}
