//! The Gaussian latent: the reparameterised draw and the KL divergence from the prior.
//!
//! q[N, 2 Z] = [mu, logvar]; the prior p[N, 2 Z] = [mu_p, logvar_p], or N(0, I); z[R, Z] eps[R, Z], R = N · L samples.

use super::assign;
use vae_numerics::math::{exp, sum, sum2, twice_kl};

/// z[r] = mu[n] + exp(logvar[n] / 2) eps[r]: eps[R, Z] q[N, 2 Z] z[R, Z]
#[inline(always)]
pub(crate) fn sample(z: &mut [f32], eps: &[f32], q: &[f32], latent: usize, per_image: usize) {
    for (r, z) in z.chunks_exact_mut(latent).enumerate() {
        let (eps, q) = (&eps[r * latent..][..latent], &q[r / per_image * 2 * latent..][..2 * latent]);
        assign(z, false, |j| exp(0.5 * q[latent + j]).mul_add(eps[j], q[j]));
    }
}

/// dmu[n] = sum of dz[r], dlogvar[n] = sum of dz[r] eps[r] exp(logvar[n] / 2) / 2, over the samples r of n: dz[R, Z]
/// eps[R, Z] q[N, 2 Z] dq[N, 2 Z]
#[inline(always)]
pub(crate) fn sample_back(
    dq: &mut [f32],
    dz: &[f32],
    eps: &[f32],
    q: &[f32],
    latent: usize,
    per_image: usize,
    add: bool,
) {
    for (n, (dq, q)) in dq.chunks_exact_mut(2 * latent).zip(q.chunks_exact(2 * latent)).enumerate() {
        let (dmu, dlogvar) = dq.split_at_mut(latent);
        for r in n * per_image..(n + 1) * per_image {
            let (dz, eps) = (&dz[r * latent..][..latent], &eps[r * latent..][..latent]);
            let add = add || r > n * per_image;
            assign(dmu, add, |j| dz[j]);
            assign(dlogvar, add, |j| 0.5 * exp(0.5 * q[latent + j]) * eps[j] * dz[j]);
        }
    }
}

/// kl[n] = 1/2 sum of (exp(logvar) + (mu - mu_p)²) / exp(logvar_p) - 1 - logvar + logvar_p: q[N, 2 Z] p[N, 2 Z] kl[N]
#[inline(always)]
pub(crate) fn kl(kl: &mut [f32], q: &[f32], p: Option<&[f32]>, latent: usize) {
    for (n, (kl, q)) in kl.iter_mut().zip(q.chunks_exact(2 * latent)).enumerate() {
        let (mu, logvar) = q.split_at(latent);
        *kl = 0.5
            * match p {
                None => sum2(mu, logvar, |mu, logvar| mu.mul_add(mu, exp(logvar) - 1.0 - logvar)),
                Some(p) => {
                    let (mu_p, logvar_p) = p[n * 2 * latent..][..2 * latent].split_at(latent);
                    sum(latent, |j| twice_kl([mu[j], logvar[j]], [mu_p[j], logvar_p[j]]))
                }
            };
    }
}

/// dmu = dkl (mu - mu_p) / exp(logvar_p), dlogvar = dkl (exp(logvar - logvar_p) - 1) / 2: dkl[N] q p
/// dq[N, 2 Z]
#[inline(always)]
pub(crate) fn kl_back(dq: &mut [f32], dkl: &[f32], q: &[f32], p: Option<&[f32]>, latent: usize, add: bool) {
    for (n, ((dq, q), dkl)) in dq.chunks_exact_mut(2 * latent).zip(q.chunks_exact(2 * latent)).zip(dkl).enumerate() {
        let (dmu, dlogvar) = dq.split_at_mut(latent);
        match p {
            None => {
                assign(dmu, add, |j| dkl * q[j]);
                assign(dlogvar, add, |j| dkl * 0.5 * (exp(q[latent + j]) - 1.0));
            }
            Some(p) => {
                let p = &p[n * 2 * latent..][..2 * latent];
                assign(dmu, add, |j| dkl * (q[j] - p[j]) * exp(-p[latent + j]));
                assign(dlogvar, add, |j| dkl * 0.5 * (exp(q[latent + j] - p[latent + j]) - 1.0));
            }
        }
    }
}

/// dmu_p = dkl (mu_p - mu) / exp(logvar_p), dlogvar_p = dkl (1 - (exp(logvar) + (mu - mu_p)²) / exp(logvar_p)) / 2:
/// dkl[N] q p dp[N, 2 Z]
#[inline(always)]
pub(crate) fn kl_prior_back(dp: &mut [f32], dkl: &[f32], q: &[f32], p: &[f32], latent: usize, add: bool) {
    let rows = q.chunks_exact(2 * latent).zip(p.chunks_exact(2 * latent));
    for ((dp, (q, p)), dkl) in dp.chunks_exact_mut(2 * latent).zip(rows).zip(dkl) {
        let (dmu, dlogvar) = dp.split_at_mut(latent);
        assign(dmu, add, |j| dkl * (p[j] - q[j]) * exp(-p[latent + j]));
        assign(dlogvar, add, |j| {
            let (d, logvar_p) = (q[j] - p[j], p[latent + j]);
            dkl * 0.5 * (1.0 - exp(q[latent + j] - logvar_p) - d * d * exp(-logvar_p))
        });
    }
}

/// kl[r] = 1/2 sum of (z[r] - mu_p)² / exp(logvar_p) + logvar_p - eps[r]² - logvar: z[R, Z] eps[R, Z] q p[N, 2 Z] kl[R]
#[inline(always)]
pub(crate) fn sampled_kl(
    kl: &mut [f32],
    [z, eps]: [&[f32]; 2],
    q: &[f32],
    p: Option<&[f32]>,
    latent: usize,
    per_image: usize,
) {
    for (r, kl) in kl.iter_mut().enumerate() {
        let (z, eps) = (&z[r * latent..][..latent], &eps[r * latent..][..latent]);
        let logvar = &q[r / per_image * 2 * latent + latent..][..latent];
        *kl = 0.5
            * match p {
                None => sum(latent, |j| z[j].mul_add(z[j], -eps[j] * eps[j]) - logvar[j]),
                Some(p) => {
                    let (mu_p, logvar_p) = p[r / per_image * 2 * latent..][..2 * latent].split_at(latent);
                    sum(latent, |j| {
                        let d = z[j] - mu_p[j];
                        (d * d).mul_add(exp(-logvar_p[j]), logvar_p[j] - eps[j] * eps[j]) - logvar[j]
                    })
                }
            };
    }
}
