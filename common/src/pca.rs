//! Principal component analysis, exact (Pearson 1901, On lines and planes of
//! closest fit to systems of points in space; Jolliffe 2002, Principal Component Analysis, chapters 1 and 2).
//!
//! ```text
//! mean [D], covariance S = 1/N sum over images of (x - mean)(x - mean)^T [D, D]
//! components C [Z, D]: the eigenvectors of S of the Z largest eigenvalues
//! z = (x - mean) C^T, x_hat = mean + z C
//! ```
//!
//! The mean squared error, the least of any linear code of Z numbers, is the sum of the other eigenvalues.

use crate::backend::Device;
use crate::dataset::Dataset;
use crate::evaluate::Evaluator;
use crate::model::{Model, Spec, StateDict, Weight};
use crate::train::Losses;
use crate::{Error, Result};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView1};
use vae_cli::memory;
use vae_numerics::eigen::principal;
use vae_numerics::math::tree_sum;

/// Images per block of the covariance.
const BLOCK: usize = 256;

/// Fits a model to images, on one thread.
///
/// # Errors
/// Images that do not fit the network, or fewer than components; a covariance beyond main memory.
pub fn fit(spec: Spec, data: &Dataset) -> Result<Model> {
    spec.check()?;
    data.expect_size(spec.network.image)?;
    data.expect_unit_range()?;
    let (latent, pixels, images) = (spec.network.latent, spec.network.values(), data.items());
    if latent > images {
        return Err(Error::TooFewImages { latent, images });
    }
    // The covariance, and its eigenvectors.
    let (needed, available) = (2 * 8 * (pixels * pixels) as u64, memory::total());
    if needed > available {
        return Err(Error::CovarianceMemory { needed, available });
    }
    let mean = data.mean_pixels();
    let (_, components) = principal(covariance(data, &mean), latent)?;
    let weight = |shape: &[usize], values: &[f64]| Weight {
        shape: shape.to_vec(),
        values: values.iter().map(|v| *v as f32).collect(),
    };
    let components = weight(&[latent, pixels], components.as_slice().expect("rows that were put together"));
    let weights = StateDict::from([("mean".into(), weight(&[pixels], &mean)), ("components".into(), components)]);
    Ok(Model { spec, weights })
}

/// The losses of images, by the same GEMMs as vae-encode and vae-decode.
///
/// # Errors
/// Images that do not fit the model.
pub fn losses(model: &Model, images: Dataset, device: Device) -> Result<Losses> {
    let (network, objective, items) = (&model.spec.network, model.spec.objective, images.items());
    let evaluations = Evaluator::new(model, images, 1, model.spec.training.seed, device)?.evaluate(0, |_| ())?;
    let errors: Vec<f64> = evaluations.iter().map(|j| j.mse).collect();
    let recon = objective.likelihood.recon(tree_sum(&errors) / items as f64, network.values());
    let recon = recon.expect("a checked model of principal components minimises the squared error");
    Ok(Losses::new(items, &objective, |term| if term == 0 { recon } else { 0.0 }))
}

