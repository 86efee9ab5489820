//! Evaluation: the ELBO and its terms, the reconstruction error, and the log-likelihood by importance sampling.
//!
//! ```text
//! -ELBO   = E_q[-log p(x given z)] + KL(q(z given x) to p(z))                    Kingma and Welling 2014, eq. 3
//! IS-NLL  = -log 1/k sum over k draws of p(x given z) p(z) / q(z given x)         Burda, Grosse and Salakhutdinov 2016, eq. 8
//! ```
//!
//! Both in nats per image, with draws keyed by the seed and the index of the image.

use crate::Result;
use crate::backend::{Backend, Device, ProgramId, SampleIndex, State};
use crate::dataset::Dataset;
use crate::model::Trained;
use crate::network::{self, Encoded};
use crate::parameters;
use crate::plan::{PixelType, Plan, Precision, Program, Table};
use vae_numerics::math::twice_kl;

/// N, images in a batch, for `items` images.
fn batch(device: Device, items: usize) -> usize {
    match device {
        // Few, so that the draws stay in the cache.
        Device::Cpu { .. } => items.min(16),
        // Fixed: the choice of kernels, and so rounding, depends on N.
        Device::Cuda { .. } => 128,
    }
}
/// L, draws per image and pass.
const DRAWS: usize = 64;
/// A latent unit is active if the variance over images of its posterior mean exceeds this (Burda et al. 2016).
pub const ACTIVE: f64 = 0.01;

/// The evaluation of one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The mean squared error per pixel of the reconstruction from mu, or from the code of an autoencoder.
    pub mse: f64,
    /// The terms of the negative ELBO, for a VAE.
    pub elbo: Option<Elbo>,
    /// The importance-sampling estimate, if requested.
    pub nll: Option<Nll>,
}

/// The terms of the negative ELBO, nats.
#[derive(Clone, Debug, PartialEq)]
pub struct Elbo {
    /// -log p(x given z), averaged over draws.
    pub recon: f64,
    /// KL(q to p) of each dimension.
    pub kl: Vec<f64>,
    /// The posterior mean, `[Z]`.
    pub mu: Vec<f64>,
}

impl Elbo {
    /// The sum of the KL over dimensions.
    pub fn total_kl(&self) -> f64 {
        self.kl.iter().sum()
    }
}

/// An estimate of -log p(x), nats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nll {
    /// The estimate, in expectation an upper bound that falls with the number of draws.
    pub nll: f64,
    /// Its Monte-Carlo standard error, by the delta method.
    pub se: f64,
}

/// A model and images on a device.
pub struct Evaluator {
    backend: Box<dyn Backend>,
    elbo: Results,
    importance: Option<Importance>,
    images: Dataset,
    samples: usize,
    latent: usize,
}

/// The tables, by image, that one forward pass fills.
struct Results {
    program: ProgramId,
    mse: Table,
    /// Reconstruction `[samples]`, q `[2Z]` and, of a learned prior, p `[2Z]`.
    elbo: Option<(Table, Table, Option<Table>)>,
}

/// The logarithms of importance weights, in tables by image: -log p(x given z) and log q(z) - log p(z), `[DRAWS]` each.
struct Importance {
    program: ProgramId,
    recon: Table,
    kl: Table,
}

