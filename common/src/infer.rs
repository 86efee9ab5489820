//! Inference: encoding, decoding and sampling from the prior, batch by batch.
//!
//! The result for an image does not depend on its batch: each row of a GEMM is a sum of its own, in an order that depends on
//! the network alone.

use crate::backend::{Backend, Device, ProgramId, SampleIndex};
use crate::dataset::Dataset;
use crate::model::{Network, Trained};
use crate::network::{self, Encoded};
use crate::parameters;
use crate::plan::{Activations, PixelType, Plan, Precision, Program, Table};
use crate::{DataError, Error, Result};
use clap::ValueEnum;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, s};
use vae_numerics::math::exp;
use vae_numerics::rng::{Purpose, normals};
use vae_stream::images::{ImageShape, Pixels};

/// N, images in a batch.
const BATCH: usize = 256;

/// Outputs of an encoder, each `[N, Z]`.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Latent {
    /// A draw from q(z given x) where draws are asked for, else mu.
    #[value(help = "mu, or a draw where one is asked for")]
    Z,
    /// The means of q(z given x), or the code of an autoencoder.
    #[value(help = "the mean of q(z given x)")]
    Mu,
    /// The logarithms of its variances; a code that is a point has none.
    #[value(help = "the logarithm of its variance")]
    Logvar,
}

impl Latent {
    /// The tensor's name in streams.
    pub fn name(self) -> &'static str {
        match self {
            Latent::Z => "z",
            Latent::Mu => "mu",
            Latent::Logvar => "logvar",
        }
    }
}

/// Encoders or decoders for [`Device::workers`] threads, fewer where the device lacks memory. Each gives the same bytes.
///
/// # Errors
/// Those of the first.
pub fn workers<W>(device: Device, make: impl Fn(Device) -> Result<W>) -> Result<Vec<W>> {
    let mut workers = vec![make(device)?];
    // The others are copies of the first: the only new failure is a lack of memory.
    workers.extend((1..device.workers()).map_while(|_| make(device).ok()));
    Ok(workers)
}

/// A backend with one compiled program, for batches of up to [`BATCH`].
struct Engine {
    backend: Box<dyn Backend>,
    program: ProgramId,
    /// The labels of the batch, in a conditional model.
    labels: Option<Table>,
}

impl Engine {
    fn new(model: &impl Trained, plan: &mut Plan, labels: Option<Table>, seed: u32, device: Device) -> Result<Engine> {
        parameters::check(plan, model, false)?;
        let mut backend = device.open(plan, Precision::Fp32)?;
        parameters::upload(&mut *backend, plan, model, false)?;
        backend.state().seed = seed;
        let program = backend.compile(&Program::forward(plan.take()))?;
        Ok(Engine { backend, program, labels })
    }
    /// Runs the program on a batch with these noise keys and, in a conditional model, labels.
    fn run(&mut self, ids: impl Iterator<Item = u32>, labels: Option<&[u8]>) -> Result<()> {
        let order: Vec<SampleIndex> = ids.enumerate().map(|(k, id)| SampleIndex { row: k as u32, id }).collect();
        if let Some(table) = self.labels {
            self.backend.upload_bytes(table.buf, labels.expect("a conditional model is given labels"))?;
        }
        self.backend.upload_indices(&order)?;
        let state = self.backend.state();
        (state.at, state.items) = (0, order.len());
        self.backend.run(self.program, 1)
    }
    /// Downloads the first rows of a buffer with one row per image.
    fn rows(&self, from: Activations, into: ArrayViewMut2<f32>) -> Result<()> {
        self.backend.download(from.buf, 0, into.into_slice().expect("whole rows of a new array are contiguous"))
    }
}

/// The table of the labels of a batch, in a conditional model.
fn labels(plan: &mut Plan, network: &Network) -> Option<Table> {
    network.classes.map(|_| plan.table(BATCH, 1, PixelType::U8))
}

/// The encoder of a model.
pub struct Encoder {
    engine: Engine,
    images: Table,
    /// q `[N, 2Z]`, mu and then logvar, or the code `[N, Z]` of an autoencoder.
    q: Activations,
    /// A draw from q, `[N, 1, Z]`.
    draw: Option<Activations>,
    wanted: Vec<Latent>,
    image: ImageShape,
    latent: usize,
}

