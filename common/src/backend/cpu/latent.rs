//! The operations on the code: the reparameterised draw and the KL, `q = [mu, logvar]`, `p` likewise or N(0, I).

use super::kernels::put;
use vae_numerics::math::{exp, sum, sum2, twice_kl};

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

/// kl[n] = 1/2 sum of (exp(logvar) + (mu - mu_p)²) / exp(logvar_p) - 1 - logvar + logvar_p
#[inline(always)]
pub(super) fn kl(kl: &mut [f32], q: &[f32], p: Option<&[f32]>, width: usize) {
    for (n, (kl, q)) in kl.iter_mut().zip(q.chunks_exact(2 * width)).enumerate() {
        let (mu, logvar) = q.split_at(width);
        *kl = 0.5
            * match p {
                None => sum2(mu, logvar, |mu, logvar| mu.mul_add(mu, exp(logvar) - 1.0 - logvar)),
                Some(p) => {
                    let (mu_p, logvar_p) = p[n * 2 * width..][..2 * width].split_at(width);
                    sum(width, |j| twice_kl([mu[j], logvar[j]], [mu_p[j], logvar_p[j]]))
                }
            };
    }
}

/// dmu = dkl (mu - mu_p) / exp(logvar_p), dlogvar = dkl (exp(logvar - logvar_p) - 1) / 2
#[inline(always)]
pub(super) fn kl_back(dq: &mut [f32], dkl: &[f32], q: &[f32], p: Option<&[f32]>, width: usize, add: bool) {
    for (n, ((dq, q), dkl)) in dq.chunks_exact_mut(2 * width).zip(q.chunks_exact(2 * width)).zip(dkl).enumerate() {
        let (dmu, dlogvar) = dq.split_at_mut(width);
        match p {
            None => {
                put(dmu, add, |j| dkl * q[j]);
                put(dlogvar, add, |j| dkl * 0.5 * (exp(q[width + j]) - 1.0));
            }
            Some(p) => {
                let p = &p[n * 2 * width..][..2 * width];
                put(dmu, add, |j| dkl * (q[j] - p[j]) * exp(-p[width + j]));
                put(dlogvar, add, |j| dkl * 0.5 * (exp(q[width + j] - p[width + j]) - 1.0));
            }
        }
    }
}

/// dmu_p = dkl (mu_p - mu) / exp(logvar_p), dlogvar_p = dkl (1 - (exp(logvar) + (mu - mu_p)²) / exp(logvar_p)) / 2
#[inline(always)]
pub(super) fn kl_prior_back(dp: &mut [f32], dkl: &[f32], q: &[f32], p: &[f32], width: usize, add: bool) {
    let rows = q.chunks_exact(2 * width).zip(p.chunks_exact(2 * width));
    for ((dp, (q, p)), dkl) in dp.chunks_exact_mut(2 * width).zip(rows).zip(dkl) {
        let (dmu, dlogvar) = dp.split_at_mut(width);
        put(dmu, add, |j| dkl * (p[j] - q[j]) * exp(-p[width + j]));
        put(dlogvar, add, |j| {
            let (d, logvar_p) = (q[j] - p[j], p[width + j]);
            dkl * 0.5 * (1.0 - exp(q[width + j] - logvar_p) - d * d * exp(-logvar_p))
        });
    }
}

/// kl[r] = 1/2 sum of (z[r] - mu_p)² / exp(logvar_p) + logvar_p - eps[r]² - logvar
#[inline(always)]
pub(super) fn sampled_kl(
    kl: &mut [f32],
    [z, eps]: [&[f32]; 2],
    q: &[f32],
    p: Option<&[f32]>,
    width: usize,
    per: usize,
) {
    for (r, kl) in kl.iter_mut().enumerate() {
        let (z, eps) = (&z[r * width..][..width], &eps[r * width..][..width]);
        let logvar = &q[r / per * 2 * width + width..][..width];
        *kl = 0.5
            * match p {
                None => sum(width, |j| z[j].mul_add(z[j], -eps[j] * eps[j]) - logvar[j]),
                Some(p) => {
                    let (mu_p, logvar_p) = p[r / per * 2 * width..][..2 * width].split_at(width);
                    sum(width, |j| {
                        let d = z[j] - mu_p[j];
                        (d * d).mul_add(exp(-logvar_p[j]), logvar_p[j] - eps[j] * eps[j]) - logvar[j]
                    })
                }
            };
    }
}
