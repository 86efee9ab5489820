//! The vector instructions of a CPU behind one small set of primitives, chosen when a backend opens.
//!
//! What products need is here; the rest of the engine is plain loops, which the compiler turns into vectors, since
//! [`Level::run`] compiles its work once for each level.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod x86;

use crate::{Error, Result};

/// Vectors of 32-bit cells: each an f32, or a pair of bf16 with the first in the low half.
pub(super) trait Simd: Copy {
    /// A register.
    type V: Copy;
    /// Cells in it.
    const LANES: usize;
    /// Whether there are 32 of them, and not 16.
    const MANY: bool;
    /// Activations of a tile of three vectors, whose sums then stay in registers.
    const ROWS: usize = if Self::MANY { 8 } else { 4 };

    fn splat(self, value: f32) -> Self::V;
    /// # Safety
    /// The cell can be read.
    unsafe fn splat_cell(self, from: *const u32) -> Self::V;
    /// # Safety
    /// `LANES` cells can be read.
    unsafe fn load(self, from: *const u32) -> Self::V;
    /// The first vector of a slice.
    #[inline(always)]
    fn read(self, from: &[f32]) -> Self::V {
        let from = &from[..Self::LANES];
        // SAFETY: the slice is a vector long.
        unsafe { self.load(from.as_ptr().cast()) }
    }
    /// Writes the first vector of a slice.
    #[inline(always)]
    fn write(self, to: &mut [f32], v: Self::V) {
        let to = &mut to[..Self::LANES];
        // SAFETY: the slice is a vector long.
        unsafe { self.store(to.as_mut_ptr(), v) }
    }
    /// The first `n` cells, 1 to `LANES`, and zeros.
    ///
    /// # Safety
    /// They can be read.
    unsafe fn load_part(self, from: *const u32, n: usize) -> Self::V;
    /// # Safety
    /// `LANES` cells can be written.
    unsafe fn store(self, to: *mut f32, v: Self::V);
    /// The first `n` cells, 1 to `LANES`.
    ///
    /// # Safety
    /// They can be written.
    unsafe fn store_part(self, to: *mut f32, v: Self::V, n: usize);
    /// a b + c of floats, rounded once where the CPU can.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// a b + c of pairs of bf16: both products are added to the float c.
    fn mul_add_pairs(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// 1 / sqrt(v) for v from 1e-35, and 1 / v, within 3e-7 relative: several times as fast as the exact ones.
    fn inverse_root(self, v: Self::V) -> Self::V;
    fn inverse(self, v: Self::V) -> Self::V;
    /// Pairs of bf16: values 2c and 2c + 1 of a and then b in cell c. Ties go to even.
    fn pair_along(self, a: Self::V, b: Self::V) -> Self::V;
    /// Pairs of bf16: value c of a, and that of b, in cell c.
    fn pair_across(self, a: Self::V, b: Self::V) -> Self::V;
    /// One bit for each cell that is not all zero bits.
    fn nonzero(self, v: Self::V) -> u32;
    /// Appends `first + i` for each bit i of the mask; gives how many. Room is needed for a whole vector.
    fn append(self, mask: u32, first: u16, to: &mut [u16]) -> usize;
    /// Asks for the cache line at this address, which need not be one.
    fn prefetch(self, at: *const u32);
    /// A square of `LANES` by `LANES` cells, turned: `to[j][i] = from[i][j]`.
    ///
    /// # Safety
    /// `LANES` rows of `LANES` cells can be read and written at these distances.
    unsafe fn turn(self, to: *mut u32, to_ld: usize, from: *const u32, from_ld: usize);
    /// Does the work in a function of its own, which has all registers to itself.
    fn apart<W: Work>(self, work: W) -> W::Output;
}

/// What is compiled for each level. `with` must be `#[inline(always)]`, and so must all that it calls with `simd`, but for
/// [`Simd::apart`], which compiles its work for the level again.
pub(super) trait Work {
    type Output;
    fn with<S: Simd>(self, simd: S) -> Self::Output;
}

/// The vector instructions of this CPU that the engine uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Level(Set);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Set {
    /// No more than the compiler takes for granted.
    Portable,
    /// AVX2 and FMA: 8 lanes.
    Avx2,
    /// AVX-512 F, BW, DQ and VL: 16 lanes.
    Avx512,
    /// These, and dot products of bf16.
    Avx512Bf16,
}

impl Level {
    /// The levels that this CPU has, the best last.
    pub fn available() -> Vec<Level> {
        #[allow(unused_mut)]
        let mut sets = vec![Set::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            let bf16 = avx512 && is_x86_feature_detected!("avx512bf16");
            let found = [(avx2, Set::Avx2), (avx512, Set::Avx512), (bf16, Set::Avx512Bf16)];
            sets.extend(found.into_iter().filter(|(there, _)| *there).map(|(_, set)| set));
        }
        sets.into_iter().map(Level).collect()
    }