impl Evaluator {
    /// Uploads a model and images. `samples`: draws of z for the ELBO; the first are those of the test loss in training.
    ///
    /// # Errors
    /// Images that do not fit the model; a missing or misshapen tensor.
    pub fn new(model: &impl Trained, images: Dataset, samples: usize, seed: u32, device: Device) -> Result<Evaluator> {
        let spec = model.spec();
        let network = &spec.network;
        images.expect_size(network.image)?;
        images.expect_unit_range()?;
        let (mut plan, items) = (Plan::new(batch(device, images.items())), images.items());
        let p = &mut plan;
        let pixels = p.table(items, network.values(), images.pixel_type());
        let labels = network.classes.map(|_| p.table(items, 1, PixelType::U8));
        let Encoded { x, y, q } = network::encoded(p, network, &spec.data, pixels, labels);
        let prior = network::prior(p, network, y);
        let z = p.narrow(q, network.latent);
        let logits = network::decoder(p, network, &spec.objective, z, y);
        let mean = network::means(p, network, logits);
        let error = p.squared_error(mean, x);
        let mse = p.store(items, error);
        let elbo = network.bottleneck.is_distribution().then(|| {
            let (z, _) = p.sample(q, samples);
            let logits = network::decoder(p, network, &spec.objective, z, y);
            let recon = network::reconstruction(p, &spec.objective, logits, x);
            (p.store(items, recon), p.store(items, q), prior.map(|prior| p.store(items, prior)))
        });
        let elbo_program = Program::forward(p.take());
        let importance = network.bottleneck.is_distribution().then(|| {
            // The encoder again: a program is complete in itself.
            let Encoded { x, y, q } = network::encoded(p, network, &spec.data, pixels, labels);
            let prior = network::prior(p, network, y);
            let (z, eps) = p.sample(q, DRAWS);
            let logits = network::decoder(p, network, &spec.objective, z, y);
            let recon = network::reconstruction(p, &spec.objective, logits, x);
            let kl = p.sampled_kl([z, eps], q, prior);
            let (recon, kl) = (p.store(items, recon), p.store(items, kl));
            (Program::forward(p.take()), recon, kl)
        });
        parameters::check(p, model, false)?;
        let mut backend = device.open(p, Precision::Fp32)?;
        parameters::upload(&mut *backend, p, model, false)?;
        let indices: Vec<SampleIndex> =
            images.ids().iter().enumerate().map(|(row, id)| SampleIndex { row: row as u32, id: *id }).collect();
        backend.upload_indices(&indices)?;
        images.clone().upload(&mut *backend, pixels, labels)?;
        backend.state().seed = seed;
        let program = backend.compile(&elbo_program)?;
        let importance = match importance {
            Some((program, recon, kl)) => Some(Importance { program: backend.compile(&program)?, recon, kl }),
            None => None,
        };
        let (elbo, latent) = (Results { program, mse, elbo }, network.latent);
        Ok(Evaluator { backend, elbo, importance, images, samples, latent })
    }

    /// The images, in the order of the results.
    pub fn images(&self) -> &Dataset {
        &self.images
    }

    fn table(&self, table: Table) -> Result<Vec<f32>> {
        let mut values = vec![0.0; table.items * table.width];
        self.backend.download(table.buf, 0, &mut values)?;
        Ok(values)
    }

    /// Evaluates every image, with importance sampling for `k` > 0 draws; `progress` is called with the number of draws done.
    ///
    /// # Errors
    /// Those of the device.
    pub fn evaluate(&mut self, k: usize, progress: impl FnMut(usize)) -> Result<Vec<Evaluation>> {
        run(&mut *self.backend, self.elbo.program, self.images.items(), 0)?;
        let (mse, pixels) = (self.table(self.elbo.mse)?, self.images.image().values());
        let mut elbos = self.elbos()?;
        let mut nlls = self.nlls(k, progress)?;
        let evaluation = |(n, error): (usize, f32)| Evaluation {
            mse: error as f64 / pixels as f64,
            elbo: elbos.get_mut(n).map(|elbo| std::mem::replace(elbo, Elbo { recon: 0.0, kl: vec![], mu: vec![] })),
            nll: nlls.get_mut(n).map(|nll| *nll),
        };
        Ok(mse.into_iter().enumerate().map(evaluation).collect())
    }