/// S of images with this mean, `[D, D]`.
fn covariance(data: &Dataset, mean: &[f64]) -> Array2<f64> {
    let (pixels, items) = (mean.len(), data.items());
    let mut sum = Array2::zeros([pixels, pixels]);
    for first in (0..items).step_by(BLOCK) {
        let count = BLOCK.min(items - first);
        let values = data.values(first, count).to_f64();
        let x = Array2::from_shape_vec([count, pixels], values).expect("whole images");
        let centred = x - ArrayView1::from(mean);
        general_mat_mul(1.0, &centred.t(), &centred, 1.0, &mut sum);
    }
    sum / items as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::InstructionSet;
    use crate::infer::{Decoder, Encoder, Latent};
    use crate::model::{Network, Preset};
    use ndarray::{Array3, array};
    use vae_numerics::rng::{Purpose, uniform4};
    use vae_stream::images::{ImageShape, Pixels};

    fn device() -> Device {
        Device::Cpu { threads: 2, isa: *InstructionSet::available().last().unwrap() }
    }

    fn spec([height, width]: [usize; 2], latent: usize) -> Spec {
        let preset = Preset::named("pca-20").unwrap();
        Spec::new(Network { image: ImageShape::grey(height, width), latent, ..preset.network }, preset.objective)
    }

    fn floats(pixels: Array3<f32>) -> Dataset {
        let ids = (0..pixels.dim().0 as u32).collect();
        Dataset::new(Pixels::F32(pixels), ids)
    }

    /// Images that differ in many ways, with a border that is always black.
    fn bytes(n: usize) -> Dataset {
        let pixel = |(n, y, x): (usize, usize, usize)| match (y, x) {
            (0, _) | (_, 0) => 0,
            _ => ((n * n * 31 + n * y * 17 + x * x * 5 + n * 7 % (x + y + 2) * 40) % 256) as u8,
        };
        Dataset::new(Pixels::U8(Array3::from_shape_fn((n, 9, 7), pixel)), (0..n as u32).collect())
    }

    fn tensor(model: &Model, name: &str) -> Array2<f64> {
        let weight = &model.weights[name];
        let columns = *weight.shape.last().unwrap();
        Array2::from_shape_fn((weight.values.len() / columns, columns), |(i, j)| weight.values[i * columns + j] as f64)
    }

    #[test]
    fn points_on_a_line_have_one_component_along_it() {
        // (0.5, 0.5) + t (-0.3, 0.4), whose lengths are t / 2.
        let t = [-1.0f32, -0.2, 0.2, 1.0];
        let data = floats(Array3::from_shape_fn((4, 1, 2), |(n, _, x)| 0.5 + t[n] * [-0.3, 0.4][x]));
        let model = fit(spec([1, 2], 1), &data).unwrap();
        assert_eq!((&model.weights["mean"].shape[..], &model.weights["components"].shape[..]), (&[2][..], &[1, 2][..]));
        let near = |name: &str, expected: [f32; 2]| {
            let got = &model.weights[name].values;
            assert!(
                got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6),
                "{name}: expected {expected:?}, got {got:?}"
            );
        };
        near("mean", [0.5, 0.5]);
        near("components", [-0.6, 0.8]);
        assert!(
            losses(&model, data, device()).unwrap().term("recon").unwrap()
                - model.spec.objective.likelihood.recon(0.0, 2).unwrap()
                < 1e-6
        );
    }

    /// How far the rows of all components are from orthonormal.
    fn skewness(data: &Dataset) -> f64 {
        let (_, rows) = principal(covariance(data, &data.mean_pixels()), data.image().values()).unwrap();
        let difference = rows.dot(&rows.t()) - Array2::<f64>::eye(rows.nrows());
        difference.iter().fold(0.0, |most: f64, d| most.max(d.abs()))
    }

    #[test]
    fn components_are_orthonormal() {
        for images in [1, 2, 5, 20, 200] {
            assert!(skewness(&bytes(images)) < 1e-13, "{images} images");
        }
    }

    #[test]
    fn components_are_orthonormal_where_pixels_rarely_change_and_images_are_few() {
        for seed in 0..100 {
            let white = |(n, y, x): (usize, usize, usize)| {
                let [draw, ..] = uniform4(seed, Purpose::Pixel, [n as u32, y as u32, x as u32, 0]);
                (draw < 0.1) as u8 as f32
            };
            let worst = skewness(&floats(Array3::from_shape_fn((4, 9, 8), white)));
            assert!(worst < 1e-13, "seed {seed}: off by {worst}");
        }
    }

    #[test]
    fn the_entry_of_largest_magnitude_is_positive() {
        let data = bytes(200);
        let (_, rows) = principal(covariance(&data, &data.mean_pixels()), 63).unwrap();
        for row in rows.rows() {
            let largest = row.iter().fold(0.0f64, |a, b| if b.abs() > a.abs() { *b } else { a });
            assert!(largest > 0.0, "{row}");
        }
    }

    #[test]
    fn the_squared_error_is_the_sum_of_the_eigenvalues_that_are_left_out() {
        let data = bytes(300);
        let (values, _) = principal(covariance(&data, &data.mean_pixels()), 63).unwrap();
        for latent in [1, 7, 30, 63] {
            let model = fit(spec([9, 7], latent), &data).unwrap();
            let losses = losses(&model, data.clone(), device()).unwrap();
            let mse = model.spec.objective.likelihood.mse(losses.term("recon").unwrap(), 63).unwrap();
            let expected = values[latent..].iter().sum::<f64>() / 63.0;
            // What f32 leaves of a square: (6e-8)² and more.
            assert!((mse - expected).abs() < 1e-6 * expected + 1e-12, "{latent}: expected {expected}, got {mse}");
        }
    }

    #[test]
    fn the_engine_encodes_and_decodes_by_the_formula() {
        let data = bytes(300);
        let model = fit(spec([9, 7], 5), &data).unwrap();
        let (mean, components) = (tensor(&model, "mean"), tensor(&model, "components"));
        let x = Array2::from_shape_vec([300, 63], data.values(0, 300).to_f64()).unwrap();
        let z = (x - &mean).dot(&components.t());
        let x_hat = &mean + &z.dot(&components);
        let mut encoder = Encoder::new(&model, data.pixel_type(), &[Latent::Mu], None, device()).unwrap();
        let mu = encoder.encode(&data).unwrap().remove(0);
        let decoded = Decoder::new(&model, device()).unwrap().decode(mu.view(), None, 0).unwrap();
        for (what, got, expected) in [("z", mu, z), ("x_hat", decoded, x_hat)] {
            let most = expected.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
            let worst = (got.mapv(f64::from) - &expected).iter().fold(0.0, |most: f64, d| most.max(d.abs()));
            assert!(most > 0.1 && worst < 1e-6 * most, "{what} is off by {worst} of {most}");
        }
        assert!(Encoder::new(&model, data.pixel_type(), &[Latent::Logvar], None, device()).is_err());
    }

    #[test]
    fn what_has_no_such_components_is_refused() {
        let message = |spec, data: &Dataset| fit(spec, data).unwrap_err().to_string();
        assert!(message(spec([9, 7], 6), &bytes(5)).contains("latent is 6: expected at most 5 components"));
        assert!(message(spec([9, 7], 64), &bytes(100)).contains("at most 63 components, one for each pixel"));
        assert!(message(spec([7, 9], 2), &bytes(5)).contains("expected 7 x 9"));
        assert!(message(spec([1, 1], 1), &floats(array![[[1.5]], [[0.5]]])).contains("pixel [0, 0] of image 0"));
    }
}
