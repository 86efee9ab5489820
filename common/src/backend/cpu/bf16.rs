//! Pairs of bf16 made of floats. Which two values share a cell follows from which product reads it: those that lie one
//! after the other in the sum.
//!
//! ```text
//! along    [rows][width]  ->  [rows][width / 2]     cell = values 2c and 2c + 1 of a row
//! across   [rows][width]  ->  [rows / 2][width]     cell = rows 2r and 2r + 1 of a column
//! ```
//!
//! An odd last value is paired with zero.

/// The two nearest bf16, the first in the low half; ties to even.
#[inline(always)]
fn pair(first: f32, second: f32) -> u32 {
    let rounded = |v: f32| v.to_bits().wrapping_add(0x7fff + (v.to_bits() >> 16 & 1));
    rounded(first) >> 16 | rounded(second) & 0xffff_0000
}

/// Cells in `n` values.
pub(super) fn cells(n: usize) -> usize {
    n.div_ceil(2)
}

/// Pairs along each row of `values`.
#[inline(always)]
pub(super) fn along(to: &mut [u32], values: &[f32], width: usize) {
    for (to, row) in to.chunks_exact_mut(cells(width)).zip(values.chunks_exact(width)) {
        let (pairs, odd) = row.as_chunks::<2>();
        to.iter_mut().zip(pairs).for_each(|(to, [a, b])| *to = pair(*a, *b));
        if let [last] = odd {
            to[pairs.len()] = pair(*last, 0.0);
        }
    }
}

/// Pairs of rows of `values`.
#[inline(always)]
pub(super) fn across(to: &mut [u32], values: &[f32], width: usize) {
    for (to, rows) in to.chunks_exact_mut(width).zip(values.chunks(2 * width)) {
        let (first, second) = rows.split_at(width);
        match second.len() {
            0 => to.iter_mut().zip(first).for_each(|(to, a)| *to = pair(*a, 0.0)),
            _ => to.iter_mut().zip(first.iter().zip(second)).for_each(|(to, (a, b))| *to = pair(*a, *b)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::bf16;

    #[test]
    fn pairs_are_the_nearest_bf16_along_and_across() {
        let values: Vec<f32> = (0..15).map(|i| (i as f32 - 7.0) * 0.123_456_7).collect();
        let expected = |a: usize, b: Option<usize>| {
            let bits = |i: usize| bf16::from_f32(values[i]).to_bits() as u32;
            bits(a) | b.map_or(0, bits) << 16
        };
        let mut cells = vec![0; 3 * 3];
        along(&mut cells, &values, 5);
        for (r, c) in (0..9).map(|k| (k / 3, k % 3)) {
            assert_eq!(cells[r * 3 + c], expected(r * 5 + 2 * c, (c < 2).then_some(r * 5 + 2 * c + 1)));
        }
        let mut cells = vec![0; 2 * 5];
        across(&mut cells, &values, 5);
        for (r, c) in (0..10).map(|k| (k / 5, k % 5)) {
            assert_eq!(cells[r * 5 + c], expected(r * 10 + c, (r < 1).then_some(r * 10 + 5 + c)));
        }
    }
}
