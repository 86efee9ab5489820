//! Training: epochs over a set of images, evaluation by sampling after each, and checkpoints that go on to the bit.

use crate::backend::{Adam, Backend, Device, SampleIndex, State};
use crate::dataset::Dataset;
use crate::math::tree_sum;
use crate::model::{Model, OutputBias, Progress, Spec, StateDict, Weight};
use crate::network::{self, LossGraph, loss_graph};
use crate::parameters;
use crate::plan::{Plan, Program};
use crate::rng::{Purpose, permutation};
use crate::{Error, Result};

/// The loss of some images, in nats per image, by its parts.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Losses {
    /// How many images.
    pub images: usize,
    /// -log p(x given z), summed over pixels, averaged over draws and images.
    pub recon: f64,
    /// KL(q(z given x) to p(z)), summed over dimensions, averaged over images.
    pub kl: f64,
    /// The weight of the KL, after its warm-up.
    pub beta: f64,
}

impl Losses {
    /// From reconstruction and KL of each image, one after the other.
    fn of(terms: &[f32], beta: f64) -> Losses {
        let images = terms.len() / 2;
        let mean = |part: usize| {
            let values: Vec<f64> = terms.chunks_exact(2).map(|t| t[part] as f64).collect();
            tree_sum(&values) / images as f64
        };
        Losses { images, recon: mean(0), kl: mean(1), beta }
    }
    /// What training minimises: recon + beta · kl; at beta 1 the negative ELBO.
    pub fn loss(&self) -> f64 {
        self.recon + self.beta * self.kl
    }
}

/// A set of images on the device, its objective, and the order in which it is visited.
struct Part {
    graph: LossGraph,
    program: Program,
    ids: Vec<u32>,
}

impl Part {
    fn indices(&self, rows: impl Iterator<Item = u32>) -> Vec<SampleIndex> {
        rows.map(|row| SampleIndex { row, id: self.ids[row as usize] }).collect()
    }
    fn terms(&self, backend: &dyn Backend, images: usize) -> Result<Vec<f32>> {
        let mut terms = vec![0.0; self.graph.losses.width * images];
        backend.download(self.graph.losses.buf, &mut terms)?;
        Ok(terms)
    }
}

/// A run of training. Between its calls it is at a step's end, where a checkpoint can be taken.
pub struct Trainer {
    plan: Plan,
    backend: Box<dyn Backend>,
    train: Part,
    test: Option<Part>,
    spec: Spec,
    progress: Progress,
    /// Whether the order of the epoch under way is on the device.
    ordered: bool,
}

impl Trainer {
    /// Prepares a run, from the start or from a checkpoint.
    ///
    /// # Errors
    /// Images that do not fit the network; a checkpoint of another run; a device that is not there.
    pub fn new(
        mut spec: Spec,
        train: Dataset,
        test: Option<Dataset>,
        checkpoint: Option<Model>,
        device: Device,
    ) -> Result<Trainer> {
        spec.check()?;
        let mut plan = Plan::new(spec.training.batch.min(train.items()));
        let mut build = |data: &Dataset| {
            data.expect_size(spec.network.image)?;
            data.expect_unit_range()?;
            Ok(loss_graph(&mut plan, &spec.network, &spec.objective, &spec.data, data.items(), data.pixel_type()))
        };
        let within = |e: Error| e.within("test images");
        let parts = (build(&train)?, test.as_ref().map(build).transpose().map_err(within)?);
        let step = parts.0.training(&mut plan);
        let (progress, weights) = match checkpoint {
            Some(model) => (resumable(&model.spec, &spec)?, {
                spec.training.steps = model.spec.training.steps;
                model.weights
            }),
            None => (Progress { epoch: 1, at: 0 }, with_moments(start(&plan, &spec, &train))),
        };
        parameters::check(&plan, &weights, true)?;
        let mut backend = device.open(&plan, spec.training.precision)?;
        parameters::upload(&mut *backend, &plan, &weights, true)?;
        let mut place = |graph: LossGraph, program: Program, data: Dataset| {
            let ids = data.upload(&mut *backend, graph.images, graph.labels)?;
            Ok::<Part, Error>(Part { graph, program, ids })
        };
        let test = parts.1.zip(test).map(|(graph, data)| place(graph.clone(), graph.evaluation(), data)).transpose()?;
        let train = place(parts.0, step, train)?;
        let terms = weights.get(TERMS).map_or(&[][..], |w| &w.values);
        if terms.len() != 2 * progress.at || progress.at > train.ids.len() {
            return Err(Error::Data(format!(
                "the checkpoint is damaged: expected the losses of {} images, got {}; remove it",
                progress.at,
                terms.len() / 2
            )));
        }
        backend.upload(train.graph.losses.buf, terms)?;
        let state = backend.state();
        (state.seed, state.steps) = (spec.training.seed, spec.training.steps);
        (state.beta, state.adam) = (spec.objective.beta as f32, Adam::new(spec.training.lr as f32));
        let steps_per_epoch = train.ids.len().div_ceil(spec.training.batch) as f64;
        state.warmup = (spec.objective.kl_warmup * steps_per_epoch).ceil() as u64;
        Ok(Trainer { plan, backend, train, test, spec, progress, ordered: false })
    }

