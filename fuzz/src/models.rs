//! Models, checkpoints and state dicts.

use std::ffi::OsString;
use std::fs;
use std::io::Cursor;
use std::sync::LazyLock;

use clap::Parser;
use common::backend::Device;
use common::dataset::Dataset;
use common::infer::{Decoder, Encoder, Latent};
use common::model::{Bottleneck, Model, Spec, Stored};
use common::parameters;
use common::plan::PixelType;
use common::train::Trainer;
use ndarray::{Array2, Array3};
use tempfile::TempDir;
use vae_cli::Result;
use vae_stream::images::Pixels;
use vae_stream::{Data, Head, Memory, ModelRef, Reader, Writer, sha256};

use crate::check;
use crate::memory_file::MemoryFile;

/// Parameters of a network that is small enough to compute with.
const SMALL: usize = 1 << 14;
/// Pixels of its images, and draws.
const SMALL_IMAGE: usize = 1 << 10;

/// A model file is a model or an error, also where its hash is known, so that its digest is not read; a small model is used,
/// and a small checkpoint resumed.
pub fn model(data: &[u8]) {
    if let Err(e) = Model::from_bytes(data, "fuzz") {
        check::bad_input(e);
    }
    let Ok(model) = embedded(data).map_err(check::bad_input) else { return };
    let bytes = model.to_bytes();
    assert_eq!(Model::from_bytes(&bytes, "fuzz").expect("a model that was written").to_bytes(), bytes);
    let plan = crate::loaded::plan(&model.spec);
    if let Err(e) = parameters::check(&plan, &model.weights, model.spec.checkpoint.is_some()) {
        return drop(check::bad_input(e));
    }
    let parameters: usize = model.weights.values().map(|weight| weight.values.len()).sum();
    if parameters <= SMALL && model.spec.network.values() <= SMALL_IMAGE && model.spec.objective.samples < 8 {
        compute(model);
    }
}

/// A state dict is imported as a model that can be written and read, or refused.
pub fn import(data: &[u8]) {
    #[derive(Parser)]
    struct Args {
        #[command(flatten)]
        import: crate::import::Args,
    }
    static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a temporary folder"));
    let (file, output) = (MemoryFile::new(data), FOLDER.path().join("model.bin"));
    let args = ["import".into(), file.path().into_os_string(), "-o".into(), output.clone().into_os_string()];
    match crate::import::run(Args::parse_from::<_, OsString>(args).import) {
        Ok(()) => drop(Stored::open(&output).expect("a model that was imported")),
        Err(e) => {
            check::bad_input(e);
            assert!(!output.exists(), "a model is left");
        }
    }
    let _ = fs::remove_file(&output);
}

/// The model as a stream embeds it.
fn embedded(bytes: &[u8]) -> Result<Model> {
    if bytes.is_empty() {
        return Err(vae_cli::Error::Data("no bytes".into()));
    }
    let mut head = Head::new();
    head.set_model(Some(&ModelRef::Embedded { sha256: sha256(bytes) }));
    let stream = Memory::default();
    Writer::framed(stream.clone(), &head)?.run(|out| out.write(Data::model(bytes)))?;
    let mut reader = Reader::new(Cursor::new(stream.bytes()), "fuzz", "x")?;
    Ok(Stored::find(&mut reader, None)?.file.model())
}

/// Encodes, decodes, and takes a step of training. The numbers may be anything, NaN included.
fn compute(model: Model) {
    let device = Device::cpu(1).expect("an instruction set");
    let image = model.spec.network.image;
    let pixels = Pixels::U8(Array3::from_elem((3, image.height, image.width), 77));
    let images = Dataset::new(pixels, vec![0, 1, 2]).labelled(vec![0; 3]);
    let mut encoder =
        Encoder::new(&model, PixelType::U8, &[Latent::Z], None, device).expect("weights that were checked");
    assert_eq!(encoder.encode(&images).expect("images of its size")[0].dim(), (3, model.spec.network.latent));
    let mut decoder = Decoder::new(&model, device).expect("weights that were checked");
    let z = Array2::zeros((3, model.spec.network.latent));
    assert_eq!(decoder.decode(z.view(), Some(&[0; 3]), 0).expect("latents of its size").nrows(), 3);

    if model.spec.network.bottleneck == Bottleneck::Components {
        return; // fitted, not trained
    }
    let spec = Spec { checkpoint: None, ..model.spec.clone() };
    let trained = Trainer::new(spec, images, None, Some(model), device).and_then(|mut trainer| {
        trainer.steps(1)?;
        trainer.checkpoint()
    });
    if let Err(e) = trained {
        assert!(!vae_cli::Error::from(e).to_string().contains('\n'));
    }
}
