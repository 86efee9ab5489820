//! The records of training and evaluation: one type for each `kind`.
//!
//! A record is a JSON object, a line of newline JSON or a `json` frame of a stream. Its key `kind` names the type:
//! `run`, `epoch`, `done` (vae-train), `image` and `eval` (vae-eval). Keys are written in the order of the fields. A
//! reader skips unknown kinds; unknown keys are kept in `rest`.
//!
//! ```
//! use vae_stream::record::{Epoch, LOSS};
//!
//! let line = r#"{"kind":"epoch","epoch":1,"train":{"loss":105.6,"recon":90.1,"kl":15.5},"seconds":1.25}"#;
//! let epoch = Epoch::parse(&serde_json::from_str(line)?)?.expect("an epoch record");
//! assert_eq!((epoch.epoch, epoch.train.unwrap().finite(LOSS)), (1, Some(105.6)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Error, Frame, Result};

/// The kind of [`Run`].
pub const RUN: &str = "run";
/// The key of the losses over the training images.
pub const TRAIN: &str = "train";
/// The key of the losses over the test images.
pub const TEST: &str = "test";
/// The name of the objective's value, nats per image.
pub const LOSS: &str = "loss";
/// The name of the reconstruction term, nats per image.
pub const RECON: &str = "recon";
/// The name of the KL divergence before its factor beta, nats per image.
pub const KL: &str = "kl";
/// The name of the mean squared error, per pixel.
pub const MSE: &str = "mse";

/// A record of a known kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Record {
    /// The configuration of a training run, written first.
    Run(Box<Run>),
    /// The losses of one epoch.
    Epoch(Box<Epoch>),
    /// The model file, written last.
    Done(Box<Done>),
    /// The evaluation of one image.
    Image(Box<Image>),
    /// The evaluation of a set of images.
    Eval(Box<Eval>),
}

/// The kinds of [`Record`].
const KINDS: [&str; 5] = [RUN, EPOCH, "done", "image", "eval"];
const EPOCH: &str = "epoch";

impl Record {
    /// The record in a JSON object; none if its kind is unknown.
    ///
    /// # Errors
    /// [`Error::Record`] for a missing field or a value of another type.
    pub fn parse(json: &Map<String, Value>) -> Result<Option<Record>> {
        let kind = kind(json);
        if !KINDS.contains(&kind) {
            return Ok(None);
        }
        let bad = |e: serde_json::Error| Error::Record { kind: kind.to_owned(), reason: e.to_string() };
        Record::deserialize(json).map(Some).map_err(bad)
    }

    /// The record as a JSON object.
    pub fn to_json(&self) -> Map<String, Value> {
        object(self)
    }
}

/// One line of JSON.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Value::Object(self.to_json()).fmt(f)
    }
}

impl From<Record> for Frame {
    fn from(record: Record) -> Frame {
        Frame::Json(record.to_json())
    }
}

/// The configuration of a training run. What describes the model is JSON as in the model file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// Program and version.
    pub tool: Option<String>,
    /// Layers, image shape and latent size.
    pub network: Value,
    /// Likelihood, beta and draws per image.
    pub objective: Value,
    /// What losses are summed and averaged over, and their unit.
    pub reduction: Option<String>,
    /// Learning rate, batch size, seed, epochs, steps taken before, precision.
    pub training: Value,
    /// Number, SHA-256 and preparation of the training images.
    pub data: Value,
    /// `cpu` or `cuda`.
    pub device: Option<String>,
    /// CPU threads.
    pub threads: Option<u64>,
    /// Instruction set of the CPU kernels.
    pub instructions: Option<String>,
    /// Ordinal of the GPU.
    pub gpu: Option<u64>,
    /// The test images, if there are any.
    pub test: Option<TestImages>,
    /// Other keys.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The test images of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TestImages {
    /// How many.
    pub images: u64,
    /// SHA-256 of their pixels and labels, in hexadecimal digits.
    pub sha256: String,
    /// How z is found for the test loss.
    pub evaluated: String,
    /// Other keys.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The losses of one epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: u64,
    /// Epochs of the whole run.
    pub epochs: Option<u64>,
    /// Optimizer steps since the first epoch.
    pub steps: Option<u64>,
    /// The objective, as in [`Run`].
    #[serde(default)]
    pub objective: Value,
    /// Means over the training images, each at the weights of its step.
    pub train: Option<Terms>,
    /// Means over the test images, at the weights after the epoch.
    pub test: Option<Terms>,
    /// Training throughput.
    pub images_per_second: Option<Number>,
    /// Seconds of training, without evaluation.
    pub seconds: Option<Number>,
    /// Other keys.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Epoch {
    /// The epoch record in a JSON object; none if it is of another kind.
    ///
    /// # Errors
    /// [`Error::Record`] for a missing field or a value of another type.
    pub fn parse(json: &Map<String, Value>) -> Result<Option<Epoch>> {
        let record = if kind(json) == EPOCH { Record::parse(json)? } else { None };
        Ok(record.and_then(|record| if let Record::Epoch(epoch) = record { Some(*epoch) } else { None }))
    }

    /// The losses over training and test images, under their keys.
    pub fn losses(&self) -> [(&'static str, Option<&Terms>); 2] {
        [(TRAIN, self.train.as_ref()), (TEST, self.test.as_ref())]
    }

    /// The fields as a JSON object, without the kind.
    pub fn to_json(&self) -> Map<String, Value> {
        object(self)
    }
}

