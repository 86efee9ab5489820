//! Latents that are made a few at a time, and the frames that they leave in.

use common::model::Network;
use ndarray::{Array1, Array2};
use std::ops::Range;
use vae_cli::Result;
use vae_stream::{Data, Dtype, Frame, Head, Tensor, TensorSpec, Writer};

/// A sequence of latents.
pub trait Latents {
    /// How many.
    fn count(&self) -> usize;

    /// Some of them, z `[N, Z]`. Each is a function of its place alone, so that frames of any size hold the same.
    ///
    /// # Errors
    /// Those of the device, where one computes them.
    fn z(&mut self, which: Range<usize>) -> Result<Array2<f32>>;

    /// The labels of some of them, if they have any.
    fn y(&self, _which: Range<usize>) -> Option<Tensor> {
        None
    }
}

/// Lets a head announce latents, with the labels `y` that it knows, or that a conditional model is given, and nothing else.
pub fn describe(head: &mut Head, network: &Network) {
    let y = head.tensor("y").or_else(|| network.classes.map(|_| TensorSpec::new(Dtype::U8, &[])));
    head.tensors().iter().for_each(|(name, _)| head.remove_tensor(name));
    head.set_tensor("z", TensorSpec::new(Dtype::F32, &[network.latent]));
    head.set_tensor("i", TensorSpec::new(Dtype::I64, &[]));
    if let Some(y) = y {
        head.set_tensor("y", y);
    }
}

/// Writes latents in frames, numbered.
pub struct Frames<'a> {
    writer: &'a mut Writer,
    batch: usize,
    written: usize,
}

impl Frames<'_> {
    /// At most `batch` latents to a frame.
    pub fn new(writer: &mut Writer, batch: usize) -> Frames<'_> {
        Frames { writer, batch, written: 0 }
    }

    /// Writes all of these.
    pub fn write(&mut self, latents: &mut dyn Latents) -> Result<()> {
        let count = latents.count();
        for first in (0..count).step_by(self.batch) {
            let which = first..count.min(first + self.batch);
            let i: Array1<i64> = which.clone().map(|k| (self.written + k) as i64).collect();
            let z = latents.z(which.clone())?;
            let mut data = Data::new([("z", Tensor::from_array(&z)), ("i", Tensor::from_array(&i))]);
            if let Some(y) = latents.y(which) {
                data.set("y", y);
            }
            self.writer.write(data)?;
        }
        self.written += count;
        Ok(())
    }

    /// Writes a frame that is no latents of ours.
    pub fn pass_on(&mut self, frame: Frame) -> Result<()> {
        Ok(self.writer.write(frame)?)
    }
}
