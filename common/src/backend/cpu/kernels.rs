//! One function for each operation, over slices that hold whole rows. The number of rows is that of the output.
//!
//! Every function is inlined into the caller, which compiles it for each vector width.

use super::super::memory::Block;
use super::simd::Simd;
use crate::math::{bernoulli as bce, exp, sigmoid as logistic, sum_and_map, sum2};
use crate::plan::{Act, Cell, Table};
use std::ops::Range;

/// y = from[row] / unit
#[inline(always)]
pub(super) fn gather(y: &mut [f32], at: &Block, from: Table, row: usize, unit: f32) {
    let row = row * from.width..(row + 1) * from.width;
    match from.cell {
        Cell::Byte => y.iter_mut().zip(&at.bytes(from)[row]).for_each(|(y, v)| *y = *v as f32 / unit),
        Cell::Float => y.iter_mut().zip(&at.floats(from)[row]).for_each(|(y, v)| *y = *v / unit),
    }
}

/// Asks for `from[row]`, which is gathered soon.
#[inline(always)]
pub(super) fn fetch<S: Simd>(simd: S, at: &Block, from: Table, row: usize) {
    const LINE: usize = 64;
    let (start, bytes) = match from.cell {
        Cell::Byte => (at.bytes(from)[row * from.width..].as_ptr(), from.width),
        Cell::Float => (at.floats(from)[row * from.width..].as_ptr().cast(), 4 * from.width),
    };
    (0..bytes).step_by(LINE).for_each(|line| simd.prefetch(start.wrapping_add(line).cast()));
}

/// dy *= act'(y), told from the output y
#[inline(always)]
pub(super) fn act_back(dy: &mut [f32], y: &[f32], act: Act) {
    match act {
        Act::Id => {}
        Act::Relu => dy.iter_mut().zip(y).for_each(|(d, y)| *d = if *y > 0.0 { *d } else { 0.0 }),
    }
}

/// z[r] = mu[n] + exp(logvar[n] / 2) eps[r]
#[inline(always)]
pub(super) fn sample(z: &mut [f32], eps: &[f32], q: &[f32], width: usize, per: usize) {
    for (r, z) in z.chunks_exact_mut(width).enumerate() {
        let (eps, q) = (&eps[r * width..][..width], &q[r / per * 2 * width..][..2 * width]);
        put(z, false, |j| exp(0.5 * q[width + j]).mul_add(eps[j], q[j]));
    }
}

/// dmu[n] = sum of dz[r], dlogvar[n] = sum of dz[r] eps[r] exp(logvar[n] / 2) / 2, over the samples of n
#[inline(always)]
pub(super) fn sample_back(dq: &mut [f32], dz: &[f32], eps: &[f32], q: &[f32], width: usize, per: usize, add: bool) {
    for (n, (dq, q)) in dq.chunks_exact_mut(2 * width).zip(q.chunks_exact(2 * width)).enumerate() {
        let (dmu, dlogvar) = dq.split_at_mut(width);
        for r in n * per..(n + 1) * per {
            let (dz, eps) = (&dz[r * width..][..width], &eps[r * width..][..width]);
            let add = add || r > n * per;
            put(dmu, add, |j| dz[j]);
            put(dlogvar, add, |j| 0.5 * exp(0.5 * q[width + j]) * eps[j] * dz[j]);
        }
    }
}

/// kl[n] = 1/2 sum of exp(logvar) + mu² - 1 - logvar
#[inline(always)]
pub(super) fn kl(kl: &mut [f32], q: &[f32], width: usize) {
    for (kl, q) in kl.iter_mut().zip(q.chunks_exact(2 * width)) {
        let (mu, logvar) = q.split_at(width);
        *kl = 0.5 * sum2(mu, logvar, |mu, logvar| mu.mul_add(mu, exp(logvar) - 1.0 - logvar));
    }
}

