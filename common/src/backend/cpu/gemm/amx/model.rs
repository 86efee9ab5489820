//! A model of the tile instruction, as the manual defines it: the bits of the CPU, NaN included.

use super::{BRICK, Block, SIDE};

/// Rows, columns, and pairs of k of a tile.
const N: usize = 16;

/// c += a b of one brick each, as four `tdpbf16ps`.
#[inline(always)]
pub(super) fn multiply(c: &mut Block, a: &[u32; BRICK], b: &[u32; BRICK]) {
    for (a, rows) in a.as_chunks().0.iter().zip(c.0.chunks_exact_mut(N * SIDE)) {
        for (j, b) in b.as_chunks().0.iter().enumerate() {
            tdpbf16ps(rows, N * j, a, b);
        }
    }
}

/// c[16, 16] += a b, where row m of c is `rows[32 m + first..]`. Even and odd k are summed apart from zero, each by fused
/// multiply-adds that round to nearest even and take and give no denormals; then the two are added, then c.
#[inline(always)]
fn tdpbf16ps(rows: &mut [f32], first: usize, a: &[u32; N * N], b: &[u32; N * N]) {
    match is_ordinary(a, b) {
        true => accumulate(rows, first, a, b, f32::mul_add),
        false => accumulate(rows, first, a, b, fma),
    }
}

#[inline(always)]
fn accumulate(rows: &mut [f32], first: usize, a: &[u32; N * N], b: &[u32; N * N], fma: impl Fn(f32, f32, f32) -> f32) {
    let even = |pair: u32| f32::from_bits(pair << 16);
    let odd = |pair: u32| f32::from_bits(pair & 0xffff_0000);
    for (m, row) in rows.chunks_exact_mut(SIDE).enumerate() {
        let mut sums = [[0f32; N]; 2];
        for p in 0..N {
            let (x, y) = (a[m * N + p], &b[p * N..][..N]);
            for n in 0..N {
                sums[0][n] = fma(even(x), even(y[n]), sums[0][n]);
                sums[1][n] = fma(odd(x), odd(y[n]), sums[1][n]);
            }
        }
        for (n, c) in row[first..first + N].iter_mut().enumerate() {
            *c = add(*c, add(sums[0][n], sums[1][n]));
        }
    }
}

/// Whether no product or sum of these can be denormal, infinite or NaN, so that a plain multiply-add is exact.
#[inline(always)]
fn is_ordinary(a: &[u32; N * N], b: &[u32; N * N]) -> bool {
    const BIAS: u32 = 127;
    // The least and the greatest exponent of what is not zero.
    let range = |values: &[u32; N * N]| {
        let halves = values.iter().flat_map(|pair| [pair & 0xffff, pair >> 16]).filter(|half| half & 0x7fff != 0);
        let exponents = halves.map(|half| half >> 7 & 0xff);
        exponents.fold((u32::MAX / 4, 0), |(least, most), e| (least.min(e), most.max(e)))
    };
    let (a, b) = (range(a), range(b));
    // A product has 16 bits, so a sum that cancels is at least 2^-16 of the least product.
    a.0 > 0 && b.0 > 0 && a.0 + b.0 > 2 * BIAS - 100 && a.1 + b.1 < 2 * BIAS + 100
}

/// The NaN of an invalid operation.
const INVALID: f32 = f32::from_bits(0xffc0_0000);

fn zero_if_denormal(x: f32) -> f32 {
    if x.is_subnormal() { 0f32.copysign(x) } else { x }
}

/// The first NaN of the operands, quiet.
fn nan<const N: usize>(operands: [f32; N]) -> Option<f32> {
    operands.into_iter().find(|x| x.is_nan()).map(|nan| f32::from_bits(nan.to_bits() | 0x0040_0000))
}

