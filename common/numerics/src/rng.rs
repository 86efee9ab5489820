//! Counter-based random numbers: a number is a function of its key and counter, never of earlier ones.
//!
//! Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). The key is `[seed, purpose]`
//! and the counter `[quad, sample, item, epoch]`: four numbers for each quad of lanes. Integers and uniforms have the same
//! bits on every device, normals agree to 1e-6.

use crate::math::{ln, sin_cos_turns};

/// The purpose of a random number, a part of the key. Two purposes never share a sequence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Purpose {
    /// Initial weights.
    Weights = 1,
    /// The permutation of the images in an epoch.
    Order = 2,
    /// The noise of q(z|x).
    Latent = 3,
    /// Samples of the prior.
    Prior = 4,
    /// Pixels sampled from the decoder's Bernoulli means.
    Pixel = 5,
    /// The built-in digits.
    Synthetic = 6,
    /// The permutation of a shuffled source.
    Shuffle = 7,
    /// Stochastic binarization of the data.
    Binarize = 8,
}

/// Philox 4x32-10.
#[inline(always)]
pub fn philox(mut key: [u32; 2], mut counter: [u32; 4]) -> [u32; 4] {
    for _ in 0..10 {
        let a = counter[0] as u64 * 0xD251_1F53;
        let b = counter[2] as u64 * 0xCD9E_8D57;
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

/// Four integers for one quad of lanes.
#[inline(always)]
pub fn draw4(seed: u32, purpose: Purpose, [quad, sample, item, epoch]: [u32; 4]) -> [u32; 4] {
    philox([seed, purpose as u32], [quad, sample, item, epoch])
}

/// A uniform number in [0, 1), a multiple of 2^-24.
#[inline(always)]
pub fn uniform(bits: u32) -> f32 {
    (bits >> 8) as f32 / (1 << 24) as f32
}

/// Four uniform numbers in [0, 1).
#[inline(always)]
pub fn uniform4(seed: u32, purpose: Purpose, counter: [u32; 4]) -> [f32; 4] {
    draw4(seed, purpose, counter).map(uniform)
}

/// Four samples of N(0, 1), by the Box-Muller transform.
#[inline(always)]
pub fn normal4(seed: u32, purpose: Purpose, counter: [u32; 4]) -> [f32; 4] {
    let u = draw4(seed, purpose, counter);
    let pair = |r: u32, turn: u32| {
        let above_zero = ((r >> 8) as f32 + 1.0) / (1 << 24) as f32;
        let radius = (-2.0 * ln(above_zero)).max(0.0).sqrt();
        let (sin, cos) = sin_cos_turns(uniform(turn) - 0.5);
        (radius * cos, radius * sin)
    };
    let ((a, b), (c, d)) = (pair(u[0], u[1]), pair(u[2], u[3]));
    [a, b, c, d]
}

/// Fills a row with samples of N(0, 1): element j is lane j of `[sample, item, epoch]`.
#[inline(always)]
pub fn normals(row: &mut [f32], seed: u32, purpose: Purpose, [sample, item, epoch]: [u32; 3]) {
    for (quad, lanes) in row.chunks_mut(4).enumerate() {
        let draws = normal4(seed, purpose, [quad as u32, sample, item, epoch]);
        lanes.copy_from_slice(&draws[..lanes.len()]);
    }
}

/// Samples Bernoulli variables with these means in place: element j is lane j of `[item, epoch]`.
#[inline(always)]
pub fn bernoulli(row: &mut [f32], seed: u32, purpose: Purpose, [item, epoch]: [u32; 2]) {
    for (quad, means) in row.chunks_mut(4).enumerate() {
        let draws = uniform4(seed, purpose, [quad as u32, 0, item, epoch]);
        means.iter_mut().zip(draws).for_each(|(mean, u)| *mean = if u < *mean { 1.0 } else { 0.0 });
    }
}

/// A permutation of 0..n, by the Fisher-Yates shuffle.
pub fn permutation(n: usize, seed: u32, purpose: Purpose, epoch: u32) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    for i in (1..n).rev() {
        let bits = draw4(seed, purpose, [i as u32, 0, 0, epoch])[0] as u64;
        order.swap(i, ((bits * (i as u64 + 1)) >> 32) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `kat_vectors` of Random123, the reference implementation.
    #[test]
    fn philox_gives_the_known_answers() {
        assert_eq!(philox([0; 2], [0; 4]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([!0; 2], [!0; 4]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let answer = [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1];
        assert_eq!(philox([0xa409_3822, 0x299f_31d0], pi), answer);
    }

    #[test]
    fn normals_have_the_moments_of_a_normal() {
        let n = 100_000;
        let mut draws = vec![0.0; n];
        for (i, row) in draws.chunks_mut(20).enumerate() {
            normals(row, 1, Purpose::Latent, [0, i as u32, 1]);
        }
        let moment = |k: i32| draws.iter().map(|v| (*v as f64).powi(k)).sum::<f64>() / n as f64;
        // Four standard errors: sqrt(Var(x^k) / n) is sqrt(1, 2, 15, 96 / n).
        let error = |variance: f64| 4.0 * (variance / n as f64).sqrt();
        assert!(moment(1).abs() < error(1.0), "mean {}", moment(1));
        assert!((moment(2) - 1.0).abs() < error(2.0), "variance {}", moment(2));
        assert!(moment(3).abs() < error(15.0), "skewness {}", moment(3));
        assert!((moment(4) - 3.0).abs() < error(96.0), "kurtosis {}", moment(4));
    }

    #[test]
    fn a_normal_agrees_with_the_standard_library() {
        for i in 0..1000 {
            let u = draw4(3, Purpose::Prior, [i, 0, 0, 0]);
            let radius = (-2.0 * (((u[0] >> 8) as f64 + 1.0) / 16_777_216.0).ln()).sqrt();
            let turn = (uniform(u[1]) as f64 - 0.5) * std::f64::consts::TAU;
            let got = normal4(3, Purpose::Prior, [i, 0, 0, 0]);
            assert!((got[0] as f64 - radius * turn.cos()).abs() < 1e-6);
            assert!((got[1] as f64 - radius * turn.sin()).abs() < 1e-6);
        }
    }

    #[test]
    fn a_permutation_holds_every_index_once_and_differs_by_epoch() {
        let first = permutation(1000, 0, Purpose::Order, 1);
        let mut sorted = first.clone();
        sorted.sort();
        assert!(sorted.iter().enumerate().all(|(i, v)| i == *v as usize));
        assert_ne!(first, permutation(1000, 0, Purpose::Order, 2));
        assert_ne!(first, permutation(1000, 1, Purpose::Order, 1));
    }
}
