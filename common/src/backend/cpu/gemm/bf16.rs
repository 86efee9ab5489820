//! Packing f32 to pairs of bf16. A pair holds two neighbours along K, the inner dimension of the GEMM that reads it.
//!
//! ```text
//! pack_along_k      x[rows, K]   ->  [rows, K / 2]      pair = x[r, 2k], x[r, 2k + 1]
//! vnni_interleave   x[K, width]  ->  [K / 2, width]     pair = x[2k, c], x[2k + 1, c]
//! ```
//!
//! An odd K is padded with zero.

use crate::backend::cpu::simd::{Simd, bf16_pair};

/// Pairs of `n` values.
pub(crate) fn pairs(n: usize) -> usize {
    n.div_ceil(2)
}

/// to[rows, width / 2] = the pairs along each row of values[rows, width].
#[inline(always)]
pub(crate) fn pack_along_k<S: Simd>(simd: S, to: &mut [u32], values: &[f32], width: usize) {
    // Without padding, all rows are one.
    let width = if width.is_multiple_of(2) { values.len() } else { width };
    for (to, row) in to.chunks_exact_mut(pairs(width).max(1)).zip(values.chunks_exact(width.max(1))) {
        let whole = row.len() - row.len() % (2 * S::LANES);
        for (to, v) in to.chunks_exact_mut(S::LANES).zip(row[..whole].chunks_exact(2 * S::LANES)) {
            let (a, b) = v.split_at(S::LANES);
            let pairs = simd.pack_bf16(simd.read(a), simd.read(b));
            // SAFETY: the chunk is a vector long.
            #[allow(unsafe_code)]
            unsafe {
                simd.store(to.as_mut_ptr().cast(), pairs)
            }
        }
        for (to, v) in to[whole / 2..].iter_mut().zip(row[whole..].chunks(2)) {
            *to = bf16_pair(v[0], v.get(1).copied().unwrap_or(0.0)).to_bits();
        }
    }
}

/// to[rows / 2, width] = the pairs across adjacent rows of values[rows, width].
#[inline(always)]
pub(crate) fn vnni_interleave<S: Simd>(simd: S, to: &mut [u32], values: &[f32], width: usize) {
    for (to, rows) in to.chunks_exact_mut(width).zip(values.chunks(2 * width)) {
        let (first, second) = rows.split_at(width);
        if second.is_empty() {
            to.iter_mut().zip(first).for_each(|(to, a)| *to = bf16_pair(*a, 0.0).to_bits());
            continue;
        }
        let whole = width - width % S::LANES;
        for at in (0..whole).step_by(S::LANES) {
            let to = &mut to[at..at + S::LANES];
            let pairs = simd.interleave_bf16(simd.read(&first[at..]), simd.read(&second[at..]));
            // SAFETY: the slice is a vector long.
            #[allow(unsafe_code)]
            unsafe {
                simd.store(to.as_mut_ptr().cast(), pairs)
            }
        }
        for i in whole..width {
            to[i] = bf16_pair(first[i], second[i]).to_bits();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::simd::{InstructionSet, WithSimd};
    use half::bf16;

    struct Check;

    impl WithSimd for Check {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            for [rows, width] in [[3, 5], [4, 33], [2, 64], [5, 70], [1, 1]] {
                let values: Vec<f32> = (0..rows * width).map(|i| (i as f32 - 7.0) * 0.123_456_7).collect();
                let at = |r: usize, c: usize| (r < rows && c < width).then(|| values[r * width + c]);
                let expected = |first: Option<f32>, second: Option<f32>| {
                    let bits = |v: Option<f32>| v.map_or(0, |v| bf16::from_f32(v).to_bits() as u32);
                    bits(first) | bits(second) << 16
                };
                let mut to = vec![0; rows * pairs(width)];
                pack_along_k(simd, &mut to, &values, width);
                for (i, pair) in to.iter().enumerate() {
                    let (r, c) = (i / pairs(width), 2 * (i % pairs(width)));
                    assert_eq!(*pair, expected(at(r, c), at(r, c + 1)), "along K {rows} x {width}, {i}");
                }
                let mut to = vec![0; pairs(rows) * width];
                vnni_interleave(simd, &mut to, &values, width);
                for (i, pair) in to.iter().enumerate() {
                    let (r, c) = (2 * (i / width), i % width);
                    assert_eq!(*pair, expected(at(r, c), at(r + 1, c)), "interleaved {rows} x {width}, {i}");
                }
            }
        }
    }

    #[test]
    fn pairs_are_the_nearest_bf16_along_k() {
        InstructionSet::available().into_iter().for_each(|isa| isa.dispatch(Check));
    }
}