/// dmu = dkl mu, dlogvar = dkl (exp(logvar) - 1) / 2
#[inline(always)]
pub(super) fn kl_back(dq: &mut [f32], dkl: &[f32], q: &[f32], width: usize, add: bool) {
    for ((dq, q), dkl) in dq.chunks_exact_mut(2 * width).zip(q.chunks_exact(2 * width)).zip(dkl) {
        let (dmu, dlogvar) = dq.split_at_mut(width);
        put(dmu, add, |j| dkl * q[j]);
        put(dlogvar, add, |j| dkl * 0.5 * (exp(q[width + j]) - 1.0));
    }
}

/// p = 1 / (1 + exp(-logits))
#[inline(always)]
pub(super) fn sigmoid(p: &mut [f32], logits: &[f32]) {
    put(p, false, |i| logistic(logits[i]));
}

/// loss[r] = sum of max(l, 0) - l t + ln(1 + exp(-|l|)); then l = sigmoid(l) - t
#[inline(always)]
pub(super) fn bernoulli(loss: &mut [f32], logits: &mut [f32], target: &[f32], width: usize, per: usize) {
    for (r, (loss, l)) in loss.iter_mut().zip(logits.chunks_exact_mut(width)).enumerate() {
        *loss = sum_and_map(l, &target[r / per * width..][..width], |l, t| {
            let (loss, sigmoid) = bce(l, t);
            (loss, sigmoid - t)
        });
    }
}

/// d[r] *= weight[r]
#[inline(always)]
pub(super) fn weigh(d: &mut [f32], weight: &[f32], width: usize) {
    for (d, weight) in d.chunks_exact_mut(width).zip(weight) {
        d.iter_mut().for_each(|d| *d *= weight);
    }
}

/// weight[r] = scale / (images · per) for the rows of images that exist, 0 for the others
#[inline(always)]
pub(super) fn mean_weights(weight: &mut [f32], live: usize, images: usize, per: usize, scale: f32) {
    let (there, absent) = weight.split_at_mut(live * per);
    there.fill(scale / (images * per) as f32);
    absent.fill(0.0);
}

/// terms[n] = [mean over samples of recon, of kl] for the images that exist
#[inline(always)]
pub(super) fn terms(terms: &mut [f32], recon: &[f32], kl: &[f32], recon_per: usize, kl_per: usize) {
    let mean = |v: &[f32], n: usize, per: usize| v[n * per..][..per].iter().sum::<f32>() / per as f32;
    for (n, row) in terms.chunks_exact_mut(2).enumerate() {
        row[0] = mean(recon, n, recon_per);
        row[1] = mean(kl, n, kl_per);
    }
}

/// g = sum over r of dy[r] in some columns; the rest of g, which fills it to whole vectors, is 0
#[inline(always)]
pub(super) fn bias_gradient(g: &mut [f32], dy: &[f32], width: usize, columns: Range<usize>) {
    g.fill(0.0);
    // Four rows at a time: each sum waits for the one before.
    for rows in dy.chunks(4 * width) {
        let row = |r: usize| rows.get(r * width..).and_then(|row| row.get(columns.clone()));
        match [row(0), row(1), row(2), row(3)] {
            [Some(a), Some(b), Some(c), Some(d)] => {
                let four = a.iter().zip(b).zip(c.iter().zip(d));
                g.iter_mut().zip(four).for_each(|(g, ((a, b), (c, d)))| *g += (a + b) + (c + d));
            }
            some => some.iter().flatten().for_each(|row| g.iter_mut().zip(*row).for_each(|(g, d)| *g += d)),
        }
    }
}

#[inline(always)]
fn put(d: &mut [f32], add: bool, f: impl Fn(usize) -> f32) {
    if add {
        d.iter_mut().enumerate().for_each(|(i, d)| *d += f(i));
    } else {
        d.iter_mut().enumerate().for_each(|(i, d)| *d = f(i));
    }
}
