//! Encoding and decoding with a finished model, frame by frame.
//!
//! What comes out for an image does not depend on the images beside it: each row of a product is a running sum of its own,
//! in an order that depends on the network alone.

use crate::backend::{Backend, Device, Precision, Visit};
use crate::dataset::{Dataset, Part};
use crate::model::Trained;
use crate::network;
use crate::parameters;
use crate::plan::{Cell, Plan, Program, Rows, Table};
use crate::rng::{Purpose, normals};
use crate::{Error, Result};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, s};

/// Images that the device takes at a time.
const BATCH: usize = 256;

/// What an encoder says of N images, each `[N, Z]`.
pub struct Latents {
    /// The means of q(z given x).
    pub mu: Array2<f32>,
    /// The logarithms of its variances.
    pub logvar: Array2<f32>,
    /// One draw from it, where draws are asked for.
    pub z: Option<Array2<f32>>,
}

/// A device with one plan, for batches of up to [`BATCH`].
struct Engine {
    backend: Box<dyn Backend>,
    program: Program,
}

impl Engine {
    fn new(model: &impl Trained, plan: &Plan, program: Program, seed: u32, device: Device) -> Result<Engine> {
        parameters::check(plan, model, false)?;
        let mut backend = device.open(plan, Precision::Fp32)?;
        parameters::upload(&mut *backend, plan, model, false)?;
        backend.state().seed = seed;
        Ok(Engine { backend, program })
    }
    fn run(&mut self, images: usize) -> Result<()> {
        let state = self.backend.state();
        (state.at, state.items) = (0, images);
        self.backend.run(&self.program, 1)
    }
    /// The first rows of a buffer with one row for each image, as many as fill these.
    fn rows(&self, from: Rows, into: ArrayViewMut2<f32>) -> Result<()> {
        self.backend.download(from.buf, into.into_slice().expect("whole rows of a new array are contiguous"))
    }
}

/// The encoder of a model.
pub struct Encoder {
    engine: Engine,
    images: Table,
    q: Rows,
    z: Option<Rows>,
    size: [usize; 2],
}

impl Encoder {
    /// For images of this type; `sample`: draw z with the noise of this seed.
    ///
    /// # Errors
    /// A model without the tensors of its network.
    pub fn new(model: &impl Trained, cell: Cell, sample: Option<u32>, device: Device) -> Result<Encoder> {
        let network = &model.spec().network;
        let mut plan = Plan::new(BATCH);
        let images = plan.table(BATCH, network.pixels(), cell);
        let x = network::images(&mut plan, images);
        let q = network::encoder(&mut plan, network, x);
        let z = sample.map(|_| plan.sample(q, 1).0);
        let program = Program::new(plan.take(), vec![]);
        let engine = Engine::new(model, &plan, program, sample.unwrap_or(0), device)?;
        Ok(Encoder { engine, images, q, z, size: network.image() })
    }

    /// Encodes N images; `ids` of the data key their noise.
    ///
    /// # Errors
    /// Images of another size or type than the model's, or with pixels outside [0, 1].
    pub fn encode(&mut self, data: &Dataset) -> Result<Latents> {
        data.expect_size(self.size)?;
        data.expect_unit_range()?;
        if data.cell() != self.images.cell {
            return Err(Error::Data(
                "the images change their dtype in the middle of the stream; expected one dtype".into(),
            ));
        }
        let (n, latent) = (data.items(), self.q.width / 2);
        let mut q = Array2::zeros([n, 2 * latent]);
        let mut z = self.z.map(|_| Array2::zeros([n, latent]));
        for first in (0..n).step_by(BATCH) {
            let count = BATCH.min(n - first);
            let order: Vec<Visit> = (0..count).map(|k| Visit { row: k as u32, id: data.ids()[first + k] }).collect();
            self.engine.backend.upload_order(&order)?;
            match data.part(first, count) {
                Part::Floats(values) => self.engine.backend.upload(self.images.buf, values)?,
                Part::Bytes(values) => {
                    let mut batch = values.to_vec();
                    batch.resize(BATCH * self.images.width, 0);
                    self.engine.backend.upload_bytes(self.images.buf, batch)?;
                }
            }
            self.engine.run(count)?;
            self.engine.rows(self.q, q.slice_mut(s![first..first + count, ..]))?;
            if let (Some(z), Some(from)) = (&mut z, self.z) {
                self.engine.rows(from, z.slice_mut(s![first..first + count, ..]))?;
            }
        }
        let (mu, logvar) = q.view().split_at(Axis(1), latent);
        Ok(Latents { mu: mu.to_owned(), logvar: logvar.to_owned(), z })
    }
}

/// The decoder of a model.
pub struct Decoder {
    engine: Engine,
    z: Rows,
    x_hat: Rows,
}

impl Decoder {
    /// # Errors
    /// A model without the tensors of its network.
    pub fn new(model: &impl Trained, device: Device) -> Result<Decoder> {
        let network = &model.spec().network;
        let mut plan = Plan::new(BATCH);
        let z = plan.rows(1, network.latent());
        let logits = network::decoder(&mut plan, network, z);
        let x_hat = network::means(&mut plan, &model.spec().objective, logits);
        let program = Program::new(plan.take(), vec![]);
        Ok(Decoder { engine: Engine::new(model, &plan, program, 0, device)?, z, x_hat })
    }

    /// z `[N, Z]` to the means of pixels, `[N, D]`; `first` is what messages call the first item.
    ///
    /// # Errors
    /// Latents of another width than the model's, or that are not finite.
    pub fn decode(&mut self, z: ArrayView2<f32>, first: usize) -> Result<Array2<f32>> {
        let (n, width) = z.dim();
        if width != self.z.width {
            let latent = self.z.width;
            return Err(Error::Data(format!("z has {width} dimensions: expected {latent}, as the model has")));
        }
        if let Some(((item, _), value)) = z.indexed_iter().find(|(_, v)| !v.is_finite()) {
            let item = first + item;
            return Err(Error::Data(format!("z of item {item} holds {value}: expected finite numbers")));
        }
        let z = z.as_standard_layout();
        let z = z.as_slice().expect("standard layout");
        let mut x_hat = Array2::zeros([n, self.x_hat.width]);
        for first in (0..n).step_by(BATCH) {
            let count = BATCH.min(n - first);
            self.engine.backend.upload(self.z.buf, &z[first * width..(first + count) * width])?;
            self.engine.run(count)?;
            self.engine.rows(self.x_hat, x_hat.slice_mut(s![first..first + count, ..]))?;
        }
        Ok(x_hat)
    }
}

/// Draws `first` to `first + count` from the prior N(0, I): z `[count, Z]`. Draw i of a seed is the same in any batch.
pub fn prior(latent: usize, seed: u32, first: usize, count: usize) -> Array2<f32> {
    let mut z = Array2::zeros([count, latent]);
    for (k, row) in z.as_slice_mut().expect("a new array is contiguous").chunks_exact_mut(latent).enumerate() {
        normals(row, seed, Purpose::Prior, [0, (first + k) as u32, 0]);
    }
    z
}