impl Encoder {
    /// For images of this type, with these outputs; `sample`: the seed of z, which is a draw then.
    ///
    /// # Errors
    /// A missing or misshapen tensor; logvar or draws of a point bottleneck.
    pub fn new(
        model: &impl Trained,
        dtype: PixelType,
        wanted: &[Latent],
        sample: Option<u32>,
        device: Device,
    ) -> Result<Encoder> {
        let (network, data) = (&model.spec().network, &model.spec().data);
        match network.bottleneck.is_distribution() {
            false if sample.is_some() => return Err(Error::PointCode),
            false if wanted.contains(&Latent::Logvar) => return Err(Error::NoVariance),
            _ => {}
        }
        let mut plan = Plan::new(BATCH);
        let images = plan.table(BATCH, network.values(), dtype);
        let labels = labels(&mut plan, network);
        let Encoded { q, .. } = network::encoded(&mut plan, network, data, images, labels);
        let draw = sample.filter(|_| wanted.contains(&Latent::Z)).map(|_| plan.sample(q, 1).0);
        let engine = Engine::new(model, &mut plan, labels, sample.unwrap_or(0), device)?;
        Ok(Encoder { engine, images, q, draw, wanted: wanted.into(), image: network.image, latent: network.latent })
    }

    /// Encodes N images to the requested outputs, in order. A conditional model needs labels.
    ///
    /// # Errors
    /// Images of another size or type than the model's, or with pixels outside [0, 1].
    pub fn encode(&mut self, data: &Dataset) -> Result<Vec<Array2<f32>>> {
        data.expect_size(self.image)?;
        data.expect_unit_range()?;
        if data.pixel_type() != self.images.dtype {
            return Err(DataError::DtypeChange.into());
        }
        let (n, latent) = (data.items(), self.latent);
        let mut outputs = vec![Array2::zeros([n, latent]); self.wanted.len()];
        let needs_q = self.wanted.iter().any(|wanted| *wanted != Latent::Z || self.draw.is_none());
        let mut q = Array2::zeros([n.min(BATCH), self.q.width]);
        for first in (0..n).step_by(BATCH) {
            let range = first..(first + BATCH).min(n);
            match data.values(first, range.len()) {
                Pixels::F32(values) => self.engine.backend.upload(self.images.buf, values)?,
                Pixels::U8(values) => self.engine.backend.upload_bytes(self.images.buf, values)?,
            }
            let labels = data.labels().map(|labels| &labels[range.clone()]);
            self.engine.run(data.ids()[range.clone()].iter().copied(), labels)?;
            let mut q = q.slice_mut(s![..range.len(), ..]);
            if needs_q {
                self.engine.rows(self.q, q.view_mut())?;
            }
            for (wanted, output) in self.wanted.iter().zip(&mut outputs) {
                let mut output = output.slice_mut(s![range.clone(), ..]);
                match (wanted, self.draw) {
                    (Latent::Z, Some(draw)) => self.engine.rows(draw, output)?,
                    (Latent::Z | Latent::Mu, _) => output.assign(&q.slice(s![.., ..latent])),
                    (Latent::Logvar, _) => output.assign(&q.slice(s![.., latent..])),
                }
            }
        }
        Ok(outputs)
    }
}

/// The decoder of a model.
pub struct Decoder {
    engine: Engine,
    z: Activations,
    x_hat: Activations,
}

impl Decoder {
    /// # Errors
    /// A missing or misshapen tensor.
    pub fn new(model: &impl Trained, device: Device) -> Result<Decoder> {
        let (network, objective) = (&model.spec().network, &model.spec().objective);
        let mut plan = Plan::new(BATCH);
        let z = plan.rows(1, network.latent);
        let labels = labels(&mut plan, network);
        let y = network::one_hot(&mut plan, network, labels);
        let logits = network::decoder(&mut plan, network, objective, z, y);
        let x_hat = network::means(&mut plan, network, logits);
        Ok(Decoder { engine: Engine::new(model, &mut plan, labels, 0, device)?, z, x_hat })
    }

