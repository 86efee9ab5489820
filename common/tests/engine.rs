//! What the engine promises: the same bytes for any number of threads and any batching, and runs that go on to the bit.

use common::backend::{Device, InstructionSet};
use common::dataset::Dataset;
use common::infer::{Decoder, Encoder, Latent};
use common::model::{DataSpec, Hidden, Likelihood, Model, Network, Objective, Spec, Training};
use common::plan::{PixelType, Precision};
use common::train::Trainer;
use common::{Error, Result};
use ndarray::Array3;
use vae_stream::images::Pixels;

/// Images that differ from each other and have dark and bright parts.
fn images(n: usize, [h, w]: [usize; 2]) -> Dataset {
    let pixel = |(n, y, x): (usize, usize, usize)| {
        let inside = (y + n) % h < h / 2 && (x + n / 7) % w < w / 3;
        if inside { (40 + (n * 31 + y * x) % 216) as u8 } else { 0 }
    };
    Dataset::new(Pixels::U8(Array3::from_shape_fn((n, h, w), pixel)), (0..n as u32).collect())
}

fn spec(data: &Dataset, hidden: &[usize], latent: usize) -> Spec {
    let network = Network::mlp(data.image(), hidden, latent);
    Spec {
        data: DataSpec { images: data.items(), sha256: data.sha256(), ..DataSpec::default() },
        training: Training { batch: 130, seed: 1, epochs: 3, ..Training::default() },
        tool: "test".into(),
        ..Spec::new(network, Objective::new(Likelihood::Bernoulli))
    }
}

/// With the best instructions of this CPU.
fn cpu(threads: usize) -> Device {
    on(threads, *InstructionSet::available().last().unwrap())
}

fn on(threads: usize, isa: InstructionSet) -> Device {
    Device::Cpu { threads, isa }
}

/// Trains to the end, so many steps at a time.
fn finish(mut trainer: Trainer, most: usize) -> Model {
    while !trainer.complete() {
        if trainer.steps(most).unwrap() {
            trainer.end_epoch().unwrap();
        }
    }
    trainer.model().unwrap()
}

/// Every instruction set of this CPU, with GEMMs of each precision, and the model of AMX.
fn paths() -> impl Iterator<Item = (InstructionSet, Precision)> {
    let both = |isa| [(isa, Precision::Fp32), (isa, Precision::Bf16)];
    let models = InstructionSet::amx_models().into_iter();
    let models = models.flat_map(|isa| [(isa, Precision::Bf16), (isa, Precision::Bf16x3)]);
    let split = amx().map(|isa| (isa, Precision::Bf16x3));
    InstructionSet::available().into_iter().flat_map(both).chain(models).chain(split)
}

fn amx() -> Option<InstructionSet> {
    InstructionSet::available().into_iter().find(|isa| isa.name() == "amx")
}

#[test]
fn amx_learns_the_bytes_of_its_model() {
    let Some(amx) = amx() else { return eprintln!("SKIPPED amx_learns_the_bytes_of_its_model: no AMX") };
    let model = *InstructionSet::amx_models().last().expect("there is one");
    let data = images(300, [12, 10]);
    for precision in [Precision::Bf16, Precision::Bf16x3] {
        let trained = |isa| {
            let mut spec = spec(&data, &[33], 5);
            spec.training.precision = precision;
            finish(Trainer::new(spec, data.clone(), None, None, on(2, isa)).unwrap(), 100)
        };
        assert!(trained(amx).to_bytes() == trained(model).to_bytes(), "{precision:?}");
    }
}

#[test]
fn products_of_two_parts_are_refused_without_tiles() {
    let data = images(20, [4, 4]);
    let mut spec = spec(&data, &[3], 2);
    spec.training.precision = Precision::Bf16x3;
    let error = Trainer::new(spec, data, None, None, on(1, InstructionSet::available()[0])).err().unwrap();
    assert!(error.to_string().contains("bf16x3 needs a CPU with AMX: expected one, got portable"), "{error}");
}

#[test]
fn a_model_has_the_same_bytes_for_any_number_of_threads() {
    let data = images(300, [12, 10]);
    for (isa, precision) in paths() {
        let trained = |threads: usize| {
            let mut spec = spec(&data, &[33], 5);
            spec.training.precision = precision;
            finish(Trainer::new(spec, data.clone(), None, None, on(threads, isa)).unwrap(), 100)
        };
        let expected = trained(1).to_bytes();
        for threads in [2, 3, 8, 32] {
            assert!(trained(threads).to_bytes() == expected, "{threads} threads, {isa:?}, {precision:?}");
        }
    }
}

