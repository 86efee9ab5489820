//! Pairs of bf16 made of floats. Which two values share a cell follows from which product reads it: those that lie one
//! after the other in the sum.
//!
//! ```text
//! along    [rows][width]  ->  [rows][width / 2]     cell = values 2c and 2c + 1 of a row
//! across   [rows][width]  ->  [rows / 2][width]     cell = rows 2r and 2r + 1 of a column
//! ```
//!
//! An odd last value is paired with zero.

use super::simd::{Simd, pair};

/// Cells in `n` values.
pub(super) fn cells(n: usize) -> usize {
    n.div_ceil(2)
}

/// Pairs along each row of `values`.
#[inline(always)]
pub(super) fn along<S: Simd>(simd: S, to: &mut [u32], values: &[f32], width: usize) {
    // Activations without an odd value are as good as one.
    let width = if width.is_multiple_of(2) { values.len() } else { width };
    for (to, row) in to.chunks_exact_mut(cells(width).max(1)).zip(values.chunks_exact(width.max(1))) {
        let whole = row.len() - row.len() % (2 * S::LANES);
        for (to, v) in to.chunks_exact_mut(S::LANES).zip(row[..whole].chunks_exact(2 * S::LANES)) {
            let (a, b) = v.split_at(S::LANES);
            let cells = simd.pair_along(simd.read(a), simd.read(b));
            // SAFETY: the chunk is a vector long.
            #[allow(unsafe_code)]
            unsafe {
                simd.store(to.as_mut_ptr().cast(), cells)
            }
        }
        for (to, v) in to[whole / 2..].iter_mut().zip(row[whole..].chunks(2)) {
            *to = pair(v[0], v.get(1).copied().unwrap_or(0.0)).to_bits();
        }
    }
}

/// Pairs of rows of `values`.
#[inline(always)]
pub(super) fn across<S: Simd>(simd: S, to: &mut [u32], values: &[f32], width: usize) {
    for (to, rows) in to.chunks_exact_mut(width).zip(values.chunks(2 * width)) {
        let (first, second) = rows.split_at(width);
        if second.is_empty() {
            to.iter_mut().zip(first).for_each(|(to, a)| *to = pair(*a, 0.0).to_bits());
            continue;
        }
        let whole = width - width % S::LANES;
        for at in (0..whole).step_by(S::LANES) {
            let to = &mut to[at..at + S::LANES];
            let cells = simd.pair_across(simd.read(&first[at..]), simd.read(&second[at..]));
            // SAFETY: the slice is a vector long.
            #[allow(unsafe_code)]
            unsafe {
                simd.store(to.as_mut_ptr().cast(), cells)
            }
        }
        for i in whole..width {
            to[i] = pair(first[i], second[i]).to_bits();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::{Level, Work};
    use super::*;
    use half::bf16;

    struct Check;

    impl Work for Check {
        type Output = ();

        #[inline(always)]
        fn with<S: Simd>(self, simd: S) {
            for [rows, width] in [[3, 5], [4, 33], [2, 64], [5, 70], [1, 1]] {
                let values: Vec<f32> = (0..rows * width).map(|i| (i as f32 - 7.0) * 0.123_456_7).collect();
                let at = |r: usize, c: usize| (r < rows && c < width).then(|| values[r * width + c]);
                let expected = |first: Option<f32>, second: Option<f32>| {
                    let bits = |v: Option<f32>| v.map_or(0, |v| bf16::from_f32(v).to_bits() as u32);
                    bits(first) | bits(second) << 16
                };
                let mut to = vec![0; rows * cells(width)];
                along(simd, &mut to, &values, width);
                for (i, cell) in to.iter().enumerate() {
                    let (r, c) = (i / cells(width), 2 * (i % cells(width)));
                    assert_eq!(*cell, expected(at(r, c), at(r, c + 1)), "along {rows} x {width}, {i}");
                }
                let mut to = vec![0; cells(rows) * width];
                across(simd, &mut to, &values, width);
                for (i, cell) in to.iter().enumerate() {
                    let (r, c) = (2 * (i / width), i % width);
                    assert_eq!(*cell, expected(at(r, c), at(r + 1, c)), "across {rows} x {width}, {i}");
                }
            }
        }
    }

    #[test]
    fn pairs_are_the_nearest_bf16_along_and_across() {
        Level::available().into_iter().for_each(|level| level.run(Check));
    }
}