    /// Decodes z `[N, Z]`, with N labels in a conditional model, to the means of pixels `[N, D]`. Messages count items from
    /// `first`.
    ///
    /// # Errors
    /// Latents of another width than the model's, or that are not finite.
    pub fn decode(&mut self, z: ArrayView2<f32>, labels: Option<&[u8]>, first: usize) -> Result<Array2<f32>> {
        let (n, width) = z.dim();
        if width != self.z.width {
            return Err(DataError::LatentWidth { expected: self.z.width, got: width }.into());
        }
        if let Some(((item, _), value)) = z.indexed_iter().find(|(_, v)| !v.is_finite()) {
            return Err(DataError::LatentNotFinite { item: first + item, value: *value }.into());
        }
        let z = z.as_standard_layout();
        let z = z.as_slice().expect("standard layout");
        let mut x_hat = Array2::zeros([n, self.x_hat.width]);
        for first in (0..n).step_by(BATCH) {
            let range = first..(first + BATCH).min(n);
            self.engine.backend.upload(self.z.buf, &z[first * width..range.end * width])?;
            self.engine.run(0..range.len() as u32, labels.map(|labels| &labels[range.clone()]))?;
            self.engine.rows(self.x_hat, x_hat.slice_mut(s![range, ..]))?;
        }
        Ok(x_hat)
    }
}

/// The prior of a model: N(0, I), or a learned p(z given y).
pub struct Prior {
    learned: Option<(Engine, Activations)>,
    latent: usize,
}

impl Prior {
    /// # Errors
    /// A missing or misshapen tensor; a model without a prior.
    pub fn new(model: &impl Trained, device: Device) -> Result<Prior> {
        let network = &model.spec().network;
        if !network.bottleneck.is_distribution() {
            return Err(Error::NoPrior);
        }
        let mut plan = Plan::new(BATCH);
        let labels = labels(&mut plan, network);
        let y = network::one_hot(&mut plan, network, labels);
        let learned = match network::prior(&mut plan, network, y) {
            Some(p) => Some((Engine::new(model, &mut plan, labels, 0, device)?, p)),
            None => None,
        };
        Ok(Prior { learned, latent: network.latent })
    }

    /// Draws number `first` to `first + count` of a seed: z `[count, Z]`, with standard deviations scaled by the temperature.
    /// A draw does not depend on its batch. A learned prior needs labels.
    ///
    /// # Errors
    /// Those of the device.
    pub fn draw(
        &mut self,
        seed: u32,
        first: usize,
        count: usize,
        labels: Option<&[u8]>,
        temperature: f32,
    ) -> Result<Array2<f32>> {
        let mut noise = Array2::zeros([count, self.latent]);
        for (k, mut row) in noise.rows_mut().into_iter().enumerate() {
            let row = row.as_slice_mut().expect("a row of a new array is contiguous");
            normals(row, seed, Purpose::Prior, [0, (first + k) as u32, 0]);
        }
        noise *= temperature;
        self.at(noise, labels)
    }

    /// `z = mu_p + sigma_p * eps` for eps `[N, Z]`: the identity for N(0, I). A learned prior needs N labels.
    ///
    /// # Errors
    /// Those of the device.
    pub fn at(&mut self, deviations: Array2<f32>, labels: Option<&[u8]>) -> Result<Array2<f32>> {
        let (count, mut z) = (deviations.nrows(), deviations);
        let Some((engine, p)) = &mut self.learned else { return Ok(z) };
        let mut priors = Array2::zeros([count, p.width]);
        for first in (0..count).step_by(BATCH) {
            let range = first..(first + BATCH).min(count);
            engine.run(0..range.len() as u32, labels.map(|labels| &labels[range.clone()]))?;
            engine.rows(*p, priors.slice_mut(s![range, ..]))?;
        }
        let (mu, logvar) = priors.view().split_at(Axis(1), self.latent);
        ndarray::Zip::from(&mut z).and(mu).and(logvar).for_each(|z, mu, logvar| *z = mu + exp(0.5 * logvar) * *z);
        Ok(z)
    }
}