    /// The best that this CPU has, or what `VAE_CPU` asks for: `avx512`, `avx2` or `portable`.
    ///
    /// # Errors
    /// Another value of `VAE_CPU`, or one that this CPU has not.
    pub fn chosen() -> Result<Level> {
        let available = Level::available();
        let Some(asked) = std::env::var_os("VAE_CPU").filter(|v| !v.is_empty()) else {
            return Ok(*available.last().expect("the portable level is everywhere"));
        };
        available.iter().rev().find(|level| asked == *level.name()).copied().ok_or_else(|| {
            let mut here: Vec<&str> = available.iter().map(|level| level.name()).collect();
            here.dedup();
            Error::InstructionSet { asked: asked.display().to_string(), available: here.join(", ") }
        })
    }

    /// What `VAE_CPU` calls it.
    pub fn name(self) -> &'static str {
        match self.0 {
            Set::Portable => "portable",
            Set::Avx2 => "avx2",
            Set::Avx512 | Set::Avx512Bf16 => "avx512",
        }
    }

    /// Whether products of bf16 have an instruction of their own; else they are slower than those of f32.
    pub fn has_bf16(self) -> bool {
        self.0 == Set::Avx512Bf16
    }

    /// Cells of a vector.
    pub(crate) fn lanes(self) -> usize {
        match self.0 {
            Set::Portable => Portable::LANES,
            Set::Avx2 => 8,
            Set::Avx512 | Set::Avx512Bf16 => 16,
        }
    }

    /// Does the work with the instructions of this level.
    pub(super) fn run<W: Work>(self, work: W) -> W::Output {
        match self.0 {
            Set::Portable => work.with(Portable),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a level is made by `available` alone, which asked the CPU.
            set => unsafe {
                match set {
                    Set::Avx2 => x86::avx2(work),
                    Set::Avx512 => x86::avx512(work),
                    _ => x86::avx512_bf16(work),
                }
            },
            #[cfg(not(target_arch = "x86_64"))]
            set => unreachable!("{set:?} is of another architecture"),
        }
    }
}

