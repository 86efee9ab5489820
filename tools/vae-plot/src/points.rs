//! Latents as points of a plane, with their labels.

use common::stream::{Data, Frame, Reader};
use common::{Error, Result, pca};
use ndarray::{Array2, Axis, Ix2};

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
    let latent = match reader.head().need(&choice.tensor)?.shape[..] {
        [latent] => latent,
        ref other => {
            let name = &choice.tensor;
            return Err(Error::Data(format!("tensor {name}: expected latents [N, Z], got items of shape {other:?}")));
        }
    };
    let shown = shown(choice.dims, latent)?;
    let (mut values, mut labels, mut items) = (Vec::new(), Vec::new(), 0);
    while let Some(frame) = reader.next_frame()? {
        let Frame::Data(data) = frame else { continue };
        if !data.is_main() {
            continue;
        }
        let z = data.f32(&choice.tensor)?.into_dimensionality::<Ix2>().expect("what the head says, which was checked");
        if let Some(((item, dimension), bad)) = z.indexed_iter().find(|(_, v)| !v.is_finite()) {
            let (name, item) = (&choice.tensor, items + item);
            return Err(Error::Data(format!("{name} [{dimension}] of item {item} is {bad}: expected a finite number")));
        }
        match &shown {
            Some(dims) => values.extend(z.select(Axis(1), dims)),
            None => values.extend(z),
        }
        if let Some(by) = &choice.by {
            labels.extend(self::labels(&data, by)?);
        }
        items += data.items();
    }
    if items == 0 {
        return Err(Error::Data("no items at all: expected latents to show, got an empty stream".to_owned()));
    }
    let values = Array2::from_shape_vec([items, values.len() / items], values).expect("whole rows");
    let (at, axes) = match shown {
        Some(dims) => (values.mapv(f64::from), dims.map(|k| format!("{} [{k}]", choice.tensor))),
        None => {
            let found = pca::project(values.view(), 2)?;
            let name =
                |n: usize| format!("principal component {} ({:.0} % of the variance)", n + 1, 100.0 * found.shares[n]);
            let axes = [name(0), name(1)];
            (found.points, axes)
        }
    };
    let at = at.rows().into_iter().map(|row| (row[0], row[1])).collect();
    Ok(Points { at, labels: choice.by.as_ref().map(|_| labels), axes })
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
