//! Eigenvectors of a covariance matrix.

use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::Array2;

/// Steps of the iteration for each eigenvalue, at most: LAPACK's limit. About two suffice.
const STEPS: usize = 30;

/// The iteration for the eigenvectors did not converge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotConverged {
    /// The number of its steps.
    pub steps: usize,
}

impl std::fmt::Display for NotConverged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the principal components were not found: expected them in {} steps", self.steps)
    }
}

impl std::error::Error for NotConverged {}

/// The `count` largest eigenvalues of a covariance [D, D], in descending order, and their eigenvectors as rows [count, D].
/// The entry of largest magnitude of each is positive, which settles its sign.
///
/// # Errors
/// [`NotConverged`] after too many steps.
pub fn principal(covariance: Array2<f64>, count: usize) -> Result<(Vec<f64>, Array2<f64>), NotConverged> {
    // Added to every eigenvalue, it moves no eigenvector. Many eigenvalues are 0, of pixels that never change or where
    // images are few; nalgebra stops relative to the numbers at hand, and near 0 its vectors would not be orthogonal.
    let shift = covariance.diag().iter().copied().fold(0.0, f64::max);
    let size = covariance.nrows();
    let mut matrix = DMatrix::from_vec(size, size, covariance.into_raw_vec_and_offset().0);
    (0..size).for_each(|i| matrix[(i, i)] += shift);
    let steps = STEPS * size;
    let found = SymmetricEigen::try_new(matrix, f64::EPSILON, steps).ok_or(NotConverged { steps })?;
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|a, b| found.eigenvalues[*b].total_cmp(&found.eigenvalues[*a]));
    order.truncate(count);
    let mut components = Array2::zeros([count, size]);
    for (mut row, at) in components.rows_mut().into_iter().zip(&order) {
        let vector = found.eigenvectors.column(*at);
        let sign = vector[vector.icamax()].signum();
        row.iter_mut().zip(&vector).for_each(|(to, v)| *to = sign * v);
    }
    Ok((order.into_iter().map(|at| found.eigenvalues[at] - shift).collect(), components))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn eigenvalues_come_from_the_largest_down_and_vectors_with_a_sign() {
        // Eigenvalues 1, 3 and 5.
        let matrix = array![[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 5.0]];
        let (values, vectors) = principal(matrix, 2).unwrap();
        let half = 0.5f64.sqrt();
        assert!(values.iter().zip([5.0, 3.0]).all(|(a, b)| (a - b).abs() < 1e-12), "{values:?}");
        assert!((vectors - array![[0.0, 0.0, 1.0], [half, half, 0.0]]).iter().all(|d| d.abs() < 1e-12));
    }
}
