//! Standard output: newline JSON, or the same records in a stream with pictures between them.
//!
//! A reader that goes away does not lose the run: from then on nothing is reported. Any other failure to write is kept
//! for the end, when the model is safe.

use common::backend::Device;
use common::dataset::Dataset;
use common::model::Spec;
use common::train::Losses;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::Path;
use vae_cli::output::{Kind, Output};
use vae_cli::{Error, Result};
use vae_stream::{Data, Head, Writer};

enum To {
    Lines(Output),
    Stream(Box<Writer>),
}

pub struct Report {
    to: Option<To>,
    failed: Option<Error>,
}

impl Report {
    /// A stream if there will be pictures.
    pub fn open(pictures: bool) -> Result<Report> {
        let to = if pictures {
            To::Stream(Box::new(vae_cli::OutputArgs::default().writer(Head::new())?))
        } else {
            To::Lines(Output::open(None, Kind::Text)?)
        };
        Ok(Report { to: Some(to), failed: None })
    }

    fn attempt(&mut self, write: impl FnOnce(&mut To) -> Result<()>) {
        let Some(to) = &mut self.to else { return };
        if let Err(e) = write(to) {
            self.to = None;
            self.failed = Some(e).filter(|e| !matches!(e, Error::Closed));
        }
    }

    /// Writes one record.
    pub fn record(&mut self, record: Map<String, Value>) {
        self.attempt(|to| match to {
            To::Stream(writer) => Ok(writer.write(record)?),
            To::Lines(output) => {
                let line = Value::Object(record).to_string() + "\n";
                output.write_all(line.as_bytes()).and_then(|()| output.flush()).map_err(|e| output.error(e))
            }
        });
    }

    /// Pictures of an epoch.
    pub fn preview(&mut self, frames: Vec<Data>) {
        for data in frames {
            self.attempt(|to| match to {
                To::Stream(writer) => Ok(writer.write(data)?),
                To::Lines(_) => Ok(()),
            });
        }
    }

    /// Ends what was written.
    pub fn finish(self) -> Result<()> {
        let finished = match self.to {
            Some(To::Stream(writer)) => writer.finish().map_err(Error::from),
            Some(To::Lines(output)) => output.commit(),
            None => self.failed.map_or(Ok(()), Err),
        };
        match finished {
            Err(Error::Closed) => Ok(()),
            other => other,
        }
    }
    /// Ends it with the error that ends the run.
    pub fn fail(self, error: Error) -> Error {
        match self.to {
            Some(To::Stream(writer)) => writer.fail(error),
            _ => error,
        }
    }
}

/// The objective in full, the options, the data and the device.
pub fn run(spec: &Spec, test: Option<&Dataset>, device: Device) -> Map<String, Value> {
    let mut record = object(json!({
        "kind": "run",
        "tool": spec.tool,
        "network": spec.network,
        "objective": spec.objective,
        "reduction": "summed over pixels and dimensions, averaged over images, nats",
        "training": spec.training,
        "data": spec.data,
        "device": device.name(),
    }));
    match device {
        Device::Cpu { threads, isa } => {
            record.insert("threads".into(), threads.into());
            record.insert("instructions".into(), isa.name().into());
        }
        Device::Cuda { ordinal } => {
            record.insert("gpu".into(), ordinal.into());
        }
    }
    if let Some(test) = test {
        let how = match spec.network.bottleneck.is_distribution() {
            true => "with a drawn z, as in training; the same noise after every epoch",
            false => "through the code, which is a point",
        };
        record.insert("test".into(), json!({"images": test.items(), "sha256": test.sha256(), "evaluated": how}));
    }
    record
}

/// The losses of an epoch; `seconds` were spent on training, over `images`.
pub fn epoch(
    number: usize,
    spec: &Spec,
    [train, test]: [Option<&Losses>; 2],
    seconds: f64,
    images: usize,
) -> Map<String, Value> {
    let mut record = object(json!({
        "kind": "epoch",
        "epoch": number,
        "epochs": spec.training.epochs,
        "steps": spec.training.steps,
        "objective": spec.objective,
    }));
    for (name, losses) in [("train", train), ("test", test)] {
        if let Some(losses) = losses {
            record.insert(name.into(), parts(losses, spec));
        }
    }
    record.insert("images_per_second".into(), rounded(images as f64 / seconds, 0));
    record.insert("seconds".into(), rounded(seconds, 3));
    record
}

/// The model that was written.
pub fn done(model: &Path, sha256: &str, spec: &Spec, seconds: f64) -> Map<String, Value> {
    object(json!({
        "kind": "done",
        "model": model.display().to_string(),
        "sha256": sha256,
        "epochs": spec.training.epochs,
        "steps": spec.training.steps,
        "seconds": rounded(seconds, 3),
    }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => unreachable!("{other} is no object"),
    }
}

/// `mse`: the squared error per pixel, where the likelihood tells it.
fn parts(losses: &Losses, spec: &Spec) -> Value {
    let terms = losses.terms.iter().map(|term| (term.name, term.mean));
    let parts = [("loss", losses.loss())].into_iter().chain(terms);
    let mut parts: Map<_, _> = parts.map(|(name, v)| (name.to_string(), rounded(v, 4))).collect();
    if let Some(mse) = spec.objective.likelihood.mse(losses.term("recon"), spec.network.values()) {
        parts.insert("mse".into(), rounded(mse, 6));
    }
    Value::Object(parts)
}

/// A number as JSON with so many decimals.
fn rounded(value: f64, decimals: i32) -> Value {
    let scale = 10f64.powi(decimals);
    json!((value * scale).round() / scale)
}