/// Arrays of as many lanes as the smallest vectors have.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Simd for Portable {
    type V = [f32; 4];
    const LANES: usize = 4;
    const MANY: bool = false;

    #[inline(always)]
    fn splat(self, value: f32) -> [f32; 4] {
        [value; 4]
    }
    #[inline(always)]
    unsafe fn splat_cell(self, from: *const u32) -> [f32; 4] {
        // SAFETY: the caller's promise.
        [f32::from_bits(unsafe { *from }); 4]
    }
    #[inline(always)]
    unsafe fn load(self, from: *const u32) -> [f32; 4] {
        // SAFETY: the caller's promise; any bits are a float.
        unsafe { from.cast::<[f32; 4]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn load_part(self, from: *const u32, n: usize) -> [f32; 4] {
        // SAFETY: the caller's promise.
        std::array::from_fn(|i| if i < n { f32::from_bits(unsafe { *from.add(i) }) } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: [f32; 4]) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn store_part(self, to: *mut f32, v: [f32; 4], n: usize) {
        for (i, v) in v.iter().enumerate().take(n) {
            // SAFETY: the caller's promise.
            unsafe { *to.add(i) = *v }
        }
    }
    #[inline(always)]
    fn mul_add(self, a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        // Where the compiler may not take the fused instruction for granted, it would call a function for each.
        let fused = cfg!(any(target_feature = "fma", target_arch = "aarch64"));
        std::array::from_fn(|i| if fused { a[i].mul_add(b[i], c[i]) } else { a[i] * b[i] + c[i] })
    }
    #[inline(always)]
    fn mul_add_pairs(self, a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        let first = |v: [f32; 4]| v.map(|v| f32::from_bits(v.to_bits() << 16));
        let second = |v: [f32; 4]| v.map(|v| f32::from_bits(v.to_bits() & 0xffff_0000));
        self.mul_add(first(a), first(b), self.mul_add(second(a), second(b), c))
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
    fn inverse_root(self, v: [f32; 4]) -> [f32; 4] {
        v.map(|v| 1.0 / v.sqrt())
    }
    #[inline(always)]
    fn inverse(self, v: [f32; 4]) -> [f32; 4] {
        v.map(|v| 1.0 / v)
    }
    #[inline(always)]
    fn pair_along(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        [pair(a[0], a[1]), pair(a[2], a[3]), pair(b[0], b[1]), pair(b[2], b[3])]
    }
    #[inline(always)]
    fn pair_across(self, a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        std::array::from_fn(|i| pair(a[i], b[i]))
    }
    #[inline(always)]
    fn nonzero(self, v: [f32; 4]) -> u32 {
        v.iter().enumerate().fold(0, |mask, (i, v)| mask | ((v.to_bits() != 0) as u32) << i)
    }
    #[inline(always)]
    fn append(self, mask: u32, first: u16, to: &mut [u16]) -> usize {
        append(mask, first, to)
    }
    #[inline(always)]
    fn prefetch(self, _: *const u32) {}
    #[inline(always)]
    unsafe fn turn(self, to: *mut u32, to_ld: usize, from: *const u32, from_ld: usize) {
        for (i, j) in (0..16).map(|k| (k / 4, k % 4)) {
            // SAFETY: the caller's promise.
            unsafe { *to.add(j * to_ld + i) = *from.add(i * from_ld + j) }
        }
    }
    #[inline(never)]
    fn apart<W: Work>(self, work: W) -> W::Output {
        work.with(self)
    }
}

/// The two nearest bf16, the first in the low half; ties to even.
#[inline(always)]
pub(super) fn pair(first: f32, second: f32) -> f32 {
    let rounded = |v: f32| v.to_bits().wrapping_add(0x7fff + (v.to_bits() >> 16 & 1));
    f32::from_bits(rounded(first) >> 16 | rounded(second) & 0xffff_0000)
}

/// [`Simd::append`], bit by bit.
#[inline(always)]
fn append(mut mask: u32, first: u16, to: &mut [u16]) -> usize {
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

    impl Work for Check {
        type Output = ();

        #[inline(always)]
        fn with<S: Simd>(self, simd: S) {
            let side = S::LANES;
            let from: Vec<u32> = (0..side as u32 * 20).map(|i| if i % 3 == 0 { 0 } else { i }).collect();
            let mut to = vec![0; side * 17];
            // SAFETY: the squares lie within both.
            unsafe { simd.turn(to.as_mut_ptr(), 17, from.as_ptr(), 20) };
            for (i, j) in (0..side * side).map(|k| (k / side, k % side)) {
                assert_eq!(to[j * 17 + i], from[i * 20 + j], "{i} {j}");
            }
            for n in 1..=side {
                let mut out = vec![7.0; side];
                // SAFETY: n lanes are there.
                let mask = unsafe {
                    let v = simd.load_part(from[..n].as_ptr(), n);
                    simd.store_part(out.as_mut_ptr(), v, n);
                    simd.nonzero(v)
                };
                for i in 0..side {
                    let expected = if i < n { f32::from_bits(from[i]) } else { 7.0 };
                    assert_eq!(out[i].to_bits(), expected.to_bits());
                    assert_eq!(mask >> i & 1 == 1, i < n && from[i] != 0);
                }
                let mut list = [0; 16];
                let found = simd.append(mask, 100, &mut list);
                let expected: Vec<u16> = (0..n).filter(|i| from[*i] != 0).map(|i| 100 + i as u16).collect();
                assert_eq!(list[..found], expected);
            }
            let values: Vec<f32> = (0..2 * side).map(|i| (i as f32 - 5.3) * 0.123_456_7).collect();
            let of = |values: &[f32]| -> S::V {
                // SAFETY: a whole vector is there.
                unsafe { simd.load(values[..side].as_ptr().cast()) }
            };
            let (a, b) = (of(&values), of(&values[side..]));
            let mut out = vec![0.0; side];
            let mut store = |v: S::V| {
                // SAFETY: a whole vector is there.
                unsafe { simd.store(out.as_mut_ptr(), v) };
                out.clone()
            };
            for (c, cell) in store(simd.pair_along(a, b)).iter().enumerate() {
                assert_eq!(cell.to_bits(), pair(values[2 * c], values[2 * c + 1]).to_bits());
            }
            for (c, cell) in store(simd.pair_across(a, b)).iter().enumerate() {
                assert_eq!(cell.to_bits(), pair(values[c], values[side + c]).to_bits());
            }
            for exponent in [-35, -20, -8, -3, 0, 5, 30] {
                let values: Vec<f32> = (0..side).map(|i| (1.0 + i as f32 * 0.37) * 10f32.powi(exponent)).collect();
                for (v, got) in values.iter().zip(store(simd.inverse_root(of(&values)))) {
                    assert!((got as f64 * (*v as f64).sqrt() - 1.0).abs() < 3e-7, "1 / sqrt({v}) = {got}");
                }
                for (v, got) in values.iter().zip(store(simd.inverse(of(&values)))) {
                    assert!((got as f64 * *v as f64 - 1.0).abs() < 3e-7, "1 / {v} = {got}");
                }
            }
            let (a, b, c) = (simd.splat(pair(1.5, -2.0)), simd.splat(pair(4.0, 0.25)), simd.splat(10.0));
            let mut out = vec![0.0; side];
            // SAFETY: a whole vector is there.
            unsafe { simd.store(out.as_mut_ptr(), simd.mul_add_pairs(a, b, c)) };
            assert_eq!(out, vec![15.5; side]);
        }
    }

    #[test]
    fn every_level_of_this_machine_does_the_same() {
        Level::available().into_iter().for_each(|level| level.run(Check));
    }
}
