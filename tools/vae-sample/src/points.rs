//! The latents that paths lead between and through, with their labels.

use common::dataset;
use ndarray::{Array2, Axis, Ix2, concatenate, s};
use vae_cli::{Error, InputArgs, Result};
use vae_stream::{Data, Head, Reader, Tensor};

use crate::classes;

/// Some points.
pub struct Points {
    /// `[N, Z]`.
    pub z: Array2<f32>,
    y: Option<Tensor>,
}

/// Opens an input that has latents.
pub fn open(args: &InputArgs) -> Result<Reader> {
    let reader = args.reader("z")?;
    reader.head().need("z")?;
    Ok(reader)
}

/// Refuses an input whose latents are not the model's, before anything is made of it.
pub fn check(head: &Head, latent: usize) -> Result<()> {
    match head.need("z")?.shape[..] {
        [width] if width == latent => Ok(()),
        [width] => Err(Error::Data(format!("z has {width} dimensions: expected {latent}, as the model has"))),
        ref shape => Err(Error::Data(format!("the items of z have shape {shape:?}: expected latents [N, {latent}]"))),
    }
}

impl Points {
    /// The origin, once for each of these labels, or without one.
    pub fn origin(latent: usize, labels: Vec<u8>) -> Points {
        let z = Array2::zeros([labels.len().max(1), latent]);
        Points { z, y: (!labels.is_empty()).then(|| classes::tensor(labels)) }
    }

    #[cfg(test)]
    pub fn unlabelled(z: Array2<f32>) -> Points {
        Points { z, y: None }
    }

    /// The points of a frame; `first` is what messages call the first.
    ///
    /// # Errors
    /// Latents that are not finite; no labels of so many `classes`, where the model is conditional.
    pub fn read(data: &Data, first: usize, classes: Option<usize>) -> Result<Points> {
        if let Some(classes) = classes {
            dataset::labels(data, classes, first)?;
        }
        let z = data.f32("z")?.into_dimensionality::<Ix2>().expect("frames are what the head says, which was checked");
        match z.indexed_iter().find(|(_, value)| !value.is_finite()) {
            None => Ok(Points { z, y: data.get("y").cloned() }),
            Some(((item, _), value)) => {
                let item = first + item;
                Err(Error::Data(format!("z of item {item} holds {value}: expected finite numbers")))
            }
        }
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.z.nrows()
    }

    /// The last of them alone.
    pub fn last(&self) -> Points {
        let last = self.count() - 1..self.count();
        let y = self.y.as_ref().map(|y| y.slice(last.clone()));
        Points { z: self.z.slice(s![last, ..]).to_owned(), y }
    }

    /// These, and then others of the same input.
    ///
    /// # Errors
    /// More labels than a tensor can hold.
    pub fn then(self, next: Points) -> Result<Points> {
        let z = concatenate(Axis(0), &[self.z.view(), next.z.view()]).expect("all are as wide as the model's latents");
        let y = self.y.zip(next.y).map(|(a, b)| Tensor::concat(&[a, b])).transpose()?;
        Ok(Points { z, y })
    }

    /// The labels of these, one after the other.
    pub fn labels(&self, of: impl ExactSizeIterator<Item = usize>) -> Option<Tensor> {
        let y = self.y.as_ref()?;
        let mut shape = y.shape().to_vec();
        shape[0] = of.len();
        let label = y.data().len() / y.items();
        let bytes: Vec<u8> = of.flat_map(|point| &y.data()[point * label..(point + 1) * label]).copied().collect();
        Some(Tensor::from_bytes(y.dtype(), &shape, &bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn data(z: &Array2<f32>) -> Data {
        Data::new([("z", Tensor::from_array(z)), ("y", Tensor::from_array(&array![7u16, 8, 9]))])
    }

    #[test]
    fn labels_are_those_of_the_points_in_any_order_and_kind() {
        let points = Points::read(&data(&Array2::zeros([3, 2])), 0, None).expect("points");
        let labels = points.labels([2, 0, 0, 1].into_iter()).expect("labels");
        assert_eq!(labels, Tensor::from_array(&array![9u16, 7, 7, 8]));
        assert!(Points::origin(2, vec![]).labels([0].into_iter()).is_none());
    }

    #[test]
    fn a_point_that_is_not_finite_is_named_by_its_place_in_the_input() {
        let refused = Points::read(&data(&array![[0.0, 0.0], [0.0, f32::NAN], [0.0, 0.0]]), 10, None);
        let message = refused.err().expect("an error").to_string();
        assert_eq!(message, "z of item 11 holds NaN: expected finite numbers");
    }
}