/// A sum as the unit rounds it: what is below the least normal number after rounding is zero.
fn flushed(rounded: f32, exact: f64) -> f32 {
    const LEAST: f64 = f32::MIN_POSITIVE as f64 * (1.0 - 1.0 / (1u64 << 25) as f64);
    match rounded.is_nan() {
        true => INVALID,
        false if rounded.abs() <= f32::MIN_POSITIVE && exact.abs() < LEAST => 0f32.copysign(rounded),
        false => rounded,
    }
}

fn fma(a: f32, b: f32, c: f32) -> f32 {
    let [a, b, c] = [a, b, c].map(zero_if_denormal);
    nan([a, b, c]).unwrap_or_else(|| flushed(a.mul_add(b, c), a as f64 * b as f64 + c as f64))
}

fn add(a: f32, b: f32) -> f32 {
    let [a, b] = [a, b].map(zero_if_denormal);
    nan([a, b]).unwrap_or_else(|| flushed(a + b, a as f64 + b as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The formula of the manual in f64, on one row of a and one column of b.
    #[test]
    fn even_and_odd_k_are_summed_apart_from_zero() {
        // Only in this order does 2^24 + 1 - 2^24 lose the 1: in the even k; the odd keep theirs.
        let values = |pairs: &[(f32, f32)]| {
            let mut tile = [0u32; N * N];
            for (p, (even, odd)) in pairs.iter().enumerate() {
                tile[p] = even.to_bits() >> 16 | odd.to_bits() & 0xffff_0000;
            }
            tile
        };
        let large = (1 << 24) as f32;
        let a = values(&[(large, 1.0), (1.0, 2.0), (-large, 4.0)]);
        let mut b = [0u32; N * N];
        (0..N).for_each(|p| b[p * N] = 0x3f80_3f80); // ones
        let mut rows = [0f32; N * SIDE];
        rows[0] = 0.5;
        tdpbf16ps(&mut rows, 0, &a, &b);
        assert_eq!(rows[0], 7.5);
        assert!(rows[1..].iter().all(|c| *c == 0.0));
    }

    #[test]
    fn denormals_are_zero_and_nan_is_quiet() {
        let least = f32::MIN_POSITIVE;
        assert_eq!(fma(least / 2.0, 1.0, 0.0).to_bits(), 0);
        assert_eq!(fma(least, -0.5, 0.0).to_bits(), (-0f32).to_bits());
        assert_eq!(add(least, -least / 2.0), least);
        assert_eq!(add(1.5 * least, -least).to_bits(), 0);
        assert_eq!(fma(f32::INFINITY, 0.0, 1.0).to_bits(), INVALID.to_bits());
        assert_eq!(fma(f32::from_bits(0x7f80_0001), 1.0, 1.0).to_bits(), 0x7fc0_0001);
        assert_eq!(add(f32::INFINITY, f32::NEG_INFINITY).to_bits(), INVALID.to_bits());
    }

    #[test]
    fn the_short_way_for_ordinary_numbers_has_the_same_bits() {
        let mut seed = 1u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 8
        };
        for _ in 0..200 {
            let mut half = || next() & 0x807f | (next() % 40 + 107) << 7;
            let mut tile = || -> [u32; N * N] { std::array::from_fn(|_| half() | half() << 16) };
            let (a, b) = (tile(), tile());
            assert!(is_ordinary(&a, &b));
            // One denormal, times zero, forces the long way.
            let (mut slow_a, mut slow_b) = (a, b);
            let (mut fast, mut slow) = ([0f32; N * SIDE], [0f32; N * SIDE]);
            slow_b[N * N - N..].fill(0);
            slow_a[N * N - 1] = 1;
            assert!(!is_ordinary(&slow_a, &slow_b));
            let (mut fast_a, fast_b) = (slow_a, slow_b);
            fast_a[N * N - 1] = 0;
            tdpbf16ps(&mut fast, 0, &fast_a, &fast_b);
            tdpbf16ps(&mut slow, 0, &slow_a, &slow_b);
            assert!(fast.iter().zip(&slow).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }
}
