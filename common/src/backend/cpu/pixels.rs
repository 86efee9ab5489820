//! The likelihoods: -log p(target given v), summed over pixels, and then the derivative in the place of v.

use super::kernels::put;
use vae_numerics::math::{bernoulli as bce, exp, ln, sigmoid as logistic, sum, sum_and_map, sum2};

/// mean[r] = 1 / (1 + exp(-v[r])), of the first value of each pixel
#[inline(always)]
pub(super) fn sigmoid(mean: &mut [f32], v: &[f32]) {
    match v.len() / mean.len().max(1) {
        1 => put(mean, false, |i| logistic(v[i])),
        values => put(mean, false, |i| logistic(v[i * values])),
    }
}

/// loss[r] = sum of (mean[r] - t)²
#[inline(always)]
pub(super) fn squared_error(loss: &mut [f32], mean: &[f32], target: &[f32], width: usize, per: usize) {
    for (r, (loss, mean)) in loss.iter_mut().zip(mean.chunks_exact(width)).enumerate() {
        *loss = sum2(mean, &target[r / per * width..][..width], |m, t| (m - t) * (m - t));
    }
}

/// loss[r] = sum of max(v, 0) - v t + ln(1 + exp(-|v|)); then v = sigmoid(v) - t
#[inline(always)]
pub(super) fn bernoulli(loss: &mut [f32], v: &mut [f32], target: &[f32], width: usize, per: usize) {
    for (r, (loss, v)) in loss.iter_mut().zip(v.chunks_exact_mut(width)).enumerate() {
        *loss = sum_and_map(v, &target[r / per * width..][..width], |v, t| {
            let (loss, sigmoid) = bce(v, t);
            (loss, sigmoid - t)
        });
    }
}

/// loss[r] = width / 2 ln(2 pi sigma²) + sum of (mean - t)² / (2 sigma²); then v = (mean - t) mean (1 - mean) / sigma²
#[inline(always)]
pub(super) fn gaussian(loss: &mut [f32], v: &mut [f32], target: &[f32], width: usize, per: usize, sigma: f32) {
    let constant = 0.5 * width as f64 * (std::f64::consts::TAU * (sigma as f64).powi(2)).ln();
    let precision = 1.0 / (sigma * sigma);
    for (r, (loss, v)) in loss.iter_mut().zip(v.chunks_exact_mut(width)).enumerate() {
        let squares = sum_and_map(v, &target[r / per * width..][..width], |v, t| {
            let mean = logistic(v);
            let d = mean - t;
            (d * d, d * mean * (1.0 - mean) * precision)
        });
        *loss = (constant + 0.5 * precision as f64 * squares as f64) as f32;
    }
}

/// loss[r] = 1/2 sum of ln(2 pi variance) + (mean - t)² / variance, v = (logit, s) of each pixel, variance = exp(s) +
/// min_sigma²; then v = ((mean - t) mean (1 - mean) / variance, exp(s) (1 - (mean - t)² / variance) / (2 variance))
#[inline(always)]
pub(super) fn gaussian_learned(
    loss: &mut [f32],
    v: &mut [f32],
    target: &[f32],
    width: usize,
    per: usize,
    min_sigma: f32,
) {
    const LN_TAU: f32 = 1.837_877_1;
    for (r, (loss, v)) in loss.iter_mut().zip(v.chunks_exact_mut(2 * width)).enumerate() {
        let target = &target[r / per * width..][..width];
        *loss = 0.5
            * sum(width, |i| {
                let (mean, e) = (logistic(v[2 * i]), exp(v[2 * i + 1]));
                let (d, variance) = (mean - target[i], e + min_sigma * min_sigma);
                let square = d * d / variance;
                v[2 * i] = d * mean * (1.0 - mean) / variance;
                v[2 * i + 1] = 0.5 * e * (1.0 - square) / variance;
                LN_TAU + ln(variance) + square
            });
    }
}