    /// The epoch under way.
    pub fn progress(&self) -> Progress {
        self.progress
    }
    /// What is being trained.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }
    /// Steps taken since the start.
    pub fn taken(&self) -> u64 {
        self.spec.training.steps
    }
    /// Whether every epoch is done.
    pub fn complete(&self) -> bool {
        self.progress.epoch > self.spec.training.epochs
    }
    /// Images in an epoch.
    pub fn images(&self) -> usize {
        self.train.ids.len()
    }

    /// Puts the order of the epoch under way on the device. It is a part of the epoch, and of its time.
    fn order(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.ordered, true) {
            return Ok(());
        }
        let (n, epoch) = (self.train.ids.len(), self.progress.epoch as u32);
        let order = permutation(n, self.spec.training.seed, Purpose::Order, epoch);
        self.backend.upload_indices(&self.train.indices(order.into_iter()))?;
        let state = self.backend.state();
        (state.epoch, state.at, state.items) = (epoch, self.progress.at, n);
        Ok(())
    }

    /// Takes up to so many steps, not past the end of the epoch. At its end, true: then comes [`end_epoch`](Self::end_epoch).
    ///
    /// # Errors
    /// [`Error::Failed`] where a loss is not finite; the run is then lost, but for an earlier checkpoint.
    pub fn steps(&mut self, most: usize) -> Result<bool> {
        self.order()?;
        let (before, first) = (self.progress.at, self.spec.training.steps);
        let steps = most.min(self.backend.state().steps_left());
        self.backend.run(&self.train.program, steps)?;
        let state = *self.backend.state();
        self.progress.at = state.at.min(state.items);
        self.spec.training.steps = state.steps;
        let terms = self.train.terms(&*self.backend, self.progress.at)?;
        if let Some(bad) = terms[2 * before..].iter().position(|v| !v.is_finite()) {
            let step = first + 1 + (bad / 2 / self.spec.training.batch) as u64;
            return Err(self.diverged("the loss", step));
        }
        Ok(state.steps_left() == 0)
    }

    fn diverged(&self, what: &str, step: u64) -> Error {
        let (epoch, lr) = (self.progress.epoch, self.spec.training.lr);
        Error::Failed(format!(
            "{what} is not finite at step {step}, in epoch {epoch}, with lr {lr:?}; try a smaller --lr"
        ))
    }

    /// The losses of the images seen in the epoch under way, each with the weights of its time.
    ///
    /// # Errors
    /// Those of the device.
    pub fn losses(&self) -> Result<Losses> {
        Ok(Losses::of(&self.train.terms(&*self.backend, self.progress.at)?, self.spec.objective.beta))
    }

    /// Ends an epoch whose images were all seen: evaluates the test images, if there are any, and goes to the next.
    ///
    /// # Errors
    /// [`Error::Failed`] where a weight or the test loss is not finite.
    pub fn end_epoch(&mut self) -> Result<Option<Losses>> {
        self.weights(false)?;
        let losses = self.evaluate()?;
        if losses.is_some_and(|l| !l.loss().is_finite()) {
            return Err(self.diverged("the test loss", self.spec.training.steps));
        }
        self.progress = Progress { epoch: self.progress.epoch + 1, at: 0 };
        self.ordered = false;
        Ok(losses)
    }

    /// The losses of the test images, by sampling, with noise that is the same each time.
    fn evaluate(&mut self) -> Result<Option<Losses>> {
        let Some(test) = self.test.as_ref() else { return Ok(None) };
        let trained = *self.backend.state();
        let items = test.ids.len();
        self.backend.upload_indices(&test.indices(0..items as u32))?;
        *self.backend.state() = State { epoch: 0, at: 0, items, ..trained };
        let steps = self.backend.state().steps_left();
        self.backend.run(&test.program, steps)?;
        *self.backend.state() = trained;
        Ok(Some(Losses::of(&test.terms(&*self.backend, items)?, self.spec.objective.beta)))
    }

    /// The weights, and with `moments` the optimizer's, if all are finite.
    fn weights(&self, moments: bool) -> Result<StateDict> {
        let weights = parameters::download(&*self.backend, &self.plan, moments)?;
        match weights.iter().find(|(_, w)| w.values.iter().any(|v| !v.is_finite())) {
            Some((name, _)) => Err(self.diverged(name, self.spec.training.steps)),
            None => Ok(weights),
        }
    }

    /// The model as it is now.
    ///
    /// # Errors
    /// [`Error::Failed`] where a weight is not finite.
    pub fn model(&self) -> Result<Model> {
        Ok(Model { spec: self.spec.clone(), weights: self.weights(false)? })
    }

    /// Everything that going on needs.
    ///
    /// # Errors
    /// [`Error::Failed`] where a weight is not finite: such a checkpoint would take the place of a good one.
    pub fn checkpoint(&self) -> Result<Model> {
        let spec = Spec { checkpoint: Some(self.progress), ..self.spec.clone() };
        let mut weights = self.weights(true)?;
        if self.progress.at > 0 {
            let values = self.train.terms(&*self.backend, self.progress.at)?;
            weights.insert(TERMS.into(), Weight { shape: vec![self.progress.at, 2], values });
        }
        Ok(Model { spec, weights })
    }
}

