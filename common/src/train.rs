//! Training: epochs of mini-batches, evaluation after each, and checkpoints that resume to the same bytes.

use crate::backend::{Adam, Backend, Device, ProgramId, SampleIndex, State};
use crate::dataset::Dataset;
use crate::model::{Model, Objective, OutputBias, Progress, Spec, StateDict, Term, Weight};
use crate::network::{self, LossGraph, loss_graph};
use crate::parameters;
use crate::plan::{Plan, Program};
use crate::{DataError, Error, Result, ResumeError};
use std::ops::Range;
use vae_numerics::math::tree_sum;
use vae_numerics::rng::{Purpose, permutation};

/// The objective over some images, by its terms, nats per image.
#[derive(Clone, PartialEq, Debug)]
pub struct Losses {
    /// How many images.
    pub images: usize,
    /// The terms, in the order of [`Objective::terms`].
    pub terms: Vec<TermMean>,
}

/// A term of the objective, averaged over draws and images.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TermMean {
    /// Its key in records.
    pub name: &'static str,
    /// Its factor in the objective, after warm-ups.
    pub weight: f64,
    /// Nats per image.
    pub mean: f64,
}

impl Losses {
    /// From the per-image losses, `[images, terms]`.
    fn of(losses: &[f32], objective: &Objective) -> Losses {
        let width = objective.terms().len();
        let images = losses.len() / width;
        let mean = |t: usize| {
            let values: Vec<f64> = losses.iter().skip(t).step_by(width).map(|v| *v as f64).collect();
            tree_sum(&values) / images as f64
        };
        Losses::new(images, objective, mean)
    }
    /// From the mean of each term.
    pub fn new(images: usize, objective: &Objective, mean: impl Fn(usize) -> f64) -> Losses {
        let term = |(t, term): (usize, &Term)| TermMean {
            name: term.name,
            weight: objective.weight(term.weight),
            mean: mean(t),
        };
        Losses { images, terms: objective.terms().iter().enumerate().map(term).collect() }
    }
    /// What training minimises, the weighted sum of the terms; the negative ELBO where all weights are 1.
    pub fn loss(&self) -> f64 {
        self.terms.iter().map(|term| term.weight * term.mean).sum()
    }
    /// The mean of the term of this name, if the objective has it.
    pub fn term(&self, name: &str) -> Option<f64> {
        self.terms.iter().find(|term| term.name == name).map(|term| term.mean)
    }
}

/// A set of images on the device, the program over it, and the index of each image in its source.
struct Split {
    graph: LossGraph,
    program: ProgramId,
    ids: Vec<u32>,
}

impl Split {
    fn indices(&self, rows: impl Iterator<Item = u32>) -> Vec<SampleIndex> {
        rows.map(|row| SampleIndex { row, id: self.ids[row as usize] }).collect()
    }
    /// The per-image losses at these positions of the epoch, `[positions, terms]`.
    fn losses(&self, backend: &dyn Backend, positions: Range<usize>) -> Result<Vec<f32>> {
        let width = self.graph.losses.width;
        let mut losses = vec![0.0; width * positions.len()];
        backend.download(self.graph.losses.buf, width * positions.start, &mut losses)?;
        Ok(losses)
    }
}

/// A training run. Between calls it is at a step boundary, where a checkpoint can be taken.
pub struct Trainer {
    plan: Plan,
    backend: Box<dyn Backend>,
    train: Split,
    test: Option<Split>,
    spec: Spec,
    progress: Progress,
    /// The per-image losses of the epoch so far, `[progress.at, terms]`.
    losses: Vec<f32>,
    /// Whether the permutation of the epoch is on the device.
    permuted: bool,
}

