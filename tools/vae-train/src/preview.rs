//! Pictures of a model in training: the same images and the same noise after every epoch.

use common::Result;
use common::backend::Device;
use common::dataset::Dataset;
use common::images::Pixels;
use common::infer::{Decoder, Encoder, prior};
use common::model::Model;
use common::stream::{Data, Tensor};
use ndarray::Array2;

/// The images to reconstruct: the first of the test images, or of the others.
pub struct Preview {
    images: Dataset,
}

impl Preview {
    pub fn new(train: &Dataset, test: Option<&Dataset>, count: usize) -> Preview {
        let from = test.unwrap_or(train);
        Preview { images: from.slice(0..count.min(from.items())) }
    }

    /// The groups `recon`, x and x_hat through a drawn z, and `sample`, x_hat of draws from the prior.
    pub fn frames(&self, model: &Model, epoch: usize, device: Device) -> Result<Vec<Data>> {
        let (count, seed) = (self.images.items(), model.spec.training.seed);
        let [h, w] = self.images.image();
        let mut decoder = Decoder::new(model, device)?;
        let mut decoded = |z: &Array2<f32>| {
            let x_hat = decoder.decode(z.view(), 0)?.into_shape_with_order((count, h, w));
            Ok(Tensor::from_array(&x_hat.expect("a row holds H times W pixels")))
        };

        let latents = Encoder::new(model, self.images.cell(), Some(seed), device)?.encode(&self.images)?;
        let x = match self.images.pixels() {
            Pixels::U8(a) => Tensor::from_array(a),
            Pixels::F32(a) => Tensor::from_array(a),
        };
        let recon = [("x", x), ("x_hat", decoded(&latents.z.unwrap_or(latents.mu))?)];

        let z = prior(model.spec.network.latent(), seed, 0, count);
        let sample = [("x_hat", decoded(&z)?)];
        let group = |name: &str, data: Data| Data { group: Some(name.into()), epoch: Some(epoch as u64), ..data };
        Ok(vec![group("recon", Data::new(recon)), group("sample", Data::new(sample))])
    }
}