#[test]
fn convolutions_have_the_same_bytes_for_any_number_of_threads_and_any_last_batch() {
    for n in [5, 6, 7, 14, 21] {
        let data = images(n, [12, 10]);
        for (isa, precision) in paths() {
            let trained = |threads: usize| {
                let mut spec = spec(&data, &[3, 20], 5);
                spec.network.hidden = Hidden::halving(&spec.network.hidden.widths());
                (spec.training.precision, spec.training.batch) = (precision, 16);
                finish(Trainer::new(spec, data.clone(), None, None, on(threads, isa)).unwrap(), 100)
            };
            let expected = trained(1).to_bytes();
            for threads in [2, 3, 8] {
                assert!(
                    trained(threads).to_bytes() == expected,
                    "{n} images, {threads} threads, {isa:?}, {precision:?}"
                );
            }
        }
    }
}

#[test]
fn images_of_a_few_pixels_train() {
    for size in [[1, 1], [1, 3], [2, 2], [1, 5]] {
        let data = images(20, size);
        for (isa, precision) in paths() {
            let mut spec = spec(&data, &[3], 1);
            spec.training.precision = precision;
            finish(Trainer::new(spec, data.clone(), None, None, on(2, isa)).unwrap(), 100);
        }
    }
}

#[test]
fn every_path_learns_the_same_but_for_rounding() {
    let data = images(300, [12, 10]);
    let losses = paths().map(|(isa, precision)| {
        // Widths that are no multiples of two, four or eight.
        let mut spec = spec(&data, &[34, 7], 3);
        (spec.training.precision, spec.training.batch) = (precision, 20);
        let mut trainer = Trainer::new(spec, data.clone(), None, None, on(2, isa)).unwrap();
        assert!(trainer.steps(100).unwrap());
        (isa, precision, trainer.losses().loss())
    });
    let losses: Vec<_> = losses.collect();
    for (isa, precision, loss) in &losses {
        // After 15 steps rounding has grown little; bf16 has 8 bits, so that a product is off by 2^-8 at most.
        let bound = if *precision == Precision::Fp32 { 1e-6 } else { 1e-3 };
        let expected = losses[0].2;
        assert!((loss - expected).abs() < bound * expected, "{isa:?}, {precision:?}: expected {expected}, got {loss}");
    }
}

#[test]
fn a_run_resumed_at_any_step_ends_in_the_same_bytes_and_losses() {
    paths().for_each(|(isa, precision)| resume_at_every_step(isa, precision));
}

fn resume_at_every_step(isa: InstructionSet, precision: Precision) {
    let data = images(300, [12, 10]);
    let mut spec = spec(&data, &[34, 7], 3);
    spec.training.precision = precision;
    let device = on(2, isa);
    let begin = |from| Trainer::new(spec.clone(), data.clone(), Some(data.slice(0..70)), from, device).unwrap();
    let expected = finish(begin(None), 2).to_bytes();
    for stop in 1..9 {
        let mut trainer = begin(None);
        for _ in 0..stop {
            if trainer.steps(1).unwrap() {
                trainer.end_epoch().unwrap();
            }
        }
        let bytes = trainer.checkpoint().unwrap().to_bytes();
        let mut resumed = begin(Some(Model::from_bytes(&bytes, "checkpoint").unwrap()));
        assert_eq!(resumed.progress(), trainer.progress());
        if resumed.progress().at > 0 {
            while !trainer.steps(1).unwrap() {}
            resumed.steps(100).unwrap();
            assert_eq!(resumed.losses(), trainer.losses(), "the losses of the epoch under way at step {stop}");
            assert_eq!(resumed.end_epoch().unwrap(), trainer.end_epoch().unwrap());
        }
        assert!(finish(resumed, 100).to_bytes() == expected, "stopped at step {stop}");
    }
}

