//! The records that are written.

use common::dataset::Dataset;
use common::evaluate::{ACTIVE, Elbo, Judgement};
use common::model::Spec;
use serde_json::{Map, Value, json};

/// How much was drawn.
#[derive(Clone, Copy)]
pub struct Draws {
    pub samples: u32,
    pub k: u32,
    pub seed: u32,
}

/// One image.
pub fn image(images: &Dataset, n: usize, judgement: &Judgement) -> Value {
    let mut record = Map::from_iter([("kind".into(), "image".into()), ("i".into(), images.ids()[n].into())]);
    if let Some(labels) = images.labels() {
        record.insert("y".into(), labels[n].into());
    }
    if let Some(elbo) = &judgement.elbo {
        let kl = elbo.total_kl();
        insert(&mut record, [("loss", elbo.recon + kl), ("recon", elbo.recon), ("kl", kl)]);
    }
    insert(&mut record, [("mse", judgement.mse)]);
    if let Some(nll) = judgement.nll {
        insert(&mut record, [("nll", nll.nll), ("nll_mc_se", nll.se)]);
    }
    record.into()
}

/// All of them.
pub fn all(judgements: &[Judgement], spec: &Spec, sha256: &str, drawn: Draws) -> Value {
    let mut record = Map::from_iter([("kind".into(), "eval".into()), ("images".into(), judgements.len().into())]);
    if let Some(elbos) = judgements.iter().map(|j| j.elbo.as_ref()).collect::<Option<Vec<_>>>() {
        let (recon, kl) = (mean(elbos.iter().map(|e| e.recon)), mean(elbos.iter().map(|e| e.total_kl())));
        insert(&mut record, [("elbo", -recon - kl), ("loss", recon + kl), ("recon", recon), ("kl", kl)]);
        let dimensions = 0..spec.network.latent;
        let kls = dimensions.clone().map(|j| rounded(mean(elbos.iter().map(|e| e.kl[j]))));
        record.insert("kl_per_dimension".into(), kls.collect());
        record.insert("active_units".into(), dimensions.filter(|j| spread(&elbos, *j) > ACTIVE).count().into());
        record.insert("samples".into(), drawn.samples.into());
    }
    insert(&mut record, [("mse", mean(judgements.iter().map(|j| j.mse)))]);
    if let Some(nlls) = judgements.iter().map(|j| j.nll).collect::<Option<Vec<_>>>() {
        let n = nlls.len() as f64;
        let nll = mean(nlls.iter().map(|v| v.nll));
        // Over sets of as many images, and over draws for these.
        let over_images = (variance(nlls.iter().map(|v| v.nll)) / n).sqrt();
        let over_draws = nlls.iter().map(|v| v.se * v.se).sum::<f64>().sqrt() / n;
        insert(&mut record, [("nll", nll), ("nll_se", over_images), ("nll_mc_se", over_draws)]);
        record.insert("k".into(), drawn.k.into());
    }
    record.insert("seed".into(), drawn.seed.into());
    record.insert("likelihood".into(), json!(spec.objective.likelihood));
    record.insert("binarize".into(), json!(spec.data.binarize));
    record.insert("model".into(), sha256.into());
    record.into()
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

fn insert<const N: usize>(record: &mut Map<String, Value>, values: [(&str, f64); N]) {
    values.into_iter().for_each(|(name, value)| drop(record.insert(name.into(), rounded(value))));
}

/// To the digits that f32 has of a loss.
fn rounded(value: f64) -> Value {
    json!((value * 1e6).round() / 1e6)
}