/// The tensor of a checkpoint that holds the losses of the epoch under way, `[images, 2]`.
const TERMS: &str = "terms";

/// The weights that a run starts from.
fn start(plan: &Plan, spec: &Spec, train: &Dataset) -> StateDict {
    let mut weights = parameters::initial(plan, spec.training.seed, spec.training.init);
    if spec.training.output_bias == OutputBias::Mean
        && let Some(bias) = weights.get_mut(&format!("{}.bias", network::output(&spec.network)))
    {
        let means = train.mean_pixels();
        // One for each pixel, or, behind a convolution, one for all; a variance that is put out after them is left as it is.
        let logit = |p: f64| (p / (1.0 - p)).ln() as f32;
        let own = bias.values.len() >= means.len();
        let all = means.iter().sum::<f64>() / means.len() as f64;
        let to = if own { &means[..] } else { std::slice::from_ref(&all) };
        bias.values.iter_mut().zip(to).for_each(|(b, p)| *b = logit(p.clamp(1e-3, 1.0 - 1e-3)));
    }
    weights
}

/// The optimizer starts with moments of zero.
fn with_moments(mut weights: StateDict) -> StateDict {
    for (name, weight) in weights.clone() {
        let zero = Weight { values: vec![0.0; weight.values.len()], ..weight };
        weights.insert(format!("adam.m.{name}"), zero.clone());
        weights.insert(format!("adam.v.{name}"), zero);
    }
    weights
}

/// Where a checkpoint goes on, if it is of the run that is asked for: all may differ that does not change the result.
fn resumable(checkpoint: &Spec, asked: &Spec) -> Result<Progress> {
    let progress = checkpoint.checkpoint.ok_or_else(|| {
        Error::Data(
            "the checkpoint is a finished model, without the optimizer's state; remove it or name another".into(),
        )
    })?;
    let comparable = |spec: &Spec| {
        let mut spec = Spec { checkpoint: None, tool: String::new(), ..spec.clone() };
        (spec.training.epochs, spec.training.steps) = (0, 0);
        serde_json::to_value(spec).expect("a spec is plain data")
    };
    if let Some((path, was, is)) = difference("", &comparable(checkpoint), &comparable(asked)) {
        return Err(Error::Usage(if path.starts_with("data.") || path == "network.image" {
            format!(
                "--resume: the images differ from the checkpoint's: expected {path} {was}, got {is}; give the same images, or remove the checkpoint"
            )
        } else {
            let option = path.rsplit('.').next().unwrap_or(&path).replace('_', "-");
            format!(
                "--resume: --{option} differs from the checkpoint's: expected {was}, got {is}; give the same value, or remove the checkpoint"
            )
        }));
    }
    let done = progress.epoch - (progress.at == 0) as usize;
    if asked.training.epochs < done {
        return Err(Error::Usage(format!(
            "--resume: the checkpoint is in epoch {done}: expected --epochs of at least that, got {}",
            asked.training.epochs
        )));
    }
    Ok(progress)
}

/// The first leaf in which two JSON values differ: its path and both values.
fn difference(path: &str, a: &serde_json::Value, b: &serde_json::Value) -> Option<(String, String, String)> {
    match (a.as_object(), b.as_object()) {
        (Some(a), Some(b)) => a.iter().find_map(|(key, a)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            difference(&path, a, b.get(key).unwrap_or(&serde_json::Value::Null))
        }),
        _ => (a != b).then(|| (path.to_string(), a.to_string(), b.to_string())),
    }
}