/// Pixels of one image only: the moments of their weights decay by 0.9 and 0.999 a step from there.
#[test]
fn no_denormal_stays_in_a_checkpoint() {
    let mut pixels = Array3::from_shape_fn((400, 6, 6), |(n, y, x)| if y < 3 { ((n * 31 + x) % 256) as u8 } else { 0 });
    pixels.slice_mut(ndarray::s![7, 3.., ..]).fill(255);
    let data = Dataset::new(Pixels::U8(pixels), (0..400).collect());
    for (isa, precision) in paths() {
        let mut spec = spec(&data, &[9], 2);
        (spec.training.precision, spec.training.batch, spec.training.epochs) = (precision, 1, 4);
        let mut trainer = Trainer::new(spec, data.clone(), None, None, on(2, isa)).unwrap();
        for _ in 0..3 {
            assert!(trainer.steps(400).unwrap());
            trainer.end_epoch().unwrap();
        }
        trainer.steps(200).unwrap();
        let checkpoint = trainer.checkpoint().unwrap();
        for (name, weight) in checkpoint.weights.iter() {
            let denormals = weight.values.iter().filter(|v| v.is_subnormal()).count();
            assert_eq!(denormals, 0, "{name}, of {}, {isa:?}, {precision:?}", weight.values.len());
        }
    }
}

#[test]
fn a_checkpoint_of_another_run_is_refused_with_both_values() {
    let data = images(300, [12, 10]);
    let spec = spec(&data, &[33], 5);
    let mut trainer = Trainer::new(spec.clone(), data.clone(), None, None, cpu(1)).unwrap();
    trainer.steps(1).unwrap();
    let checkpoint = trainer.checkpoint().unwrap();
    let resume = |change: fn(&mut Spec)| {
        let mut spec = spec.clone();
        change(&mut spec);
        Trainer::new(spec, data.clone(), None, Some(checkpoint.clone()), cpu(1)).map(|_| ())
    };
    let message = |r: Result<()>| match r {
        Err(error @ Error::Resume(_)) => vae_cli::Error::from(error).to_string(),
        other => panic!("expected a checkpoint of another run, got {other:?}"),
    };
    assert!(resume(|s| s.training.epochs = 9).is_ok(), "epochs may grow");
    let lr = message(resume(|s| s.training.lr = 0.5));
    assert!(lr.contains("--lr") && lr.contains("0.001") && lr.contains("0.5"), "{lr}");
    let hidden = message(resume(|s| s.network.hidden = Hidden::Linear(vec![34])));
    assert!(hidden.contains("--hidden") && hidden.contains("[33]") && hidden.contains("[34]"), "{hidden}");
    let other = message(resume(|s| s.data.sha256 = "0".repeat(64)));
    assert!(other.contains("the images differ"), "{other}");
}

#[test]
fn a_loss_that_is_not_finite_names_step_and_lr() {
    let data = images(300, [12, 10]);
    let mut spec = spec(&data, &[33], 5);
    spec.training.lr = 1e30;
    let mut trainer = Trainer::new(spec, data, None, None, cpu(2)).unwrap();
    match trainer.steps(100) {
        Err(Error::NotFinite { step, lr, .. }) => assert_eq!((step, lr), (2, 1e30)),
        other => panic!("expected the run to fail, got {other:?}"),
    }
    assert!(
        matches!(trainer.checkpoint(), Err(Error::NotFinite { .. })),
        "weights that are not finite are no checkpoint"
    );
}

/// A model of the classic shape, as it starts: what matters is the shape of its products.
fn classic() -> Model {
    let data = images(300, [28, 28]);
    Trainer::new(spec(&data, &[400], 20), data, None, None, cpu(1)).unwrap().model().unwrap()
}

#[test]
fn an_image_is_encoded_and_decoded_the_same_in_any_batch_by_any_number_of_threads() {
    let (model, data) = (classic(), images(300, [28, 28]));
    for isa in InstructionSet::available() {
        let outputs = [Latent::Z, Latent::Mu, Latent::Logvar];
        let encoder = |threads| Encoder::new(&model, PixelType::U8, &outputs, Some(7), on(threads, isa)).unwrap();
        let all = encoder(1).encode(&data).unwrap();
        let expected = Decoder::new(&model, on(1, isa)).unwrap().decode(all[0].view(), None, 0).unwrap();
        for (batch, threads) in [(1, 1), (7, 2), (64, 8), (256, 3)] {
            let mut encoder = encoder(threads);
            let mut decoder = Decoder::new(&model, on(threads, isa)).unwrap();
            for first in (0..300).step_by(batch) {
                let rows = ndarray::s![first..(first + batch).min(300), ..];
                let part = data.slice(first..(first + batch).min(300));
                let latents = encoder.encode(&part).unwrap();
                let where_ = format!("in batches of {batch}, {isa:?}");
                for ((output, got), all) in outputs.iter().zip(&latents).zip(&all) {
                    assert!(got == all.slice(rows), "{output:?} {where_}");
                }
                let x_hat = decoder.decode(latents[0].view(), None, first).unwrap();
                assert!(x_hat == expected.slice(rows), "x_hat {where_}");
            }
        }
    }
}