/// The model file of a completed run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// The path of the file, as given with `-o`.
    pub model: String,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// Epochs of the whole run.
    pub epochs: u64,
    /// Optimizer steps of the whole run.
    pub steps: u64,
    /// Seconds since this process began to train.
    pub seconds: Number,
    /// Other keys.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The evaluation of one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// Its index in the source.
    pub i: u64,
    /// Its label.
    pub y: Option<i64>,
    /// The negative ELBO and its terms by name (nats) of a variational model; and other keys.
    #[serde(flatten)]
    pub terms: Terms,
    /// Squared error of the reconstruction from the mean of q, per pixel.
    pub mse: Number,
    /// -log p(x) by importance sampling, nats.
    pub nll: Option<Number>,
    /// Monte Carlo standard error of `nll`, nats.
    pub nll_mc_se: Option<Number>,
}

/// The evaluation of a set of images.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Eval {
    /// How many images.
    pub images: u64,
    /// The evidence lower bound at beta 1, nats per image; of a variational model, as all that follows up to `samples`.
    pub elbo: Option<Number>,
    /// The negative ELBO and its terms by name, nats per image; and other keys.
    #[serde(flatten)]
    pub terms: Terms,
    /// The KL divergence of each latent dimension, nats per image.
    pub kl_per_dimension: Option<Vec<Number>>,
    /// Latent dimensions where the variance over images of the mean of q exceeds 0.01 (Burda et al. 2016).
    pub active_units: Option<u64>,
    /// L: draws of z per image for the ELBO.
    pub samples: Option<u64>,
    /// Squared error of reconstructions from the mean of q, per pixel.
    pub mse: Number,
    /// -log p(x) by importance sampling, nats per image.
    pub nll: Option<Number>,
    /// Standard error of `nll` over sets of as many images, nats.
    pub nll_se: Option<Number>,
    /// Monte Carlo standard error of `nll` on these images, nats.
    pub nll_mc_se: Option<Number>,
    /// K: draws of z per image for `nll`.
    pub k: Option<u64>,
    /// Key of the random numbers.
    pub seed: u64,
    /// p(x given z), as in the model file.
    pub likelihood: Value,
    /// How pixels were made black or white.
    pub binarize: Value,
    /// SHA-256 of the model file, in hexadecimal digits.
    pub model: String,
}

/// Numbers by name, in the order of the record: [`LOSS`], the terms of the objective under their own names, and [`MSE`]
/// where the likelihood implies it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Terms(Map<String, Value>);

impl Terms {
    /// The number of this name, if it is there and finite.
    pub fn finite(&self, name: &str) -> Option<f64> {
        finite(self.0.get(name)?)
    }

    /// The names of the finite numbers, and the numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().filter_map(|(name, value)| Some((name.as_str(), finite(value)?)))
    }

    /// Appends a number, or replaces the one of this name.
    pub fn insert(&mut self, name: &str, value: Number) {
        self.0.insert(name.to_owned(), value.0);
    }
}

/// A real number of a record: a JSON number, or text (`NaN`, `inf`, `-inf`) where it is not finite.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Number(Value);

impl Number {
    /// Rounds to so many decimals.
    pub fn rounded(value: f64, decimals: i32) -> Number {
        let scale = 10f64.powi(decimals);
        let value = (value * scale).round() / scale;
        Number(if value.is_finite() { value.into() } else { value.to_string().into() })
    }

    /// The number, if it is finite.
    pub fn finite(&self) -> Option<f64> {
        finite(&self.0)
    }
}

/// The kind of a record; empty if it has none.
pub fn kind(json: &Map<String, Value>) -> &str {
    json.get("kind").and_then(Value::as_str).unwrap_or_default()
}

fn finite(value: &Value) -> Option<f64> {
    value.as_f64().filter(|v| v.is_finite())
}

