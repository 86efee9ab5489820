//! AVX2 and AVX-512.
#![allow(unsafe_code)]

use super::{EXPONENT, Simd, WithSimd};
use std::arch::x86_64::*;

/// # Safety
/// The CPU has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
#[inline(never)] // inlined next to other tiles, its accumulators would spill
pub(crate) unsafe fn avx2<W: WithSimd>(work: W) -> W::Output {
    work.with_simd(Avx2)
}
/// # Safety
/// The CPU has these features.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
#[inline(never)]
pub(crate) unsafe fn avx512<W: WithSimd>(work: W) -> W::Output {
    work.with_simd(Avx512::<false>)
}
/// # Safety
/// The CPU has these features.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
#[inline(never)]
pub(crate) unsafe fn avx512_bf16<W: WithSimd>(work: W) -> W::Output {
    work.with_simd(Avx512::<true>)
}

/// Constructed by [`avx2`] only, so the CPU has AVX2 and FMA: the SAFETY reason of each intrinsic below. Pointers are
/// the caller's promise.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

/// A mask of the first n lanes.
#[inline(always)]
fn mask8(n: usize) -> __m256i {
    // SAFETY: see Avx2.
    unsafe {
        let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), lanes)
    }
}

#[allow(clippy::undocumented_unsafe_blocks)] // see the type, Avx2
impl Simd for Avx2 {
    type V = __m256;
    const LANES: usize = 8;
    const HAS_32_REGISTERS: bool = false;

