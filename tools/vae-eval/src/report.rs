//! The records of an evaluation.

use common::evaluate::{ACTIVE, Elbo, Evaluation};
use common::model::Spec;
use serde_json::json;
use vae_stream::record::{Eval, Image, KL, LOSS, Number, RECON, Record, Terms};

/// Draws of z per image, for the ELBO and for the log-likelihood, and their key.
#[derive(Clone, Copy)]
pub struct MonteCarlo {
    pub samples: u32,
    pub k: u32,
    pub seed: u32,
}

/// The record of one image.
pub fn image(id: u32, label: Option<i64>, evaluation: &Evaluation) -> Record {
    Record::Image(Box::new(Image {
        i: id.into(),
        y: label,
        terms: evaluation.elbo.as_ref().map(|elbo| terms(elbo.recon, elbo.total_kl())).unwrap_or_default(),
        mse: rounded(evaluation.mse),
        nll: evaluation.nll.map(|nll| rounded(nll.nll)),
        nll_mc_se: evaluation.nll.map(|nll| rounded(nll.se)),
    }))
}

/// The record of all images.
pub fn all(evaluations: &[Evaluation], spec: &Spec, sha256: &str, sampling: MonteCarlo) -> Record {
    let mut eval = Eval {
        images: evaluations.len() as u64,
        mse: rounded(mean(evaluations.iter().map(|j| j.mse))),
        seed: sampling.seed.into(),
        likelihood: json!(spec.objective.likelihood),
        binarize: json!(spec.data.binarize),
        model: sha256.into(),
        ..Eval::default()
    };
    if let Some(elbos) = evaluations.iter().map(|j| j.elbo.as_ref()).collect::<Option<Vec<_>>>() {
        let (recon, kl) = (mean(elbos.iter().map(|e| e.recon)), mean(elbos.iter().map(|e| e.total_kl())));
        eval.elbo = Some(rounded(-recon - kl));
        eval.terms = terms(recon, kl);
        let dimensions = 0..spec.network.latent;
        let kls = dimensions.clone().map(|j| rounded(mean(elbos.iter().map(|e| e.kl[j]))));
        eval.kl_per_dimension = Some(kls.collect());
        eval.active_units = Some(dimensions.filter(|j| spread(&elbos, *j) > ACTIVE).count() as u64);
        eval.samples = Some(sampling.samples.into());
    }
    if let Some(nlls) = evaluations.iter().map(|j| j.nll).collect::<Option<Vec<_>>>() {
        let n = nlls.len() as f64;
        eval.nll = Some(rounded(mean(nlls.iter().map(|v| v.nll))));
        eval.nll_se = Some(rounded((variance(nlls.iter().map(|v| v.nll)) / n).sqrt()));
        eval.nll_mc_se = Some(rounded(nlls.iter().map(|v| v.se * v.se).sum::<f64>().sqrt() / n));
        eval.k = Some(sampling.k.into());
    }
    Record::Eval(Box::new(eval))
}

/// The negative ELBO and its terms, nats.
fn terms(recon: f64, kl: f64) -> Terms {
    let mut terms = Terms::default();
    [(LOSS, recon + kl), (RECON, recon), (KL, kl)].into_iter().for_each(|(name, v)| terms.insert(name, rounded(v)));
    terms
}

/// The variance over images of the mean of q in dimension j.
fn spread(elbos: &[&Elbo], j: usize) -> f64 {
    variance(elbos.iter().map(|e| e.mu[j]))
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

/// Unbiased; 0 of one value.
fn variance(values: impl ExactSizeIterator<Item = f64> + Clone) -> f64 {
    let (n, mean) = (values.len() as f64, mean(values.clone()));
    values.map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)
}

/// The decimals that f32 has of a loss.
fn rounded(value: f64) -> Number {
    Number::rounded(value, 6)
}
