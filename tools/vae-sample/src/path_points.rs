//! The points of paths: latents with their labels.

use common::dataset;
use ndarray::{Array2, Axis, Ix2, concatenate, s};
use vae_cli::{Error, InputArgs, Result};
use vae_stream::{Data, Head, Reader, Tensor};

use crate::classes;

/// Points that paths connect or start from.
pub struct PathPoints {
    /// `[N, Z]`.
    pub z: Array2<f32>,
    /// `[N, ..]`, of any dtype.
    y: Option<Tensor>,
}

/// Opens an input of latents.
pub fn open(args: &InputArgs) -> Result<Reader> {
    let reader = args.reader("z")?;
    reader.head().need("z")?;
    Ok(reader)
}

/// Checks the shape of an input's latents against the model, before anything is written.
pub fn check(head: &Head, latent: usize) -> Result<()> {
    match head.need("z")?.shape[..] {
        [width] if width == latent => Ok(()),
        [width] => Err(Error::Data(format!("z has {width} dimensions: expected {latent}, as the model has"))),
        ref shape => Err(Error::Data(format!("the items of z have shape {shape:?}: expected latents [N, {latent}]"))),
    }
}

impl PathPoints {
    /// The origin, once per label; once without a label if there are none.
    pub fn origin(latent: usize, labels: Vec<u8>) -> PathPoints {
        let z = Array2::zeros([labels.len().max(1), latent]);
        PathPoints { z, y: (!labels.is_empty()).then(|| classes::tensor(labels)) }
    }

    #[cfg(test)]
    pub fn unlabelled(z: Array2<f32>) -> PathPoints {
        PathPoints { z, y: None }
    }

    /// The points of a frame, whose first is item `first` of the input. `classes`: those of a conditional model.
    ///
    /// # Errors
    /// Latents that are not finite; in a conditional model, missing labels or labels beyond its classes.
    pub fn read(data: &Data, first: usize, classes: Option<usize>) -> Result<PathPoints> {
        if let Some(classes) = classes {
            dataset::labels(data, classes, first)?;
        }
        let z =
            data.f32("z")?.into_dimensionality::<Ix2>().expect("frames have the shapes of the head, which was checked");
        match z.indexed_iter().find(|(_, value)| !value.is_finite()) {
            None => Ok(PathPoints { z, y: data.get("y").cloned() }),
            Some(((item, _), value)) => {
                let item = first + item;
                Err(Error::Data(format!("z of item {item} holds {value}: expected finite numbers")))
            }
        }
    }

    /// N.
    pub fn count(&self) -> usize {
        self.z.nrows()
    }

    /// The last point.
    pub fn last(&self) -> PathPoints {
        let last = self.count() - 1..self.count();
        let y = self.y.as_ref().map(|y| y.slice(last.clone()));
        PathPoints { z: self.z.slice(s![last, ..]).to_owned(), y }
    }

    /// Appends points of the same input.
    ///
    /// # Errors
    /// More labels than a tensor can hold.
    pub fn append(self, next: PathPoints) -> Result<PathPoints> {
        let z = concatenate(Axis(0), &[self.z.view(), next.z.view()]).expect("both have Z columns");
        let y = self.y.zip(next.y).map(|(a, b)| Tensor::concat(&[a, b])).transpose()?;
        Ok(PathPoints { z, y })
    }

    /// Gathers the labels at these indices, which may repeat.
    pub fn gather_labels(&self, indices: impl ExactSizeIterator<Item = usize>) -> Option<Tensor> {
        let y = self.y.as_ref()?;
        let mut shape = y.shape().to_vec();
        shape[0] = indices.len();
        let nbytes = y.data().len() / y.items();
        let bytes: Vec<u8> = indices.flat_map(|k| &y.data()[k * nbytes..(k + 1) * nbytes]).copied().collect();
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
    fn labels_are_gathered_in_any_order_and_of_any_dtype() {
        let points = PathPoints::read(&data(&Array2::zeros([3, 2])), 0, None).expect("points");
        let labels = points.gather_labels([2, 0, 0, 1].into_iter()).expect("labels");
        assert_eq!(labels, Tensor::from_array(&array![9u16, 7, 7, 8]));
        assert!(PathPoints::origin(2, vec![]).gather_labels([0].into_iter()).is_none());
    }

    #[test]
    fn a_point_that_is_not_finite_is_named_by_its_place_in_the_input() {
        let refused = PathPoints::read(&data(&array![[0.0, 0.0], [0.0, f32::NAN], [0.0, 0.0]]), 10, None);
        let message = refused.err().expect("an error").to_string();
        assert_eq!(message, "z of item 11 holds NaN: expected finite numbers");
    }
}
