//! SIMD primitives of the GEMMs, and run-time dispatch on the instruction set.
//!
//! Dispatch follows the crate pulp: an operation is a struct that implements [`WithSimd`]; [`InstructionSet::dispatch`]
//! monomorphises it for each instruction set, inside a function with the target features of that set; and
//! [`Simd::vectorize`] calls a part of it out of line with the same features. Code without intrinsics, inlined there,
//! is vectorized by the compiler.
#![allow(unsafe_code)]

mod isa;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use isa::InstructionSet;

/// A vector of 32-bit packed elements: each an f32, or a pair of bf16 with the first in the low half.
pub(crate) trait Simd: Copy {
    /// A vector register.
    type V: Copy;
    /// Elements of a vector.
    const LANES: usize;
    /// A register file of 32 vectors, else 16.
    const HAS_32_REGISTERS: bool;
    /// Rows of the largest forward tile of three vectors whose accumulators stay in registers.
    const TILE_ROWS: usize = if Self::HAS_32_REGISTERS { 8 } else { 4 };

    fn splat(self, value: f32) -> Self::V;
    /// Loads one element into every lane.
    ///
    /// # Safety
    /// The element can be read.
    unsafe fn broadcast(self, from: *const u32) -> Self::V;
    /// # Safety
    /// `LANES` elements can be read.
    unsafe fn load(self, from: *const u32) -> Self::V;
    /// Loads the first vector of a slice.
    #[inline(always)]
    fn read(self, from: &[f32]) -> Self::V {
        let from = &from[..Self::LANES];
        // SAFETY: the slice is a vector long.
        unsafe { self.load(from.as_ptr().cast()) }
    }
    /// Stores to the first vector of a slice.
    #[inline(always)]
    fn write(self, to: &mut [f32], v: Self::V) {
        let to = &mut to[..Self::LANES];
        // SAFETY: the slice is a vector long.
        unsafe { self.store(to.as_mut_ptr(), v) }
    }
    /// Loads the first `n` elements, 1 to `LANES`; zero in the other lanes.
    ///
    /// # Safety
    /// `n` elements can be read.
    unsafe fn partial_load(self, from: *const u32, n: usize) -> Self::V;
    /// # Safety
    /// `LANES` elements can be written.
    unsafe fn store(self, to: *mut f32, v: Self::V);
    /// Stores the first `n` elements, 1 to `LANES`.
    ///
    /// # Safety
    /// `n` elements can be written.
    unsafe fn partial_store(self, to: *mut f32, v: Self::V, n: usize);
    /// a b + c in f32, fused where the CPU can.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// c + a.0 b.0 + a.1 b.1 of bf16 pairs, in f32: AVX-512's `vdpbf16ps`.
    fn dot_bf16(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// 1 / sqrt(v) for v from 1e-35, within 3e-7 relative: several times as fast as exact division.
    fn rsqrt(self, v: Self::V) -> Self::V;
    /// 1 / v, within 3e-7 relative.
    fn recip(self, v: Self::V) -> Self::V;
    /// v, and zero for a denormal: an exponent of zero, |v| < `f32::MIN_POSITIVE`.
    fn flush_denormals(self, v: Self::V) -> Self::V;
    /// Adjacent values of `[a, b]` as bf16 pairs, rounded to nearest even: lane c = values 2c and 2c + 1.
    fn pack_bf16(self, a: Self::V, b: Self::V) -> Self::V;
    /// The values of a and b interleaved as bf16 pairs: lane c = a[c] and b[c].
    fn interleave_bf16(self, a: Self::V, b: Self::V) -> Self::V;
    /// One bit per lane, set where any bit of the element is.
    fn nonzero_mask(self, v: Self::V) -> u32;
    /// Writes `first + i` for each set bit i of the mask, and returns their number. `to` must have `LANES` elements.
    fn compress_indices(self, mask: u32, first: u16, to: &mut [u16]) -> usize;
    /// Prefetches the cache line of an address, which need not be valid.
    fn prefetch(self, at: *const u32);
    /// Transposes a `LANES x LANES` tile: `to[j][i] = from[i][j]`.
    ///
    /// # Safety
    /// `LANES` rows of `LANES` elements can be read and written at these leading dimensions.
    unsafe fn transpose(self, to: *mut u32, to_ld: usize, from: *const u32, from_ld: usize);
    /// Calls `work` out of line with the target features of this instruction set, so that its accumulators stay in
    /// registers.
    fn vectorize<W: WithSimd>(self, work: W) -> W::Output;
}

/// An operation that is monomorphised for each instruction set. `with_simd`, and all that it calls with `simd`, must be
/// `#[inline(always)]` to inherit the target features; only [`Simd::vectorize`] enables them again.
pub(crate) trait WithSimd {
    type Output;
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output;
}

/// The exponent of an f32; all zero in zeros and denormals.
const EXPONENT: u32 = 0x7f80_0000;

/// Arrays of 4 lanes, as SSE and NEON have.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Simd for Portable {
    type V = [f32; 4];
    const LANES: usize = 4;
    const HAS_32_REGISTERS: bool = false;

