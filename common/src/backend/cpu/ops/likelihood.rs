//! Likelihoods: loss[r] = -log p(target[n] | logits[r]), summed over pixels; in place, the logits become its
//! derivative.
//!
//! loss[R] target[N, D] mean[R, D] logits[R, D], or [R, D, 2] with a learned variance.

use super::assign;
use vae_numerics::math::{bernoulli as bce, exp, ln, sigmoid as logistic, sum, sum_and_map, sum2};

/// mean[r] = 1 / (1 + exp(-logits[r])), of the first logit of each pixel
#[inline(always)]
pub(crate) fn sigmoid(mean: &mut [f32], logits: &[f32]) {
    match logits.len() / mean.len().max(1) {
        1 => assign(mean, false, |i| logistic(logits[i])),
        per_pixel => assign(mean, false, |i| logistic(logits[i * per_pixel])),
    }
}

/// loss[r] = sum of (mean[r] - target[n])²
#[inline(always)]
pub(crate) fn squared_error(loss: &mut [f32], mean: &[f32], target: &[f32], pixels: usize, per_image: usize) {
    for (r, (loss, mean)) in loss.iter_mut().zip(mean.chunks_exact(pixels)).enumerate() {
        *loss = sum2(mean, &target[r / per_image * pixels..][..pixels], |m, t| (m - t) * (m - t));
    }
}

/// loss[r] = sum of max(v, 0) - v t + ln(1 + exp(-|v|)), v = logits[r], t = target[n]; then logits[r] = sigmoid(v) - t
#[inline(always)]
pub(crate) fn bernoulli(loss: &mut [f32], logits: &mut [f32], target: &[f32], pixels: usize, per_image: usize) {
    for (r, (loss, logits)) in loss.iter_mut().zip(logits.chunks_exact_mut(pixels)).enumerate() {
        *loss = sum_and_map(logits, &target[r / per_image * pixels..][..pixels], |v, t| {
            let (loss, sigmoid) = bce(v, t);
            (loss, sigmoid - t)
        });
    }
}

/// loss[r] = D / 2 ln(2 pi sigma²) + sum of (mean - t)² / (2 sigma²), mean = sigmoid(logits[r]), t = target[n]; then
/// logits[r] = (mean - t) mean (1 - mean) / sigma²
#[inline(always)]
pub(crate) fn gaussian(
    loss: &mut [f32],
    logits: &mut [f32],
    target: &[f32],
    pixels: usize,
    per_image: usize,
    sigma: f32,
) {
    let constant = 0.5 * pixels as f64 * (std::f64::consts::TAU * (sigma as f64).powi(2)).ln();
    let precision = 1.0 / (sigma * sigma);
    for (r, (loss, logits)) in loss.iter_mut().zip(logits.chunks_exact_mut(pixels)).enumerate() {
        let squares = sum_and_map(logits, &target[r / per_image * pixels..][..pixels], |v, t| {
            let mean = logistic(v);
            let d = mean - t;
            (d * d, d * mean * (1.0 - mean) * precision)
        });
        *loss = (constant + 0.5 * precision as f64 * squares as f64) as f32;
    }
}

/// loss[r] = 1/2 sum of ln(2 pi variance) + (mean - t)² / variance; logits[r] = (logit of the mean, s) of each pixel,
/// variance = exp(s) + min_sigma²; then they become ((mean - t) mean (1 - mean) / variance, exp(s) (1 - (mean - t)² /
/// variance) / (2 variance))
#[inline(always)]
pub(crate) fn gaussian_learned(
    loss: &mut [f32],
    logits: &mut [f32],
    target: &[f32],
    pixels: usize,
    per_image: usize,
    min_sigma: f32,
) {
    const LN_TAU: f32 = 1.837_877_1;
    for (r, (loss, logits)) in loss.iter_mut().zip(logits.chunks_exact_mut(2 * pixels)).enumerate() {
        let target = &target[r / per_image * pixels..][..pixels];
        *loss = 0.5
            * sum(pixels, |i| {
                let (mean, e) = (logistic(logits[2 * i]), exp(logits[2 * i + 1]));
                let (d, variance) = (mean - target[i], e + min_sigma * min_sigma);
                let square = d * d / variance;
                logits[2 * i] = d * mean * (1.0 - mean) / variance;
                logits[2 * i + 1] = 0.5 * e * (1.0 - square) / variance;
                LN_TAU + ln(variance) + square
            });
    }
}
