//! Latents, computed one batch at a time, and their frames.

use common::model::Network;
use ndarray::{Array1, Array2};
use std::ops::Range;
use vae_cli::Result;
use vae_stream::{Data, Dtype, Frame, Head, Tensor, TensorSpec, Writer};

/// A sequence of N latents.
pub trait LatentSequence {
    /// N.
    fn len(&self) -> usize;

    /// z `[n, Z]` of a range. Each latent is a function of its index alone, so that the batch size changes no value.
    ///
    /// # Errors
    /// Those of the device that evaluates a learned prior.
    fn z(&mut self, range: Range<usize>) -> Result<Array2<f32>>;

    /// The labels y `[n]` of a range, if the latents have any.
    fn y(&self, _range: Range<usize>) -> Option<Tensor> {
        None
    }
}

/// Makes `z`, `i` and, if the input has labels or the model is conditional, `y` the only tensors of a head.
pub fn describe(head: &mut Head, network: &Network) {
    let y = head.tensor("y").or_else(|| network.classes.map(|_| TensorSpec::new(Dtype::U8, &[])));
    head.tensors().iter().for_each(|(name, _)| head.remove_tensor(name));
    head.set_tensor("z", TensorSpec::new(Dtype::F32, &[network.latent]));
    head.set_tensor("i", TensorSpec::new(Dtype::I64, &[]));
    if let Some(y) = y {
        head.set_tensor("y", y);
    }
}

/// Writes latents in batches, with consecutive indices.
pub struct LatentWriter<'a> {
    writer: &'a mut Writer,
    batch: usize,
    written: usize,
}

impl LatentWriter<'_> {
    /// At most `batch` latents per frame.
    pub fn new(writer: &mut Writer, batch: usize) -> LatentWriter<'_> {
        LatentWriter { writer, batch, written: 0 }
    }

    /// Writes a whole sequence.
    pub fn write(&mut self, latents: &mut dyn LatentSequence) -> Result<()> {
        let count = latents.len();
        for first in (0..count).step_by(self.batch) {
            let range = first..count.min(first + self.batch);
            let i: Array1<i64> = range.clone().map(|k| (self.written + k) as i64).collect();
            let z = latents.z(range.clone())?;
            let mut data = Data::new([("z", Tensor::from_array(&z)), ("i", Tensor::from_array(&i))]);
            if let Some(y) = latents.y(range) {
                data.set("y", y);
            }
            self.writer.write(data)?;
        }
        self.written += count;
        Ok(())
    }

    /// Writes any other frame unchanged.
    pub fn pass_through(&mut self, frame: Frame) -> Result<()> {
        Ok(self.writer.write(frame)?)
    }
}
