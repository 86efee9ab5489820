//! Matrix products to the bit of a tensor core, with the fragments of the PTX ISA.
//!
//! A tensor core adds a few products and the accumulator in one step: it aligns all of them to the largest exponent, cuts
//! each to so many bits behind the point, adds exactly, and cuts the sum to f32, toward zero. The exponent of a product is
//! the sum of those of its factors, whatever its leading bit is. (Fasi et al. 2021, "Numerical behavior of NVIDIA tensor
//! cores"; tests/tensor_cores.rs has what GPUs computed.) What is of infinities and NaN is that of IEEE 754, and a sum
//! beyond the largest f32 is infinite; of these there are no records.
#![allow(clippy::needless_range_loop)] // a column is an index of several arrays

use crate::execute::scalar;
use crate::execute::warp::Lanes;
use std::ops::Range;

/// A generation of tensor cores.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum TensorCore {
    /// Ampere and Ada (8.x): 24 bits, of 8 products in bf16 and of 4 in tf32.
    Ampere,
    /// Hopper (9.0): 25 bits, of 16 products in bf16 and of 8 in tf32.
    #[default]
    Hopper,
}

/// Factors of up to 16 products: significands as integers with their signs, and exponents.
#[derive(Clone, Copy)]
struct Factors<const N: usize> {
    significands: [[i32; N]; 16],
    exponents: [[i32; N]; 16],
    finite: bool,
}

/// The exponent of a zero: below that of every product, with any other factor.
const ZERO: i32 = -600;

impl<const N: usize> Factors<N> {
    #[inline(always)]
    fn new() -> Factors<N> {
        Factors { significands: [[0; N]; 16], exponents: [[ZERO; N]; 16], finite: true }
    }
    /// Sets a factor from the bits of an f32, of whose significand the upper `bits` count.
    #[inline(always)]
    fn set(&mut self, row: usize, column: usize, value: u32, bits: u32) {
        let (significand, exponent, finite) = split(value);
        self.significands[row][column] = significand / (1 << (24 - bits)); // the rest is zero
        self.exponents[row][column] = exponent;
        self.finite &= finite;
    }
}

/// The significand of 24 bits with its sign, the exponent, and whether the value is finite.
#[inline(always)]
fn split(value: u32) -> (i32, i32, bool) {
    let (biased, fraction) = (value >> 23 & 0xff, value & 0x7f_ffff);
    let significand = (fraction | u32::from(biased != 0) << 23) as i32;
    let exponent = if significand == 0 { ZERO } else { biased.max(1) as i32 - 127 };
    (if value >> 31 == 1 { -significand } else { significand }, exponent, biased != 0xff)
}

impl TensorCore {
    /// `mma.m16n8k16` of bf16 pairs, or `mma.m16n8k8` of tf32: d = a · b + c.
    #[inline(always)]
    pub(crate) fn multiply(
        self,
        bf16: bool,
        a: &[Lanes<u32>; 4],
        b: &[Lanes<u32>; 2],
        c: &[Lanes<u32>; 4],
    ) -> [Lanes<u32>; 4] {
        // Generic over constants, so that the loops are vectors.
        match (self, bf16) {
            (TensorCore::Ampere, false) => product::<24, 11, 8, 4>(a, b, c),
            (TensorCore::Ampere, true) => product::<24, 8, 16, 8>(a, b, c),
            (TensorCore::Hopper, false) => product::<25, 11, 8, 8>(a, b, c),
            (TensorCore::Hopper, true) => product::<25, 8, 16, 16>(a, b, c),
        }
    }
}

/// d = a · b + c with `POINT` bits behind the point, of factors with `BITS` bits, over `DEPTH` products, of which
/// `TOGETHER` make a step.
#[inline(always)]
fn product<const POINT: u32, const BITS: u32, const DEPTH: usize, const TOGETHER: usize>(
    a: &[Lanes<u32>; 4],
    b: &[Lanes<u32>; 2],
    c: &[Lanes<u32>; 4],
) -> [Lanes<u32>; 4] {
    // By k: rows of a, and columns of b.
    let (mut fa, mut fb) = (Factors::<16>::new(), Factors::<8>::new());
    for lane in 0..32 {
        let (group, place) = (lane / 4, lane % 4);
        for (e, a) in a.iter().enumerate() {
            set::<BITS, 16>(&mut fa, group + e % 2 * 8, (place, e / 2), a.0[lane]);
        }
        for (k, b) in b.iter().enumerate() {
            set::<BITS, 8>(&mut fb, group, (place, k), b.0[lane]);
        }
    }
    let mut d = *c;
    for row in 0..16 {
        // Element e of a lane is at row lane / 4 (+ 8), column lane % 4 · 2 (+ 1).
        let at = |column: usize| (row / 8 * 2 + column % 2, row % 8 * 4 + column / 2);
        let mut sums = [0; 8];
        for (column, sum) in sums.iter_mut().enumerate() {
            *sum = c[at(column).0].0[at(column).1];
        }
        for first in (0..DEPTH).step_by(TOGETHER) {
            add_products::<POINT, BITS>(first..first + TOGETHER, &fa, row, &fb, &mut sums);
        }
        for (column, sum) in sums.into_iter().enumerate() {
            d[at(column).0].0[at(column).1] = sum;
        }
    }
    d
}

