//! Latents in two dimensions, with their labels.

use crate::projection;
use ndarray::{Array2, Axis, Ix2};
use vae_cli::{Error, Result};
use vae_stream::{Data, Frame, Reader};

/// The tensors and dimensions to read.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    /// The tensor of latents.
    pub(crate) tensor: String,
    /// The tensor of labels, if any.
    pub(crate) by: Option<String>,
    /// The dimensions shown; none means the first two, or the first two principal components of more.
    pub(crate) dims: Option<[usize; 2]>,
}

/// The points of a scatter plot.
#[derive(Debug)]
pub(crate) struct Points {
    /// Coordinates.
    pub(crate) at: Vec<(f64, f64)>,
    /// A label for each point, if any.
    pub(crate) labels: Option<Vec<i64>>,
    /// The labels of the axes.
    pub(crate) axes: [String; 2],
}

/// Reads a stream to its verified end.
pub(crate) fn read(mut reader: Reader, selection: &Selection) -> Result<Points> {
    reader.head().need(&selection.tensor)?;
    let mut latents = Latents::default();
    while let Some(frame) = reader.next_frame()? {
        match frame {
            Frame::Data(data) if data.is_main() => latents.add(&data, selection)?,
            _ => {}
        }
    }
    latents.into_points(selection)
}

/// The latents of the frames so far.
#[derive(Default)]
struct Latents {
    /// N.
    items: usize,
    /// [N, D] of the dimensions to show, or of all for principal components.
    values: Vec<f32>,
    /// `[N]`, if any.
    labels: Vec<i64>,
    /// The dimensions to show; none for principal components.
    shown: Option<[usize; 2]>,
}

impl Latents {
    fn add(&mut self, data: &Data, selection: &Selection) -> Result<()> {
        let name = &selection.tensor;
        let z = data.f32(name)?;
        let shape = z.shape()[1..].to_vec();
        let Ok(z) = z.into_dimensionality::<Ix2>() else {
            return Err(Error::Data(format!("tensor {name}: expected latents [N, Z], got items of shape {shape:?}")));
        };
        self.shown = shown(selection.dims, z.ncols())?;
        if let Some(((item, dimension), bad)) = z.indexed_iter().find(|(_, v)| !v.is_finite()) {
            let item = self.items + item;
            return Err(Error::Data(format!("{name} [{dimension}] of item {item} is {bad}: expected a finite number")));
        }
        match &self.shown {
            Some(dims) => self.values.extend(z.select(Axis(1), dims)),
            None => self.values.extend(z),
        }
        if let Some(by) = &selection.by {
            self.labels.extend(data.integers(by)?);
        }
        self.items += data.items();
        Ok(())
    }

    /// Selects or projects two coordinates.
    fn into_points(self, selection: &Selection) -> Result<Points> {
        if self.items == 0 {
            return Err(Error::Data(
                "no items: expected latents, got an empty stream; see the message of the stage before".to_owned(),
            ));
        }
        let values = Array2::from_shape_vec([self.items, self.values.len() / self.items], self.values);
        let values = values.expect("frames of as many dimensions, as a stream has them");
        let (at, axes) = match self.shown {
            Some(dims) => (values.mapv(f64::from), dims.map(|k| format!("{} [{k}]", selection.tensor))),
            None => {
                let projection = projection::project(values.view(), 2)?;
                let share = |n: usize| format!("{:.0} % of the variance", 100.0 * projection.variance_ratios[n]);
                let axes = [0, 1].map(|n| format!("principal component {} ({})", n + 1, share(n)));
                (projection.points, axes)
            }
        };
        let at = at.rows().into_iter().map(|row| (row[0], row[1])).collect();
        Ok(Points { at, labels: selection.by.as_ref().map(|_| self.labels), axes })
    }
}

/// The dimensions to show; none for principal components.
fn shown(dims: Option<[usize; 2]>, latent: usize) -> Result<Option<[usize; 2]>> {
    if latent < 2 {
        return Err(Error::Data(format!(
            "latents of too few dimensions: expected at least 2 for a scatter plot, got {latent}"
        )));
    }
    if let Some(bad) = dims.into_iter().flatten().find(|k| *k >= latent) {
        let most = latent - 1;
        return Err(Error::Usage(format!("--dims: expected dimensions from 0 to {most}, got {bad}")));
    }
    Ok(dims.or((latent == 2).then_some([0, 1])))
}
