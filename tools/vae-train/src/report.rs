//! Standard output: newline JSON, or the same records in a stream with pictures between them.
//!
//! A reader that goes away does not lose the run: from then on nothing is reported. Any other failure to write is kept
//! for the end, when the model is safe.

use common::dataset::Dataset;
use common::model::Spec;
use common::output::{Kind, Output};
use common::stream::{Data, Head, Writer};
use common::train::{Losses, Trainer};
use common::{Error, Result, cli};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::Path;

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
            To::Stream(Box::new(Writer::create(&cli::OutputArgs::default(), Head::new())?))
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

    fn record(&mut self, record: Value) {
        let Value::Object(record) = record else { return };
        self.attempt(|to| match to {
            To::Stream(writer) => writer.write(record),
            To::Lines(output) => {
                let line = Value::Object(record).to_string() + "\n";
                output.write_all(line.as_bytes()).and_then(|()| output.flush()).map_err(|e| output.error(e))
            }
        });
    }

    /// The objective in full, the options, the data and the device.
    pub fn run(&mut self, spec: &Spec, test: Option<&Dataset>, threads: usize) {
        let mut record = json!({
            "kind": "run",
            "tool": spec.tool,
            "network": spec.network,
            "objective": spec.objective,
            "reduction": "summed over pixels and dimensions, averaged over images, nats",
            "training": spec.training,
            "data": spec.data,
            "device": "cpu",
            "threads": threads,
        });
        if let Some(test) = test {
            record["test"] = json!({"images": test.items(), "sha256": test.sha256()});
        }
        self.record(record);
    }

    /// The losses of an epoch; `seconds` were spent on training, over `images`.
    pub fn epoch(
        &mut self,
        number: usize,
        trainer: &Trainer,
        [train, test]: [Option<&Losses>; 2],
        seconds: f64,
        images: usize,
    ) {
        let mut record = json!({
            "kind": "epoch",
            "epoch": number,
            "epochs": trainer.spec().training.epochs,
            "steps": trainer.spec().training.steps,
        });
        for (name, losses) in [("train", train), ("test", test)] {
            if let Some(losses) = losses {
                record[name] = parts(losses);
            }
        }
        record["images_per_second"] = rounded(images as f64 / seconds, 0);
        record["seconds"] = rounded(seconds, 3);
        self.record(record);
    }

    /// Pictures of an epoch.
    pub fn preview(&mut self, frames: Vec<Data>) {
        for data in frames {
            self.attempt(|to| match to {
                To::Stream(writer) => writer.write(data),
                To::Lines(_) => Ok(()),
            });
        }
    }

    /// The model that was written, and the end.
    pub fn done(mut self, model: &Path, sha256: &str, trainer: &Trainer, seconds: f64) -> Result<()> {
        let training = &trainer.spec().training;
        self.record(json!({
            "kind": "done",
            "model": model.display().to_string(),
            "sha256": sha256,
            "epochs": training.epochs,
            "steps": training.steps,
            "seconds": rounded(seconds, 3),
        }));
        let finished = match self.to {
            Some(To::Stream(writer)) => writer.finish(),
            Some(To::Lines(output)) => output.commit(),
            None => self.failed.map_or(Ok(()), Err),
        };
        match finished {
            Err(Error::Closed) => Ok(()),
            other => other,
        }
    }
}

fn parts(losses: &Losses) -> Value {
    let parts = [("loss", losses.loss()), ("recon", losses.recon), ("kl", losses.kl)];
    Value::Object(parts.into_iter().map(|(name, v)| (name.to_string(), rounded(v, 4))).collect::<Map<_, _>>())
}

/// A number as JSON with so many decimals.
fn rounded(value: f64, decimals: i32) -> Value {
    let scale = 10f64.powi(decimals);
    json!((value * scale).round() / scale)
}
