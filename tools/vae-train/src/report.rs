//! Standard output: records as newline JSON, or as frames of a stream with preview images.
//!
//! A broken pipe does not end the run: from then on nothing is written. Any other write error is returned at the end, after
//! the model is saved.

use common::backend::Device;
use common::dataset::Dataset;
use common::model::Spec;
use common::train::Losses;
use serde_json::{Map, json};
use std::io::Write;
use std::path::Path;
use vae_cli::output::{Format, Output};
use vae_cli::{Error, Result};
use vae_stream::record::{Done, Epoch, LOSS, MSE, Number, RECON, Record, Run, Terms, TestImages};
use vae_stream::{Data, Head, Writer};

/// The form of the output.
enum Form {
    Lines(Output),
    Stream(Box<Writer>),
}

/// The report of a run.
pub struct Report {
    /// None after a write error.
    output: Option<Form>,
    error: Option<Error>,
}

impl Report {
    /// A stream if there are preview images, else newline JSON.
    pub fn open(has_previews: bool) -> Result<Report> {
        let form = if has_previews {
            Form::Stream(Box::new(vae_cli::OutputArgs::default().writer(Head::new())?))
        } else {
            Form::Lines(Output::open(None, Format::Json)?)
        };
        Ok(Report { output: Some(form), error: None })
    }

    fn attempt(&mut self, write: impl FnOnce(&mut Form) -> Result<()>) {
        let Some(form) = &mut self.output else { return };
        if let Err(e) = write(form) {
            self.output = None;
            self.error = Some(e).filter(|e| !matches!(e, Error::Closed));
        }
    }

    /// Writes one record.
    pub fn record(&mut self, record: Record) {
        self.attempt(|form| match form {
            Form::Stream(writer) => Ok(writer.write(record)?),
            Form::Lines(output) => {
                let line = format!("{record}\n");
                output.write_all(line.as_bytes()).and_then(|()| output.flush()).map_err(|e| output.error(e))
            }
        });
    }

    /// Writes the preview images of an epoch.
    pub fn preview(&mut self, frames: Vec<Data>) {
        for data in frames {
            self.attempt(|form| match form {
                Form::Stream(writer) => Ok(writer.write(data)?),
                Form::Lines(_) => Ok(()),
            });
        }
    }

    /// Ends the output.
    pub fn finish(self) -> Result<()> {
        let finished = match self.output {
            Some(Form::Stream(writer)) => writer.finish().map_err(Error::from),
            Some(Form::Lines(output)) => output.commit(),
            None => self.error.map_or(Ok(()), Err),
        };
        match finished {
            Err(Error::Closed) => Ok(()),
            other => other,
        }
    }

    /// Ends a stream with an error frame.
    pub fn fail(self, error: Error) -> Error {
        match self.output {
            Some(Form::Stream(writer)) => writer.fail(error),
            _ => error,
        }
    }
}

/// The configuration of a run.
pub fn run(spec: &Spec, test: Option<&Dataset>, device: Device) -> Record {
    let (threads, instructions, gpu) = match device {
        Device::Cpu { threads, isa } => {
            (Some(threads as u64), Some(isa.at(spec.training.precision).name().to_owned()), None)
        }
        Device::Cuda { ordinal } => (None, None, Some(ordinal as u64)),
    };
    let evaluated = match spec.network.bottleneck.is_distribution() {
        true => "with a drawn z, as in training; the same noise after every epoch",
        false => "through the code, which is a point",
    };
    let test = test.map(|test| TestImages {
        images: test.items() as u64,
        sha256: test.sha256(),
        evaluated: evaluated.into(),
        ..TestImages::default()
    });
    Record::Run(Box::new(Run {
        tool: Some(spec.tool.clone()),
        network: json!(spec.network),
        objective: json!(spec.objective),
        reduction: Some("summed over pixels and dimensions, averaged over images, nats".into()),
        training: json!(spec.training),
        data: json!(spec.data),
        device: Some(device.name().into()),
        threads,
        instructions,
        gpu,
        test,
        rest: Map::new(),
    }))
}

/// The losses of an epoch; `seconds` of training on `images`.
pub fn epoch(number: usize, spec: &Spec, losses: [Option<&Losses>; 2], seconds: f64, images: usize) -> Record {
    let [train, test] = losses.map(|losses| losses.map(|losses| terms(losses, spec)));
    Record::Epoch(Box::new(Epoch {
        epoch: number as u64,
        epochs: Some(spec.training.epochs as u64),
        steps: Some(spec.training.steps),
        objective: json!(spec.objective),
        train,
        test,
        images_per_second: Some(Number::rounded(images as f64 / seconds, 0)),
        seconds: Some(Number::rounded(seconds, 3)),
        rest: Map::new(),
    }))
}

/// The model file.
pub fn done(model: &Path, sha256: &str, spec: &Spec, seconds: f64) -> Record {
    Record::Done(Box::new(Done {
        model: model.display().to_string(),
        sha256: sha256.into(),
        epochs: spec.training.epochs as u64,
        steps: spec.training.steps,
        seconds: Number::rounded(seconds, 3),
        rest: Map::new(),
    }))
}

/// The loss, its terms, and the squared error per pixel where the likelihood implies it.
fn terms(losses: &Losses, spec: &Spec) -> Terms {
    let mut terms = Terms::default();
    terms.insert(LOSS, Number::rounded(losses.loss(), 4));
    losses.terms.iter().for_each(|term| terms.insert(term.name, Number::rounded(term.mean, 4)));
    let mse = |recon| spec.objective.likelihood.mse(recon, spec.network.values());
    if let Some(mse) = losses.term(RECON).and_then(mse) {
        terms.insert(MSE, Number::rounded(mse, 6));
    }
    terms
}
