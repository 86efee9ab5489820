//! What instructions do to the bits of one lane.

/// The bits of a result; every NaN is the one that GPUs make.
#[inline(always)]
pub(crate) fn bits(x: f32) -> u32 {
    if x.is_nan() { NAN } else { x.to_bits() }
}

pub(crate) const NAN: u32 = 0x7fff_ffff;

/// To nearest, ties away from zero: a significand of 11 bits.
#[inline(always)]
pub(crate) fn to_tf32(x: u32) -> u32 {
    if f32::from_bits(x).is_nan() { NAN } else { x.wrapping_add(0x1000) & !0x1fff }
}

/// To nearest, ties to even: a significand of 8 bits.
#[inline(always)]
pub(crate) fn to_bf16(x: u32) -> u32 {
    if f32::from_bits(x).is_nan() { NAN >> 16 } else { x.wrapping_add(0x7fff + (x >> 16 & 1)) >> 16 }
}

/// The larger; a number rather than a NaN, and +0 rather than -0.
#[inline(always)]
pub(crate) fn max(a: u32, b: u32) -> u32 {
    let (x, y) = (f32::from_bits(a), f32::from_bits(b));
    match () {
        _ if x.is_nan() => bits(y),
        _ if y.is_nan() || x > y => a,
        _ if y > x => b,
        _ => a & b,
    }
}

/// Bits 0 to `length` of `from` at `position` of `into`.
#[inline(always)]
pub(crate) fn insert([from, into, position, length]: [u32; 4]) -> u32 {
    let (position, length) = (position & 0xff, length & 0xff);
    let ones = if length >= 32 { u32::MAX } else { (1 << length) - 1 };
    let shift = |bits: u32| if position >= 32 { 0 } else { bits << position };
    into & !shift(ones) | shift(from & ones)
}

#[inline(always)]
pub(crate) fn shift_left(x: u32, by: u32) -> u32 {
    x.checked_shl(by).unwrap_or(0)
}

#[inline(always)]
pub(crate) fn shift_right(x: u32, by: u32) -> u32 {
    x.checked_shr(by).unwrap_or(0)
}
