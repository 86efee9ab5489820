//! Previews of a model in training: the same images and the same noise after every epoch.

use common::backend::Device;
use common::dataset::Dataset;
use common::infer::{Decoder, Encoder, Latent, Prior};
use common::model::Model;
use ndarray::{Array2, aview1};
use vae_cli::Result;
use vae_stream::images::Pixels;
use vae_stream::{Data, Tensor};

/// The images to reconstruct: the first of the test images, or else of the training images.
pub struct Preview {
    images: Dataset,
}

impl Preview {
    pub fn new(train: &Dataset, test: Option<&Dataset>, count: usize) -> Preview {
        let from = test.unwrap_or(train);
        Preview { images: from.slice(0..count.min(from.items())) }
    }

    /// The groups `recon`, x and x_hat through a drawn z, and `sample`, x_hat of draws from the prior; with labels y in a
    /// conditional model, whose draws go through the classes in turn.
    pub fn frames(&self, model: &Model, epoch: usize, device: Device) -> Result<Vec<Data>> {
        let (network, seed) = (&model.spec.network, model.spec.training.seed);
        let mut decoder = Decoder::new(model, device)?;
        let mut decoded = |z: &Array2<f32>, labels: Option<&[u8]>| -> Result<_> {
            let shape = (z.nrows(), network.image.height, network.image.width);
            let x_hat = decoder.decode(z.view(), labels, 0)?.into_shape_with_order(shape);
            Ok(Tensor::from_array(&x_hat.expect("a row holds H times W pixels")))
        };
        let group = |name: &str, tensors: Vec<(&str, Tensor)>, labels: Option<&[u8]>| {
            let mut data = Data::new(tensors);
            if let Some(labels) = labels {
                data.set("y", Tensor::from_array(&aview1(labels)));
            }
            Data { group: Some(name.into()), epoch: Some(epoch as u64), ..data }
        };

        let draws = network.bottleneck.is_distribution().then_some(seed);
        let mut encoder = Encoder::new(model, self.images.pixel_type(), &[Latent::Z], draws, device)?;
        let z = encoder.encode(&self.images)?.remove(0);
        let x = match self.images.pixels() {
            Pixels::U8(a) => Tensor::from_array(a),
            Pixels::F32(a) => Tensor::from_array(a),
        };
        let x_hat = decoded(&z, self.images.labels())?;
        let mut frames = vec![group("recon", vec![("x", x), ("x_hat", x_hat)], self.images.labels())];

        if network.bottleneck.is_distribution() {
            let count = self.images.items();
            let labels = network.classes.map(|classes| (0..count).map(|i| (i % classes) as u8).collect::<Vec<_>>());
            let z = Prior::new(model, device)?.draw(seed, 0, count, labels.as_deref(), 1.0)?;
            frames.push(group("sample", vec![("x_hat", decoded(&z, labels.as_deref())?)], labels.as_deref()));
        }
        Ok(frames)
    }
}