    #[inline(always)]
    fn splat(self, value: f32) -> [f32; 4] {
        [value; 4]
    }
    #[inline(always)]
    unsafe fn broadcast(self, from: *const u32) -> [f32; 4] {
        // SAFETY: the caller's promise.
        [f32::from_bits(unsafe { *from }); 4]
    }
    #[inline(always)]
    unsafe fn load(self, from: *const u32) -> [f32; 4] {
        // SAFETY: the caller's promise; every bit pattern is an f32.
        unsafe { from.cast::<[f32; 4]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn partial_load(self, from: *const u32, n: usize) -> [f32; 4] {
        // SAFETY: the caller's promise.
        std::array::from_fn(|i| if i < n { f32::from_bits(unsafe { *from.add(i) }) } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: [f32; 4]) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn partial_store(self, to: *mut f32, v: [f32; 4], n: usize) {
        for (i, v) in v.iter().enumerate().take(n) {
            // SAFETY: the caller's promise.
            unsafe { *to.add(i) = *v }
        }
    }
    #[inline(always)]
    fn mul_add(self, a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        // `mul_add` is a library call where the target has no FMA instruction.
        let fused = cfg!(any(target_feature = "fma", target_arch = "aarch64"));
        std::array::from_fn(|i| if fused { a[i].mul_add(b[i], c[i]) } else { a[i] * b[i] + c[i] })
    }
    #[inline(always)]
    fn dot_bf16(self, a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        let first = |v: [f32; 4]| v.map(|v| f32::from_bits(v.to_bits() << 16));
        let second = |v: [f32; 4]| v.map(|v| f32::from_bits(v.to_bits() & 0xffff_0000));
        self.mul_add(first(a), first(b), self.mul_add(second(a), second(b), c))
    }
    #[inline(always)]
    fn add(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    fn max(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn mul(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn rsqrt(self, v: [f32; 4]) -> [f32; 4] {
        v.map(|v| 1.0 / v.sqrt())
    }
    #[inline(always)]
    fn recip(self, v: [f32; 4]) -> [f32; 4] {
        v.map(|v| 1.0 / v)
    }
    #[inline(always)]
    fn flush_denormals(self, v: [f32; 4]) -> [f32; 4] {
        v.map(|v| if v.to_bits() & EXPONENT == 0 { 0.0 } else { v })
    }
    #[inline(always)]
    fn pack_bf16(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        [bf16_pair(a[0], a[1]), bf16_pair(a[2], a[3]), bf16_pair(b[0], b[1]), bf16_pair(b[2], b[3])]
    }
    #[inline(always)]
    fn interleave_bf16(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| bf16_pair(a[i], b[i]))
    }
    #[inline(always)]
    fn nonzero_mask(self, v: [f32; 4]) -> u32 {
        v.iter().enumerate().fold(0, |mask, (i, v)| mask | ((v.to_bits() != 0) as u32) << i)
    }
    #[inline(always)]
    fn compress_indices(self, mask: u32, first: u16, to: &mut [u16]) -> usize {
        compress_indices(mask, first, to)
    }
    #[inline(always)]
    fn prefetch(self, _: *const u32) {}
    #[inline(always)]
    unsafe fn transpose(self, to: *mut u32, to_ld: usize, from: *const u32, from_ld: usize) {
        for (i, j) in (0..16).map(|k| (k / 4, k % 4)) {
            // SAFETY: the caller's promise.
            unsafe { *to.add(j * to_ld + i) = *from.add(i * from_ld + j) }
        }
    }
    #[inline(never)]
    fn vectorize<W: WithSimd>(self, work: W) -> W::Output {
        work.with_simd(self)
    }
}

/// Two values as a bf16 pair, the first in the low half; rounds to nearest even.
#[inline(always)]
pub(crate) fn bf16_pair(first: f32, second: f32) -> f32 {
    let rounded = |v: f32| v.to_bits().wrapping_add(0x7fff + (v.to_bits() >> 16 & 1));
    f32::from_bits(rounded(first) >> 16 | rounded(second) & 0xffff_0000)
}

/// [`Simd::compress_indices`], bit by bit.
#[inline(always)]
fn compress_indices(mut mask: u32, first: u16, to: &mut [u16]) -> usize {
    let mut n = 0;
    while mask != 0 {
        to[n] = first + mask.trailing_zeros() as u16;
        mask &= mask - 1;
        n += 1;
    }
    n
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Check;

    impl WithSimd for Check {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let side = S::LANES;
            let from: Vec<u32> = (0..side as u32 * 20).map(|i| if i % 3 == 0 { 0 } else { i }).collect();
            let mut to = vec![0; side * 17];
            // SAFETY: the tile lies within both.
            unsafe { simd.transpose(to.as_mut_ptr(), 17, from.as_ptr(), 20) };
            for (i, j) in (0..side * side).map(|k| (k / side, k % side)) {
                assert_eq!(to[j * 17 + i], from[i * 20 + j], "{i} {j}");
            }
            for n in 1..=side {
                let mut out = vec![7.0; side];
                // SAFETY: both slices have n elements.
                let mask = unsafe {
                    let v = simd.partial_load(from[..n].as_ptr(), n);
                    simd.partial_store(out.as_mut_ptr(), v, n);
                    simd.nonzero_mask(v)
                };
                for i in 0..side {
                    let expected = if i < n { f32::from_bits(from[i]) } else { 7.0 };
                    assert_eq!(out[i].to_bits(), expected.to_bits());
                    assert_eq!(mask >> i & 1 == 1, i < n && from[i] != 0);
                }
                let mut list = [0; 16];
                let found = simd.compress_indices(mask, 100, &mut list);
                let expected: Vec<u16> = (0..n).filter(|i| from[*i] != 0).map(|i| 100 + i as u16).collect();
                assert_eq!(list[..found], expected);
            }
            let values: Vec<f32> = (0..2 * side).map(|i| (i as f32 - 5.3) * 0.123_456_7).collect();
            let of = |values: &[f32]| -> S::V {
                // SAFETY: the slice is a vector long.
                unsafe { simd.load(values[..side].as_ptr().cast()) }
            };
            let (a, b) = (of(&values), of(&values[side..]));
            let mut out = vec![0.0; side];
            let mut store = |v: S::V| {
                // SAFETY: the slice is a vector long.
                unsafe { simd.store(out.as_mut_ptr(), v) };
                out.clone()
            };
            for (c, pair) in store(simd.pack_bf16(a, b)).iter().enumerate() {
                assert_eq!(pair.to_bits(), bf16_pair(values[2 * c], values[2 * c + 1]).to_bits());
            }
            for (c, pair) in store(simd.interleave_bf16(a, b)).iter().enumerate() {
                assert_eq!(pair.to_bits(), bf16_pair(values[c], values[side + c]).to_bits());
            }
            for exponent in [-35, -20, -8, -3, 0, 5, 30] {
                let values: Vec<f32> = (0..side).map(|i| (1.0 + i as f32 * 0.37) * 10f32.powi(exponent)).collect();
                for (v, got) in values.iter().zip(store(simd.rsqrt(of(&values)))) {
                    assert!((got as f64 * (*v as f64).sqrt() - 1.0).abs() < 3e-7, "1 / sqrt({v}) = {got}");
                }
                for (v, got) in values.iter().zip(store(simd.recip(of(&values)))) {
                    assert!((got as f64 * *v as f64 - 1.0).abs() < 3e-7, "1 / {v} = {got}");
                }
            }
            let (a, b, c) = (simd.splat(bf16_pair(1.5, -2.0)), simd.splat(bf16_pair(4.0, 0.25)), simd.splat(10.0));
            let mut out = vec![0.0; side];
            // SAFETY: the slice is a vector long.
            unsafe { simd.store(out.as_mut_ptr(), simd.dot_bf16(a, b, c)) };
            assert_eq!(out, vec![15.5; side]);
        }
    }

    #[test]
    fn every_instruction_set_of_this_machine_computes_the_same() {
        InstructionSet::available().into_iter().for_each(|isa| isa.dispatch(Check));
    }
}