/// Fields without a value are left out.
fn object(record: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(record) {
        Ok(Value::Object(map)) => map.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => unreachable!("a struct of text, numbers and JSON is an object, not {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN_LINE: &str = concat!(
        r#"{"kind":"run","tool":"vae-train 0.1.0","network":{"kind":"mlp","image":[28,28],"latent":20},"#,
        r#""objective":{"likelihood":"bernoulli","beta":1.0,"samples":1},"reduction":"nats","#,
        r#""training":{"lr":0.0003,"batch":50},"data":{"images":300},"device":"cpu","threads":1,"#,
        r#""instructions":"avx512","test":{"images":100,"sha256":"18","evaluated":"with a drawn z"}}"#
    );
    const FIRST: &str = concat!(
        r#"{"kind":"epoch","epoch":1,"epochs":2,"steps":6,"objective":{"beta":1.0},"#,
        r#""train":{"loss":528.0284,"recon":527.8386,"kl":0.1897},"test":{"loss":"inf","tc":4,"recon":5e2},"#,
        r#""images_per_second":1234.0,"seconds":0.244}"#
    );
    const DONE: &str = r#"{"kind":"done","model":"m.bin","sha256":"63","epochs":2,"steps":12,"seconds":0.5}"#;
    const IMAGE: &str = concat!(
        r#"{"kind":"image","i":0,"y":8,"loss":521.497657,"recon":498.237488,"kl":23.26017,"mse":0.150202,"#,
        r#""nll":500.5,"nll_mc_se":0.1}"#
    );
    const EVAL: &str = concat!(
        r#"{"kind":"eval","images":100,"elbo":-373.2,"loss":373.2,"recon":355.9,"kl":17.3,"#,
        r#""kl_per_dimension":[0.5,0.7],"active_units":2,"samples":1,"mse":0.124942,"nll":353.7,"nll_se":5.7,"#,
        r#""nll_mc_se":0.07,"k":70,"seed":0,"likelihood":"bernoulli","binarize":"none","model":"7d"}"#
    );

    fn parse(text: &str) -> Result<Option<Record>> {
        Record::parse(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn every_kind_keeps_its_keys_and_their_order() {
        for (text, kind) in
            [RUN_LINE, FIRST, DONE, IMAGE, EVAL].into_iter().zip(["run", "epoch", "done", "image", "eval"])
        {
            let record = parse(text).unwrap().unwrap();
            assert_eq!(record.to_string(), text.replace("5e2", "500.0"), "{kind}");
        }
        let other = r#"{"kind":"eval","images":1,"mse":0.5,"seed":0,"likelihood":{},"binarize":"none","model":""}"#;
        assert_eq!(parse(other).unwrap().unwrap().to_string(), other);
    }

    #[test]
    fn unknown_keys_are_kept_and_unknown_kinds_are_none() {
        for text in [r#"{"kind":"run","later":[1]}"#, r#"{"kind":"epoch","epoch":1,"later":{"a":null}}"#] {
            assert_eq!(parse(text).unwrap().unwrap().to_string(), text);
        }
        for text in [r#"{"kind":"step","step":7}"#, r#"{"kind":7}"#, "{}"] {
            assert_eq!(parse(text).unwrap(), None, "{text}");
        }
    }

    #[test]
    fn a_missing_field_is_named() {
        let message = parse(r#"{"kind":"epoch","train":{"loss":1.0}}"#).unwrap_err().to_string();
        assert_eq!(message, "bad epoch record: missing field `epoch`; expected one of vae-train or vae-eval");
    }

    #[test]
    fn terms_come_in_the_order_of_the_record_and_without_what_is_not_finite() {
        let epoch = Epoch::parse(&serde_json::from_str(FIRST).unwrap()).unwrap().unwrap();
        let [(_, train), (_, test)] = epoch.losses();
        assert_eq!(train.unwrap().iter().collect::<Vec<_>>(), [(LOSS, 528.0284), (RECON, 527.8386), (KL, 0.1897)]);
        assert_eq!(test.unwrap().iter().collect::<Vec<_>>(), [("tc", 4.0), (RECON, 500.0)]);
        assert_eq!(test.unwrap().finite(LOSS), None);
    }

    #[test]
    fn numbers_are_rounded_and_text_where_they_are_not_finite() {
        let json = |value, decimals| serde_json::to_string(&Number::rounded(value, decimals)).unwrap();
        assert_eq!([json(1.00005, 4), json(1234.5, 0), json(-0.0000004, 6)], ["1.0001", "1235.0", "-0.0"]);
        assert_eq!([json(f64::NAN, 4), json(f64::NEG_INFINITY, 4)], [r#""NaN""#, r#""-inf""#]);
    }
}