#[test]
fn bytes_and_the_same_images_as_floats_are_encoded_alike() {
    let (model, data) = (classic(), images(20, [28, 28]));
    let Pixels::U8(bytes) = data.pixels() else { unreachable!() };
    let floats = Dataset::new(Pixels::F32(bytes.mapv(|b| b as f32 / 255.0)), data.ids().to_vec());
    let encoder = |dtype| Encoder::new(&model, dtype, &[Latent::Mu, Latent::Logvar], None, cpu(1)).unwrap();
    let (a, b) = (encoder(PixelType::U8).encode(&data).unwrap(), encoder(PixelType::F32).encode(&floats).unwrap());
    assert!(a == b);
}

#[test]
fn images_that_do_not_fit_are_refused() {
    let model = classic();
    let message = |data: Dataset| {
        let mut encoder = Encoder::new(&model, data.pixel_type(), &[Latent::Z], None, cpu(1)).unwrap();
        encoder.encode(&data).expect_err("refused").to_string()
    };
    assert!(message(images(2, [14, 14])).contains("14 x 14 pixels: expected 28 x 28"));
    for bad in [-0.5, 1.5, f32::NAN, f32::INFINITY] {
        let mut pixels = Array3::zeros((3, 28, 28));
        pixels[[2, 1, 5]] = bad;
        let got = message(Dataset::new(Pixels::F32(pixels), vec![0, 1, 2]));
        assert!(got.contains("pixel [1, 5] of image 2") && got.contains("expected [0, 1]"), "{got}");
    }
}

#[test]
fn a_model_file_that_is_damaged_is_refused() {
    let data = images(3, [4, 4]);
    let bytes = Trainer::new(spec(&data, &[3], 2), data, None, None, cpu(1)).unwrap().model().unwrap().to_bytes();
    assert!(Model::from_bytes(&bytes, "m").is_ok());
    for cut in 0..bytes.len() {
        assert!(Model::from_bytes(&bytes[..cut], "m").is_err(), "cut to {cut} bytes");
    }
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Model::from_bytes(&bytes, "m").is_err(), "bit {bit} flipped");
    }
}

#[test]
fn a_layer_of_any_width_trains() {
    let data = images(3, [300, 200]);
    let wide = finish(Trainer::new(spec(&data, &[2], 1), data, None, None, cpu(2)).unwrap(), 100);
    assert_eq!(wide.weights["decoder.2.weight"].shape, [60_000, 2]);
}

#[test]
fn weights_that_are_not_finite_at_the_end_are_no_model() {
    let data = images(100, [12, 10]);
    let mut spec = spec(&data, &[33], 5);
    (spec.training.lr, spec.training.batch) = (1e38, 100);
    let mut trainer = Trainer::new(spec, data, None, None, cpu(1)).unwrap();
    assert!(trainer.steps(1).unwrap(), "the only step has a finite loss");
    assert!(matches!(trainer.end_epoch(), Err(Error::NotFinite { .. })));
    assert!(matches!(trainer.model(), Err(Error::NotFinite { .. })));
}

#[test]
fn a_model_that_claims_more_than_it_holds_is_refused_before_memory_is_taken() {
    let mut model = classic();
    model.spec.network.hidden = Hidden::Linear(vec![65536, 65536]);
    let message = Encoder::new(&model, PixelType::U8, &[Latent::Z], None, cpu(1)).err().expect("refused").to_string();
    assert!(message.contains("expected shape [65536, 784], got [400, 784]"), "{message}");
}

#[test]
fn a_run_over_other_indices_is_another_run() {
    let data = images(30, [4, 4]);
    let Pixels::U8(pixels) = data.pixels() else { unreachable!() };
    let shifted = Dataset::new(Pixels::U8(pixels.clone()), (1000..1030).collect());
    assert_ne!(data.sha256(), shifted.sha256(), "the indices key the noise");
}