    /// The terms of each image of a VAE.
    fn elbos(&self) -> Result<Vec<Elbo>> {
        let Some((recon, q, p)) = self.elbo.elbo else { return Ok(vec![]) };
        let (recon, q, p) = (self.table(recon)?, self.table(q)?, p.map(|p| self.table(p)).transpose()?);
        let latent = self.latent;
        let standard = vec![0.0; 2 * latent];
        let one = |(n, (recon, q)): (usize, (&[f32], &[f32]))| {
            let p = p.as_ref().map_or(&standard[..], |p| &p[n * 2 * latent..][..2 * latent]);
            let kl = |j: usize| 0.5 * twice_kl([q[j], q[latent + j]], [p[j], p[latent + j]]) as f64;
            Elbo {
                recon: recon.iter().map(|v| *v as f64).sum::<f64>() / recon.len() as f64,
                kl: (0..latent).map(kl).collect(),
                mu: q[..latent].iter().map(|v| *v as f64).collect(),
            }
        };
        Ok(recon.chunks_exact(self.samples).zip(q.chunks_exact(2 * latent)).enumerate().map(one).collect())
    }

    /// The estimate of each image of a VAE, for k > 0.
    fn nlls(&mut self, k: usize, mut progress: impl FnMut(usize)) -> Result<Vec<Nll>> {
        let Some(importance) = self.importance.as_ref().filter(|_| k > 0) else { return Ok(vec![]) };
        let mut weights = vec![Weights::default(); self.images.items()];
        for first in (0..k).step_by(DRAWS) {
            run(&mut *self.backend, importance.program, weights.len(), first as u32)?;
            let (recon, kl) = (self.table(importance.recon)?, self.table(importance.kl)?);
            let draws = DRAWS.min(k - first);
            for (weights, (recon, kl)) in weights.iter_mut().zip(recon.chunks(DRAWS).zip(kl.chunks(DRAWS))) {
                recon[..draws].iter().zip(kl).for_each(|(recon, kl)| weights.add(-(*recon as f64) - *kl as f64));
            }
            progress(first + draws);
        }
        Ok(weights.into_iter().map(Weights::nll).collect())
    }
}

/// Runs a program over all images, with draws from number `first_sample` on.
fn run(backend: &mut dyn Backend, program: ProgramId, items: usize, first_sample: u32) -> Result<()> {
    let state = backend.state();
    *state = State { at: 0, items, first_sample, ..*state };
    let steps = state.steps_left();
    backend.run(program, steps)
}

/// A streaming log-mean-exp of the importance weights of an image, relative to the largest so far.
#[derive(Clone, Copy)]
struct Weights {
    count: usize,
    largest: f64,
    sum: f64,
    squares: f64,
}

impl Default for Weights {
    fn default() -> Weights {
        Weights { count: 0, largest: f64::NEG_INFINITY, sum: 0.0, squares: 0.0 }
    }
}

impl Weights {
    /// Adds a weight by its logarithm.
    fn add(&mut self, log: f64) {
        if log > self.largest {
            let shrink = (self.largest - log).exp();
            (self.sum, self.squares, self.largest) = (self.sum * shrink, self.squares * shrink * shrink, log);
        }
        let weight = (log - self.largest).exp();
        (self.count, self.sum, self.squares) = (self.count + 1, self.sum + weight, self.squares + weight * weight);
    }
    /// `-log(mean)`. By the delta method the variance of log(mean) is var / mean².
    fn nll(self) -> Nll {
        let k = self.count as f64;
        let relative = (self.squares / (self.sum * self.sum) - 1.0 / k).max(0.0) * k / (k - 1.0).max(1.0);
        Nll { nll: -(self.largest + (self.sum / k).ln()), se: relative.sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_added_in_any_order_without_overflow() {
        let logs: Vec<f64> = (0..100).map(|i| -1000.0 + (i * 37 % 100) as f64 * 0.1).collect();
        let mut weights = Weights::default();
        logs.iter().for_each(|log| weights.add(*log));
        let plain: Vec<f64> = logs.iter().map(|log| (log + 1000.0).exp()).collect();
        let mean = plain.iter().sum::<f64>() / 100.0;
        let variance = plain.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / 99.0;
        let got = weights.nll();
        assert!((got.nll - (1000.0 - mean.ln())).abs() < 1e-9);
        assert!((got.se - (variance / 100.0).sqrt() / mean).abs() < 1e-12, "{} {variance}", got.se);
    }
}
