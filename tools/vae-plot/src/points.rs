//! Latents as points of a plane, with their labels.

use crate::projection;
use ndarray::{Array2, Axis, Ix2};
use vae_cli::{Error, Result};
use vae_stream::{Data, Frame, Reader};

/// What is read of each item.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// The latents.
    pub(crate) tensor: String,
    /// The labels, if there are any.
    pub(crate) by: Option<String>,
    /// The dimensions shown; none for the first two, or the first two principal components of more.
    pub(crate) dims: Option<[usize; 2]>,
}

/// Points, and what they mean.
#[derive(Debug)]
pub(crate) struct Points {
    pub(crate) at: Vec<(f64, f64)>,
    /// A label for each, if there are any.
    pub(crate) labels: Option<Vec<i64>>,
    /// The names of the axes.
    pub(crate) axes: [String; 2],
}

/// Reads a stream to its verified end.
pub(crate) fn read(mut reader: Reader, choice: &Choice) -> Result<Points> {
    reader.head().need(&choice.tensor)?;
    let mut gathered = Gathered::default();
    while let Some(frame) = reader.next_frame()? {
        match frame {
            Frame::Data(data) if data.is_main() => gathered.add(&data, choice)?,
            _ => {}
        }
    }
    gathered.place(choice)
}

/// What frames held so far.
#[derive(Default)]
struct Gathered {
    items: usize,
    /// The latents that are needed, item by item.
    values: Vec<f32>,
    labels: Vec<i64>,
    /// The dimensions shown, or none for principal components.
    shown: Option<[usize; 2]>,
}

impl Gathered {
    fn add(&mut self, data: &Data, choice: &Choice) -> Result<()> {
        let name = &choice.tensor;
        let z = data.f32(name)?;
        let shape = z.shape()[1..].to_vec();
        let Ok(z) = z.into_dimensionality::<Ix2>() else {
            return Err(Error::Data(format!("tensor {name}: expected latents [N, Z], got items of shape {shape:?}")));
        };
        self.shown = shown(choice.dims, z.ncols())?;
        if let Some(((item, dimension), bad)) = z.indexed_iter().find(|(_, v)| !v.is_finite()) {
            let item = self.items + item;
            return Err(Error::Data(format!("{name} [{dimension}] of item {item} is {bad}: expected a finite number")));
        }
        match &self.shown {
            Some(dims) => self.values.extend(z.select(Axis(1), dims)),
            None => self.values.extend(z),
        }
        if let Some(by) = &choice.by {
            self.labels.extend(labels(data, by)?);
        }
        self.items += data.items();
        Ok(())
    }

    /// Every item's place on the plane.
    fn place(self, choice: &Choice) -> Result<Points> {
        if self.items == 0 {
            return Err(Error::Data("no items at all: expected latents to show, got an empty stream".to_owned()));
        }
        let values = Array2::from_shape_vec([self.items, self.values.len() / self.items], self.values);
        let values = values.expect("frames of as many dimensions, as a stream has them");
        let (at, axes) = match self.shown {
            Some(dims) => (values.mapv(f64::from), dims.map(|k| format!("{} [{k}]", choice.tensor))),
            None => {
                let found = projection::project(values.view(), 2)?;
                let share = |n: usize| format!("{:.0} % of the variance", 100.0 * found.shares[n]);
                let axes = [0, 1].map(|n| format!("principal component {} ({})", n + 1, share(n)));
                (found.points, axes)
            }
        };
        let at = at.rows().into_iter().map(|row| (row[0], row[1])).collect();
        Ok(Points { at, labels: choice.by.as_ref().map(|_| self.labels), axes })
    }
}

/// The dimensions to show, or none for principal components.
fn shown(dims: Option<[usize; 2]>, latent: usize) -> Result<Option<[usize; 2]>> {
    if latent < 2 {
        return Err(Error::Data(format!("latents of {latent} dimension: expected at least 2 for a plane")));
    }
    if let Some(bad) = dims.into_iter().flatten().find(|k| *k >= latent) {
        let most = latent - 1;
        return Err(Error::Usage(format!("--dims: expected dimensions of these latents, 0 to {most}, got {bad}")));
    }
    Ok(dims.or((latent == 2).then_some([0, 1])))
}

fn labels(data: &Data, by: &str) -> Result<Vec<i64>> {
    let item = &data.need(by)?.shape()[1..];
    if item.iter().product::<usize>() != 1 {
        return Err(Error::Data(format!(
            "tensor {by}: expected one number for each item, got items {item:?}; name labels, say y"
        )));
    }
    Ok(data.i64(by)?.into_iter().collect())
}
