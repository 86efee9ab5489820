//! All training images through encode and decode, beside what bounds it: what a pipe carries, and what the products
//! take.

use crate::machine;
use crate::setup::Setup;
use crate::table::Table;
use crate::times::Times;
use common::backend::Device;
use common::dataset::Dataset;
use common::infer::{Decoder, Encoder, Latent};
use common::model::Stored;
use ndarray::Array2;
use serde_json::json;
use std::hint::black_box;
use std::time::Instant;
use vae_cli::Result;
use vae_stream::images::ImageShape;

pub const TITLE: &str = "Throughput of pipes";
const ABOUT: &str = "Thousand images per second, of all training images; and as a share of the slower of the products in \
    memory and of what a pipe carries (cat | vae-cat).";

pub fn measure(setup: &Setup) -> Result<Table> {
    let mut table = Table::new(TITLE, ABOUT, ["thousand images per second", "percent of what bounds it"]);
    setup.sh("vae-encode -m model.bin train.vae -o z.vae && vae-decode z.vae -o decoded.vae")?;
    let programs = [
        (
            "file | vae-encode | vae-decode | vae-cat --check",
            "vae-encode -m model.bin train.vae | vae-decode | vae-cat --check",
        ),
        ("cat decoded | vae-cat --check", "cat decoded.vae | vae-cat --check"),
        ("vae-cat decoded | vae-cat --check", "vae-cat decoded.vae | vae-cat --check"),
        ("vae-encode file > /dev/null", "vae-encode -m model.bin train.vae"),
        ("vae-decode latents > /dev/null", "vae-decode z.vae"),
    ];
    let mut products = Products::open(setup)?;
    let (mut rows, mut encoding, mut decoding) = ([const { Times(vec![]) }; 5], Times::default(), Times::default());
    for _ in 0..setup.rounds {
        for ((_, line), times) in programs.iter().zip(&mut rows) {
            times.0.push(setup.time(line)?);
        }
        let (encoder, decoder) = products.time()?;
        encoding.0.push(encoder);
        decoding.0.push(decoder);
    }
    let both = encoding.with(&decoding, |a, b| a + b);
    let bound = rows[1].with(&both, f64::max);
    let share = bound.with(&rows[0], |bound, pipe| 100.0 * bound / pipe);
    let of = if both.median() > rows[1].median() { "the products" } else { "the pipe" };

    let names = programs.map(|(name, _)| name).into_iter().chain([
        "the encoder alone, in memory",
        "the decoder alone, in memory",
        "both, one after the other",
    ]);
    for (name, seconds) in names.zip(rows.iter().chain([&encoding, &decoding, &both])) {
        let speed = seconds.map(|seconds| setup.images as f64 / seconds / 1e3);
        let bounded = Some(format!("{share:.0}, {of}")).filter(|_| table.rows.is_empty());
        let numbers = json!({"seconds": seconds.json(), "thousands_per_second": speed.json()});
        table.push_all(name, [format!("{speed:.0}")].into_iter().chain(bounded), numbers);
    }
    Ok(table)
}

/// Encoder and decoder in this process, over frames as a filter sees them, without streams or pipes.
struct Products {
    encoder: Encoder,
    decoder: Decoder,
    frames: Vec<Dataset>,
}

impl Products {
    fn open(setup: &Setup) -> Result<Products> {
        let model = Stored::open(&setup.folder.join("model.bin"))?.file;
        let images = Dataset::read(
            &mut vae_cli::input::reader(&setup.folder.join("train.vae"), "x")?,
            "x",
            ImageShape::grey(28, 28),
            None,
        )?;
        let device = Device::cpu(machine::threads()).expect("a CPU");
        let (encoder, decoder) =
            (Encoder::new(&model, images.pixel_type(), &[Latent::Mu], None, device)?, Decoder::new(&model, device)?);
        let starts = (0..images.items()).step_by(vae_stream::BATCH);
        let frame = |at: usize| images.slice(at..images.items().min(at + vae_stream::BATCH));
        Ok(Products { encoder, decoder, frames: starts.map(frame).collect() })
    }

    /// Seconds of the encoder, and of the decoder.
    fn time(&mut self) -> Result<(f64, f64)> {
        let begun = Instant::now();
        let encode = |frame| Ok(self.encoder.encode(frame)?.remove(0));
        let latents: Vec<Array2<f32>> = self.frames.iter().map(encode).collect::<Result<_>>()?;
        let encoded = Instant::now();
        for z in &latents {
            black_box(self.decoder.decode(z.view(), None, 0)?);
        }
        Ok(((encoded - begun).as_secs_f64(), encoded.elapsed().as_secs_f64()))
    }
}