impl Trainer {
    /// Prepares a run, from the start or from a checkpoint.
    ///
    /// # Errors
    /// Images that do not fit the network; a checkpoint of another run; an unavailable device.
    pub fn new(
        mut spec: Spec,
        train: Dataset,
        test: Option<Dataset>,
        checkpoint: Option<Model>,
        device: Device,
    ) -> Result<Trainer> {
        spec.check()?;
        let mut plan = Plan::new(spec.training.batch.min(train.items()));
        let mut build = |data: &Dataset| -> Result<_, DataError> {
            data.expect_size(spec.network.image)?;
            data.expect_unit_range()?;
            Ok(loss_graph(&mut plan, &spec.network, &spec.objective, &spec.data, data.items(), data.pixel_type()))
        };
        let graphs = (build(&train)?, test.as_ref().map(build).transpose().map_err(Error::TestImages)?);
        let step = graphs.0.training(&mut plan);
        // The optimizer starts with moments of zero, as every buffer does.
        let resumes = checkpoint.is_some();
        let (progress, weights) = match checkpoint {
            Some(model) => (resumable(&model.spec, &spec)?, {
                spec.training.steps = model.spec.training.steps;
                model.weights
            }),
            None => (Progress { epoch: 1, at: 0 }, initial(&plan, &spec, &train)),
        };
        let losses = resumed_losses(&weights, progress, train.items(), graphs.0.losses.width)?;
        parameters::check(&plan, &weights, resumes)?;
        let mut backend = device.open(&plan, spec.training.precision)?;
        parameters::upload(&mut *backend, &plan, &weights, resumes)?;
        let mut load = |graph: LossGraph, program: Program, data: Dataset| {
            let ids = data.upload(&mut *backend, graph.images, graph.labels)?;
            Ok::<Split, Error>(Split { graph, program: backend.compile(&program)?, ids })
        };
        let test = graphs.1.zip(test).map(|(graph, data)| load(graph.clone(), graph.evaluation(), data)).transpose()?;
        let train = load(graphs.0, step, train)?;
        let state = backend.state();
        (state.seed, state.steps) = (spec.training.seed, spec.training.steps);
        (state.beta, state.adam) = (spec.objective.beta as f32, Adam::new(spec.training.lr as f32));
        let steps_per_epoch = train.ids.len().div_ceil(spec.training.batch) as f64;
        state.warmup = (spec.objective.kl_warmup * steps_per_epoch).ceil() as u64;
        Ok(Trainer { plan, backend, train, test, spec, progress, losses, permuted: false })
    }

    /// The current epoch.
    pub fn progress(&self) -> Progress {
        self.progress
    }
    /// The spec of the model.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }
    /// Steps taken since the start.
    pub fn taken(&self) -> u64 {
        self.spec.training.steps
    }
    /// Whether all epochs are done.
    pub fn complete(&self) -> bool {
        self.progress.epoch > self.spec.training.epochs
    }
    /// Images in an epoch.
    pub fn images(&self) -> usize {
        self.train.ids.len()
    }

    /// Uploads the permutation of the epoch, as part of its time.
    fn permute(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.permuted, true) {
            return Ok(());
        }
        let (n, epoch) = (self.train.ids.len(), self.progress.epoch as u32);
        let permutation = permutation(n, self.spec.training.seed, Purpose::Order, epoch);
        self.backend.upload_indices(&self.train.indices(permutation.into_iter()))?;
        let state = self.backend.state();
        (state.epoch, state.at, state.items) = (epoch, self.progress.at, n);
        Ok(())
    }

    /// Takes up to `most` steps, not past the end of the epoch. At its end, true: then comes [`end_epoch`](Self::end_epoch).
    ///
    /// # Errors
    /// [`Error::NotFinite`] for a loss; only an earlier checkpoint is usable then.
    pub fn steps(&mut self, most: usize) -> Result<bool> {
        self.permute()?;
        let (before, first) = (self.progress.at, self.spec.training.steps);
        let steps = most.min(self.backend.state().steps_left());
        self.backend.run(self.train.program, steps)?;
        let state = *self.backend.state();
        self.progress.at = state.at.min(state.items);
        self.spec.training.steps = state.steps;
        let new = self.train.losses(&*self.backend, before..self.progress.at)?;
        if let Some(bad) = new.iter().position(|v| !v.is_finite()) {
            let step = first + 1 + (bad / self.train.graph.losses.width / self.spec.training.batch) as u64;
            return Err(self.not_finite("the loss", step));
        }
        self.losses.extend(new);
        Ok(state.steps_left() == 0)
    }

    fn not_finite(&self, what: &str, step: u64) -> Error {
        Error::NotFinite { what: what.into(), step, epoch: self.progress.epoch, lr: self.spec.training.lr }
    }

    /// The training losses of the current epoch so far, each from the weights of its step.
    pub fn losses(&self) -> Losses {
        Losses::of(&self.losses, &self.spec.objective)
    }

    /// Ends a complete epoch: evaluates the test images, if any, and moves to the next epoch.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for a weight or the test loss.
    pub fn end_epoch(&mut self) -> Result<Option<Losses>> {
        self.expect_finite_weights()?;
        let losses = self.evaluate()?;
        if losses.as_ref().is_some_and(|losses| !losses.loss().is_finite()) {
            return Err(self.not_finite("the test loss", self.spec.training.steps));
        }
        self.progress = Progress { epoch: self.progress.epoch + 1, at: 0 };
        self.losses.clear();
        self.permuted = false;
        Ok(losses)
    }

    /// The losses of the test images with sampled z, with the same noise each time.
    fn evaluate(&mut self) -> Result<Option<Losses>> {
        let Some(test) = self.test.as_ref() else { return Ok(None) };
        let trained = *self.backend.state();
        let items = test.ids.len();
        self.backend.upload_indices(&test.indices(0..items as u32))?;
        *self.backend.state() = State { epoch: 0, at: 0, items, ..trained };
        let steps = self.backend.state().steps_left();
        self.backend.run(test.program, steps)?;
        *self.backend.state() = trained;
        Ok(Some(Losses::of(&test.losses(&*self.backend, 0..items)?, &self.spec.objective)))
    }

    /// Checks every weight on the device; the download after a failure names it.
    fn expect_finite_weights(&self) -> Result<()> {
        for parameter in self.plan.params() {
            if !self.backend.all_finite(parameter.param.buf)? {
                self.weights(false)?;
            }
        }
        Ok(())
    }

    /// The weights, and with `moments` the optimizer's, if all are finite.
    fn weights(&self, moments: bool) -> Result<StateDict> {
        let weights = parameters::download(&*self.backend, &self.plan, moments)?;
        match weights.iter().find(|(_, w)| w.values.iter().any(|v| !v.is_finite())) {
            Some((name, _)) => Err(self.not_finite(name, self.spec.training.steps)),
            None => Ok(weights),
        }
    }

    /// The model as it is now.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for a weight.
    pub fn model(&self) -> Result<Model> {
        Ok(Model { spec: self.spec.clone(), weights: self.weights(false)? })
    }

    /// The state to resume from: weights, moments, progress and losses.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for a weight: a checkpoint must not replace a good one.
    pub fn checkpoint(&self) -> Result<Model> {
        let spec = Spec { checkpoint: Some(self.progress), ..self.spec.clone() };
        let mut weights = self.weights(true)?;
        if self.progress.at > 0 {
            let shape = vec![self.progress.at, self.train.graph.losses.width];
            weights.insert(TERMS.into(), Weight { shape, values: self.losses.clone() });
        }
        Ok(Model { spec, weights })
    }
}