    #[inline(always)]
    fn splat(self, value: f32) -> __m256 {
        unsafe { _mm256_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn broadcast(self, from: *const u32) -> __m256 {
        unsafe { _mm256_set1_ps(f32::from_bits(*from)) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const u32) -> __m256 {
        unsafe { _mm256_loadu_ps(from.cast()) }
    }
    #[inline(always)]
    unsafe fn partial_load(self, from: *const u32, n: usize) -> __m256 {
        unsafe { _mm256_maskload_ps(from.cast(), mask8(n)) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: __m256) {
        unsafe { _mm256_storeu_ps(to, v) }
    }
    #[inline(always)]
    unsafe fn partial_store(self, to: *mut f32, v: __m256, n: usize) {
        unsafe { _mm256_maskstore_ps(to, mask8(n), v) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn dot_bf16(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        unsafe {
            let high = _mm256_castsi256_ps(_mm256_set1_epi32(0xffff_0000_u32 as i32));
            let first = |v| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_castps_si256(v)));
            let second = |v| _mm256_and_ps(v, high);
            _mm256_fmadd_ps(first(a), first(b), _mm256_fmadd_ps(second(a), second(b), c))
        }
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn rsqrt(self, v: __m256) -> __m256 {
        // An approximation to 12 bits, refined by one Newton step.
        unsafe {
            let r = _mm256_rsqrt_ps(v);
            let error = _mm256_fnmadd_ps(_mm256_mul_ps(v, r), r, _mm256_set1_ps(1.0));
            _mm256_fmadd_ps(_mm256_mul_ps(_mm256_set1_ps(0.5), r), error, r)
        }
    }
    #[inline(always)]
    fn recip(self, v: __m256) -> __m256 {
        unsafe {
            let r = _mm256_rcp_ps(v);
            _mm256_fmadd_ps(r, _mm256_fnmadd_ps(v, r, _mm256_set1_ps(1.0)), r)
        }
    }
    #[inline(always)]
    fn flush_denormals(self, v: __m256) -> __m256 {
        unsafe {
            let exponent = _mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(EXPONENT as i32));
            let denormal = _mm256_cmpeq_epi32(exponent, _mm256_setzero_si256());
            _mm256_andnot_ps(_mm256_castsi256_ps(denormal), v)
        }
    }
    #[inline(always)]
    fn pack_bf16(self, a: __m256, b: __m256) -> __m256 {
        unsafe {
            // Even and odd values within each 128-bit half, then the 64-bit quarters in order.
            let even = _mm256_shuffle_ps::<0b10_00_10_00>(a, b);
            let odd = _mm256_shuffle_ps::<0b11_01_11_01>(a, b);
            let pairs = _mm256_castps_pd(self.interleave_bf16(even, odd));
            _mm256_castpd_ps(_mm256_permute4x64_pd::<0b11_01_10_00>(pairs))
        }
    }
    #[inline(always)]
    fn interleave_bf16(self, a: __m256, b: __m256) -> __m256 {
        unsafe {
            let rounded = |v| {
                let v = _mm256_castps_si256(v);
                let tie = _mm256_and_si256(_mm256_srli_epi32::<16>(v), _mm256_set1_epi32(1));
                _mm256_add_epi32(v, _mm256_add_epi32(tie, _mm256_set1_epi32(0x7fff)))
            };
            let first = _mm256_srli_epi32::<16>(rounded(a));
            _mm256_castsi256_ps(_mm256_blend_epi16::<0b1010_1010>(first, rounded(b)))
        }
    }
    #[inline(always)]
    fn nonzero_mask(self, v: __m256) -> u32 {
        unsafe {
            let zero = _mm256_cmpeq_epi32(_mm256_castps_si256(v), _mm256_setzero_si256());
            !_mm256_movemask_ps(_mm256_castsi256_ps(zero)) as u32 & 0xff
        }
    }
    #[inline(always)]
    fn compress_indices(self, mask: u32, first: u16, to: &mut [u16]) -> usize {
        super::compress_indices(mask, first, to)
    }
    #[inline(always)]
    fn prefetch(self, at: *const u32) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
    #[inline(always)]
    unsafe fn transpose(self, to: *mut u32, to_ld: usize, from: *const u32, from_ld: usize) {
        unsafe {
            let row = |i: usize| _mm256_loadu_ps(from.add(i * from_ld).cast());
            let r: [__m256; 8] = std::array::from_fn(row);
            // Interleave pairs of rows, then groups of four, then swap 128-bit halves.
            let t: [__m256; 8] = std::array::from_fn(|i| match i % 2 {
                0 => _mm256_unpacklo_ps(r[i], r[i + 1]),
                _ => _mm256_unpackhi_ps(r[i - 1], r[i]),
            });
            let fours = |a: __m256, b: __m256| {
                let (a, b) = (_mm256_castps_pd(a), _mm256_castps_pd(b));
                [_mm256_castpd_ps(_mm256_unpacklo_pd(a, b)), _mm256_castpd_ps(_mm256_unpackhi_pd(a, b))]
            };
            let [a, b] = fours(t[0], t[2]);
            let [c, d] = fours(t[1], t[3]);
            let [e, f] = fours(t[4], t[6]);
            let [g, h] = fours(t[5], t[7]);
            for (j, (low, high)) in [(a, e), (b, f), (c, g), (d, h)].into_iter().enumerate() {
                _mm256_storeu_ps(to.add(j * to_ld).cast(), _mm256_permute2f128_ps::<0x20>(low, high));
                _mm256_storeu_ps(to.add((j + 4) * to_ld).cast(), _mm256_permute2f128_ps::<0x31>(low, high));
            }
        }
    }
    #[inline(always)]
    fn vectorize<W: WithSimd>(self, work: W) -> W::Output {
        unsafe { avx2(work) }
    }
}

/// Constructed by [`avx512`] and [`avx512_bf16`] only; as [`Avx2`].
#[derive(Clone, Copy)]
pub(crate) struct Avx512<const BF16: bool>;

/// A mask of the first n lanes.
#[inline(always)]
fn mask16(n: usize) -> __mmask16 {
    (0xffff_u32 >> (16 - n as u32)) as __mmask16
}

#[allow(clippy::undocumented_unsafe_blocks)] // see the type, Avx512
impl<const BF16: bool> Simd for Avx512<BF16> {
    type V = __m512;
    const LANES: usize = 16;
    const HAS_32_REGISTERS: bool = true;

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn broadcast(self, from: *const u32) -> __m512 {
        unsafe { _mm512_set1_ps(f32::from_bits(*from)) }
    }
    #[inline(always)]
    unsafe fn load(self, from: *const u32) -> __m512 {
        unsafe { _mm512_loadu_ps(from.cast()) }
    }
    #[inline(always)]
    unsafe fn partial_load(self, from: *const u32, n: usize) -> __m512 {
        unsafe { _mm512_maskz_loadu_ps(mask16(n), from.cast()) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32, v: __m512) {
        unsafe { _mm512_storeu_ps(to, v) }
    }
    #[inline(always)]
    unsafe fn partial_store(self, to: *mut f32, v: __m512, n: usize) {
        unsafe { _mm512_mask_storeu_ps(to, mask16(n), v) }
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    fn dot_bf16(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe {
            if BF16 {
                let pairs = |v| std::mem::transmute::<__m512, __m512bh>(v);
                return _mm512_dpbf16_ps(c, pairs(a), pairs(b));
            }
            let first = |v| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_castps_si512(v)));
            let high = _mm512_set1_epi32(0xffff_0000_u32 as i32);
            let second = |v| _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(v), high));
            _mm512_fmadd_ps(first(a), first(b), _mm512_fmadd_ps(second(a), second(b), c))
        }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn rsqrt(self, v: __m512) -> __m512 {
        // An approximation to 14 bits, refined by one Newton step.
        unsafe {
            let r = _mm512_rsqrt14_ps(v);
            let error = _mm512_fnmadd_ps(_mm512_mul_ps(v, r), r, _mm512_set1_ps(1.0));
            _mm512_fmadd_ps(_mm512_mul_ps(_mm512_set1_ps(0.5), r), error, r)
        }
    }
    #[inline(always)]
    fn recip(self, v: __m512) -> __m512 {
        unsafe {
            let r = _mm512_rcp14_ps(v);
            _mm512_fmadd_ps(r, _mm512_fnmadd_ps(v, r, _mm512_set1_ps(1.0)), r)
        }
    }
    #[inline(always)]
    fn flush_denormals(self, v: __m512) -> __m512 {
        unsafe {
            let normal = _mm512_test_epi32_mask(_mm512_castps_si512(v), _mm512_set1_epi32(EXPONENT as i32));
            _mm512_maskz_mov_ps(normal, v)
        }
    }
    #[inline(always)]
    fn pack_bf16(self, a: __m512, b: __m512) -> __m512 {
        unsafe {
            if BF16 {
                return std::mem::transmute::<__m512bh, __m512>(_mm512_cvtne2ps_pbh(b, a));
            }
            let at = |odd: i32| {
                let two = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
                _mm512_permutex2var_ps(a, _mm512_add_epi32(two, _mm512_set1_epi32(odd)), b)
            };
            self.interleave_bf16(at(0), at(1))
        }
    }
    #[inline(always)]
    fn interleave_bf16(self, a: __m512, b: __m512) -> __m512 {
        unsafe {
            let rounded = |v| {
                let v = _mm512_castps_si512(v);
                let tie = _mm512_and_si512(_mm512_srli_epi32::<16>(v), _mm512_set1_epi32(1));
                _mm512_add_epi32(v, _mm512_add_epi32(tie, _mm512_set1_epi32(0x7fff)))
            };
            let first = _mm512_srli_epi32::<16>(rounded(a));
            _mm512_castsi512_ps(_mm512_mask_blend_epi16(0xaaaa_aaaa, first, rounded(b)))
        }
    }
    #[inline(always)]
    fn nonzero_mask(self, v: __m512) -> u32 {
        unsafe {
            let v = _mm512_castps_si512(v);
            _mm512_test_epi32_mask(v, v) as u32
        }
    }
    #[inline(always)]
    fn compress_indices(self, mask: u32, first: u16, to: &mut [u16]) -> usize {
        let to = &mut to[..16];
        unsafe {
            let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let at = _mm512_add_epi32(lanes, _mm512_set1_epi32(first as i32));
            let packed = _mm512_maskz_compress_epi32(mask as __mmask16, at);
            _mm256_storeu_si256(to.as_mut_ptr().cast(), _mm512_cvtepi32_epi16(packed));
        }
        (mask & 0xffff).count_ones() as usize
    }
    #[inline(always)]
    fn prefetch(self, at: *const u32) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
    }
    #[inline(always)]
    unsafe fn transpose(self, to: *mut u32, to_ld: usize, from: *const u32, from_ld: usize) {
        unsafe {
            let mut r = [_mm512_setzero_ps(); 16];
            for (i, r) in r.iter_mut().enumerate() {
                *r = _mm512_loadu_ps(from.add(i * from_ld).cast());
            }
            // Interleave pairs of rows, then groups of four, within 128-bit quarters; then permute the quarters.
            let mut t = r;
            for i in 0..8 {
                t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
                t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
            }
            let mut f = t;
            for i in 0..4 {
                for half in 0..2 {
                    let (a, b) = (_mm512_castps_pd(t[4 * i + half]), _mm512_castps_pd(t[4 * i + 2 + half]));
                    f[4 * i + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
                    f[4 * i + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
                }
            }
            for j in 0..4 {
                let even = |a, b| _mm512_shuffle_f32x4::<0x88>(a, b);
                let odd = |a, b| _mm512_shuffle_f32x4::<0xdd>(a, b);
                let (a, b) = (even(f[j], f[4 + j]), even(f[8 + j], f[12 + j]));
                let (c, d) = (odd(f[j], f[4 + j]), odd(f[8 + j], f[12 + j]));
                for (row, v) in [(j, even(a, b)), (j + 8, odd(a, b)), (j + 4, even(c, d)), (j + 12, odd(c, d))] {
                    _mm512_storeu_ps(to.add(row * to_ld).cast(), v);
                }
            }
        }
    }
    #[inline(always)]
    fn vectorize<W: WithSimd>(self, work: W) -> W::Output {
        unsafe { if BF16 { avx512_bf16(work) } else { avx512(work) } }
    }
}