/// Adds these products of a row of a and eight columns of b to c.
#[inline(always)]
fn add_products<const POINT: u32, const BITS: u32>(
    products: Range<usize>,
    a: &Factors<16>,
    row: usize,
    b: &Factors<8>,
    c: &mut [u32; 8],
) {
    let (mut significands, mut exponents, mut finite) = ([0; 8], [0; 8], a.finite && b.finite);
    for j in 0..8 {
        let (significand, exponent, is_finite) = split(c[j]);
        (significands[j], exponents[j]) = (significand, exponent);
        finite &= is_finite;
    }
    let mut top = exponents;
    for k in products.clone() {
        for j in 0..8 {
            top[j] = top[j].max(a.exponents[k][row] + b.exponents[k][j]);
        }
    }
    // The point of c is behind 23 bits, that of a product behind 2 (BITS - 1).
    let mut sums = [0i64; 8];
    for j in 0..8 {
        sums[j] = i64::from(align(significands[j], POINT - 23, top[j] - exponents[j]));
    }
    for k in products.clone() {
        let mut aligned = [0; 8];
        for j in 0..8 {
            let down = top[j] - a.exponents[k][row] - b.exponents[k][j];
            aligned[j] = align(a.significands[k][row] * b.significands[k][j], POINT - 2 * (BITS - 1), down);
        }
        for j in 0..8 {
            sums[j] += i64::from(aligned[j]);
        }
    }
    let before = *c;
    for j in 0..8 {
        c[j] = cut(sums[j], top[j] - POINT as i32);
    }
    if !finite {
        not_finite::<BITS>(products, a, row, b, &before, c);
    }
}

/// Sets the sums that infinities and NaN make infinite or NaN.
#[cold]
fn not_finite<const BITS: u32>(
    products: Range<usize>,
    a: &Factors<16>,
    row: usize,
    b: &Factors<8>,
    before: &[u32; 8],
    c: &mut [u32; 8],
) {
    for j in 0..8 {
        let all = products.clone().map(|k| factor::<BITS, 16>(a, k, row) * factor::<BITS, 8>(b, k, j));
        let sum = f64::from(f32::from_bits(before[j])) + all.sum::<f64>();
        if !sum.is_finite() {
            c[j] = if sum.is_nan() { scalar::NAN } else { (sum as f32).to_bits() };
        }
    }
}

/// Sets what a register of a fragment holds: register k of a lane at this place of its group of four.
#[inline(always)]
fn set<const BITS: u32, const N: usize>(factors: &mut Factors<N>, row: usize, (place, k): (usize, usize), value: u32) {
    if BITS == 8 {
        factors.set(k * 8 + place * 2, row, value << 16, BITS);
        factors.set(k * 8 + place * 2 + 1, row, value & 0xffff_0000, BITS);
    } else {
        factors.set(k * 4 + place, row, value & !0x1fff, BITS);
    }
}

/// A significand with so many more bits behind the point, cut after it has been moved down.
#[inline(always)]
fn align(significand: i32, more: u32, down: i32) -> i32 {
    // Without a branch: x ^ -1 - -1 is -x.
    let sign = significand >> 31;
    let size = ((significand ^ sign) - sign) as u32;
    ((size << more >> (down.min(31) as u32)) as i32 ^ sign) - sign
}

/// sum · 2^exponent as f32, toward zero.
#[inline(always)]
fn cut(sum: i64, exponent: i32) -> u32 {
    // Exact in f64, of whose significand 29 bits are more than an f32 has.
    let scale = f64::from_bits(((exponent + 1023) as u64) << 52);
    let value = f64::from_bits((sum as f64).to_bits() & !0x1fff_ffff) * scale;
    if value.abs() < f64::from(f32::MIN_POSITIVE) {
        let least = f64::from(f32::from_bits(1));
        return (((value / least).trunc() * least) as f32).to_bits();
    }
    (value as f32).to_bits()
}

/// A factor as a number: infinite or NaN as it was.
fn factor<const BITS: u32, const N: usize>(factors: &Factors<N>, k: usize, row: usize) -> f64 {
    let (significand, exponent) = (factors.significands[k][row], factors.exponents[k][row]);
    let unit = 1 << (BITS - 1);
    match exponent {
        128 if significand.abs() == unit => f64::INFINITY * f64::from(significand),
        128 => f64::NAN,
        ZERO => 0.0,
        _ => f64::from(significand) / f64::from(unit) * f64::from(exponent).exp2(),
    }
}
