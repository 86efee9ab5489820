//! Comparison of an imported model with the outputs of the same network in PyTorch.

use super::state_dict::read_capped;
use common::backend::Device;
use common::dataset::{Dataset, labels};
use common::infer::{Decoder, Encoder, Latent};
use common::model::Model;
use ndarray::{Array2, ArrayView2};
use std::path::{Path, PathBuf};
use vae_cli::{Error, Result};
use vae_stream::{Data, Foreign, Tensor};

/// The greatest difference from an output of absolute value 1 or less, and relative to a larger one. Implementations in
/// f32 differ by about 1e-6, those in TF32, the default of PyTorch's convolutions on a GPU, by some 1e-4.
const TOLERANCE: f32 = 1e-3;

/// Arrays that can be given.
const NAMES: [&str; 5] = ["x", "y", "z", "mu", "x_hat"];

/// An array of --verify: its name and its file.
pub type Named = (&'static str, PathBuf);

/// Parses NAME=FILE, or FILE alone, whose name without extension is the array's.
pub fn named(text: &str) -> Result<Named, String> {
    let known = |name: &str| NAMES.into_iter().find(|known| *known == name);
    let explicit = text.split_once('=').and_then(|(name, file)| Some((known(name)?, file)));
    let stem = || Some((known(Path::new(text).file_stem()?.to_str()?)?, text));
    let (name, file) = explicit.or_else(stem).ok_or("expected NAME=FILE, with NAME one of x, y, z, mu and x_hat")?;
    Ok((name, file.into()))
}

/// An output of the model beside PyTorch's.
pub struct Difference {
    /// `mu`, `z` or `x_hat`.
    pub name: &'static str,
    /// The greatest difference, relative to values beyond 1.
    pub greatest: f32,
    /// Its item.
    item: usize,
    /// PyTorch's value, and the model's.
    values: [f32; 2],
}

impl Difference {
    fn new(name: &'static str, expected: ArrayView2<f32>, got: ArrayView2<f32>) -> Difference {
        let mut difference = Difference { name, greatest: 0.0, item: 0, values: [0.0; 2] };
        for ((item, at), &expected) in expected.indexed_iter() {
            let got = got[[item, at]];
            let apart = (got - expected).abs() / expected.abs().max(1.0);
            if apart.is_nan() || apart > difference.greatest {
                difference = Difference { greatest: apart, item, values: [expected, got], ..difference };
            }
            if apart.is_nan() {
                break;
            }
        }
        difference
    }

    /// The error of a difference above the tolerance.
    pub fn expect_small(&self) -> Result<()> {
        let Difference { name, greatest, item, values: [expected, got] } = self;
        if *greatest <= TOLERANCE {
            return Ok(());
        }
        Err(Error::Data(format!(
            "--verify: {name} differs by up to {greatest:.1e}: expected at most {TOLERANCE}, got {got} for {expected} in \
             item {item}"
        )))
    }
}

/// Arrays of PyTorch.
struct Arrays(Vec<(&'static str, Tensor)>);

impl Arrays {
    fn read(files: &[Named]) -> Result<Arrays> {
        let mut arrays = Arrays(vec![]);
        for (name, path) in files {
            if arrays.get(name).is_some() {
                return Err(Error::Usage(format!("--verify: expected each array once, got {name} twice")));
            }
            let read = || match read_capped(path, "an array from numpy.save")? {
                bytes if bytes.starts_with(b"\x93NUMPY") => Ok(Tensor::from_npy(&bytes)?),
                bytes => {
                    let got = Foreign::of(&bytes);
                    Err(Error::Stream(vae_stream::Error::Format { expected: "an array from numpy.save", got }))
                }
            };
            arrays.0.push((name, read().map_err(|e| e.within(format_args!("--verify {name}: {}", path.display())))?));
        }
        Ok(arrays)
    }

    fn get(&self, name: &str) -> Option<(&'static str, &Tensor)> {
        self.0.iter().find(|(known, _)| *known == name).map(|(name, tensor)| (*name, tensor))
    }

    /// The values `[N, width]` of an array of N items.
    fn rows(&self, name: &'static str, tensor: &Tensor, items: usize, width: usize) -> Result<Array2<f32>> {
        let place = || format!("--verify {name}");
        let values = tensor.to_f32().map_err(|e| e.within(place()))?;
        match (tensor.items(), values.len().checked_div(tensor.items())) {
            (n, Some(w)) if (n, w) == (items, width) => {
                Ok(values.into_shape_with_order((n, w)).expect("N rows of this width"))
            }
            _ => Err(Error::Data(format!("{}: expected [{items}, {width}], got {:?}", place(), tensor.shape()))),
        }
    }

    /// The label of each of so many items, in a conditional model.
    fn labels(&self, classes: Option<usize>, items: usize) -> Result<Option<Vec<u8>>> {
        let Some(classes) = classes else {
            return match self.get("y") {
                None => Ok(None),
                Some(_) => Err(Error::Usage("--verify y: this network takes no labels; leave it out".into())),
            };
        };
        let y = self.get("y").map(|(_, y)| y.clone());
        let labels =
            labels(&Data::new(y.map(|y| ("y", y))), classes, 0).map_err(|e| Error::from(e).within("--verify"))?;
        match labels.len() == items {
            true => Ok(Some(labels)),
            false => Err(Error::Data(format!("--verify y: expected {items} labels, got {}", labels.len()))),
        }
    }
}

/// Compares what the model makes of given arrays with the others: mu (or z) of x, and x_hat of z (or mu, or x).
///
/// # Errors
/// Arrays that cannot be read, do not fit the model or each other, or are too few to compare.
pub fn compare(model: &Model, files: &[Named]) -> Result<Vec<Difference>> {
    let arrays = Arrays::read(files)?;
    let network = &model.spec.network;
    let (mean, drawn) = (arrays.get("mu").or(arrays.get("z")), arrays.get("z").or(arrays.get("mu")));
    let (x, x_hat) = (arrays.get("x"), arrays.get("x_hat"));
    if !(x.is_some() && (mean.is_some() || x_hat.is_some()) || drawn.is_some() && x_hat.is_some()) {
        return Err(Error::Usage("--verify: expected x with mu, z or x_hat, or z with x_hat".into()));
    }
    let device = Device::cpu(vae_cli::ThreadArgs::default().count())?;
    let mut differences = vec![];
    let mut latents = None;
    if let Some((_, x)) = x {
        let within = |e: common::Error| Error::from(e).within("--verify x");
        let images = Dataset::of_frame(&Data::new([("x", x.clone())]), "x", Some(network.image), 0).map_err(within)?;
        let images = match arrays.labels(network.classes, images.items())? {
            Some(labels) => images.labelled(labels),
            None => images,
        };
        let mut encoder = Encoder::new(model, images.pixel_type(), &[Latent::Mu], None, device)?;
        let mu = encoder.encode(&images).map_err(within)?.remove(0);
        if let Some((name, tensor)) = mean {
            let expected = arrays.rows(name, tensor, mu.nrows(), network.latent)?;
            differences.push(Difference::new(name, expected.view(), mu.view()));
        }
        latents = Some(mu);
    }
    if let Some((name, tensor)) = drawn {
        latents = Some(arrays.rows(name, tensor, tensor.items(), network.latent)?);
    }
    if let (Some((name, tensor)), Some(z)) = (x_hat, latents) {
        let labels = arrays.labels(network.classes, z.nrows())?;
        let got = Decoder::new(model, device)?.decode(z.view(), labels.as_deref(), 0)?;
        let expected = arrays.rows(name, tensor, z.nrows(), network.values())?;
        differences.push(Difference::new(name, expected.view(), got.view()));
    }
    Ok(differences)
}