/// The tensor of a checkpoint that holds the per-image losses of the current epoch, `[images, terms]`.
const TERMS: &str = "terms";

/// The losses of the current epoch in a checkpoint.
fn resumed_losses(weights: &StateDict, progress: Progress, images: usize, width: usize) -> Result<Vec<f32>> {
    let losses = weights.get(TERMS).map_or(vec![], |weight| weight.values.clone());
    if losses.len() != width * progress.at || progress.at > images {
        return Err(ResumeError::Losses { expected: progress.at, got: losses.len() / width }.into());
    }
    Ok(losses)
}

/// The initial weights.
fn initial(plan: &Plan, spec: &Spec, train: &Dataset) -> StateDict {
    let mut weights = parameters::initial(plan, spec.training.seed, spec.training.init);
    if spec.training.output_bias == OutputBias::Mean
        && let Some(bias) = weights.get_mut(&format!("{}.bias", network::output_name(&spec.network)))
    {
        let means = train.mean_pixels();
        // One bias per pixel, or one in all after a convolution; biases of log variances keep their initial value.
        let logit = |p: f64| (p / (1.0 - p)).ln() as f32;
        let own = bias.values.len() >= means.len();
        let all = means.iter().sum::<f64>() / means.len() as f64;
        let to = if own { &means[..] } else { std::slice::from_ref(&all) };
        bias.values.iter_mut().zip(to).for_each(|(b, p)| *b = logit(p.clamp(1e-3, 1.0 - 1e-3)));
    }
    weights
}

/// The progress of a checkpoint, if its run is the requested one but for what does not change the result.
fn resumable(checkpoint: &Spec, asked: &Spec) -> Result<Progress, ResumeError> {
    let progress = checkpoint.checkpoint.ok_or(ResumeError::Finished)?;
    let comparable = |spec: &Spec| {
        let mut spec = Spec { checkpoint: None, tool: String::new(), ..spec.clone() };
        (spec.training.epochs, spec.training.steps) = (0, 0);
        serde_json::to_value(spec).expect("a spec is plain data")
    };
    if let Some((field, expected, got)) = difference("", &comparable(checkpoint), &comparable(asked)) {
        return Err(ResumeError::Differs { field, expected, got });
    }
    let done = progress.epoch - (progress.at == 0) as usize;
    if asked.training.epochs < done {
        return Err(ResumeError::Epochs { done, epochs: asked.training.epochs });
    }
    Ok(progress)
}

/// The path and the values of the first difference between two JSON values; a missing one is "none".
fn difference(path: &str, a: &serde_json::Value, b: &serde_json::Value) -> Option<(String, String, String)> {
    match (a.as_object(), b.as_object()) {
        (Some(a), Some(b)) => a.keys().chain(b.keys()).find_map(|key| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let [a, b] = [a, b].map(|object| object.get(key).unwrap_or(&serde_json::Value::Null));
            difference(&path, a, b)
        }),
        _ => (a != b).then(|| {
            let [a, b] = [a, b].map(|value| if value.is_null() { "none".to_string() } else { value.to_string() });
            (path.to_string(), a, b)
        }),
    }
}
