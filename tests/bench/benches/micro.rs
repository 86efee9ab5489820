//! The parts of the product one by one: `make bench ONLY=micro`, or `cargo bench`. Criterion compares each with the
//! last run. Data and weights are drawn here; nothing is downloaded.

use common::backend::Device;
use common::dataset::Dataset;
use common::infer::{Decoder, Encoder, Latent};
use common::model::{DataSpec, Likelihood, Network, Objective, Spec, Stored, Training};
use common::plan::PixelType;
use common::train::Trainer;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array1, Array2, Array3, Array4};
use std::hint::black_box;
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;
use vae_stream::images::Pixels;
use vae_stream::{Data, Head, Memory, Pipe, Reader, Tensor, Writer};

fn one() -> Device {
    Device::cpu(1).expect("a CPU")
}
const FRAME: usize = 256;

/// Images of which a fifth is ink, as of handwriting.
fn pixels(n: usize) -> Array3<u8> {
    Array3::from_shape_fn((n, 28, 28), |(n, y, x)| {
        let noise = (n * 784 + y * 28 + x).wrapping_mul(2654435761) >> 7;
        if noise.is_multiple_of(5) { noise as u8 } else { 0 }
    })
}

fn images(n: usize) -> Dataset {
    Dataset::new(Pixels::U8(pixels(n)), (0..n as u32).collect())
}

fn model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/mlp-400-20.bin")
}

/// Steps of training: products forwards and backwards, loss, noise and optimizer, on one thread.
fn training(c: &mut Criterion) {
    const IMAGES: usize = 2048;
    let mut group = c.benchmark_group("training, one thread");
    group.throughput(Throughput::Elements(IMAGES as u64));
    for (name, hidden, latent, batch) in [
        ("784-400-20, N = 128", &[400][..], 20, 128),
        ("784-400-20, N = 2048", &[400][..], 20, 2048),
        ("784-512-256-2, N = 128", &[512, 256], 2, 128),
    ] {
        let network = Network::mlp([28, 28], hidden, latent);
        let spec = Spec {
            data: DataSpec { images: IMAGES, ..DataSpec::default() },
            training: Training { batch, ..Training::default() },
            ..Spec::new(network, Objective::new(Likelihood::Bernoulli))
        };
        let mut trainer = Trainer::new(spec, images(IMAGES), None, None, one()).expect("a run");
        group.bench_function(name, |b| {
            b.iter(|| {
                trainer.steps(usize::MAX).expect("an epoch");
                trainer.end_epoch().expect("its end")
            });
        });
    }
}

/// One frame through encoder and decoder, on one thread.
fn inference(c: &mut Criterion) {
    let model = Stored::open(&model()).expect("the model of the examples").file;
    let mut group = c.benchmark_group("inference, one thread");
    group.throughput(Throughput::Elements(FRAME as u64));
    let frame = images(FRAME);
    let mut encoder = Encoder::new(&model, PixelType::U8, &[Latent::Mu], None, one()).expect("an encoder");
    let z = encoder.encode(&frame).expect("latents").remove(0);
    group.bench_function("encode", |b| b.iter(|| encoder.encode(black_box(&frame)).expect("latents")));
    let mut decoder = Decoder::new(&model, one()).expect("a decoder");
    group.bench_function("decode", |b| b.iter(|| decoder.decode(black_box(z.view()), None, 0).expect("images")));
}

/// Frames of decoded images, with labels.
fn frames(n: usize) -> Vec<Data> {
    let means = pixels(FRAME).mapv(|p| f32::from(p) / 255.0);
    let frame =
        Data::new([("x_hat", Tensor::from_array(&means)), ("y", Tensor::from_array(&Array1::<u8>::zeros(FRAME)))]);
    vec![frame; n]
}

fn write(to: impl Write + Send + 'static, frames: &[Data]) {
    let writer = Writer::framed(Pipe(to), &Head::of(&frames[0])).expect("a head");
    writer.run(|w| frames.iter().try_for_each(|frame| w.write(frame.clone()))).expect("a stream");
}

fn read(from: impl io::Read + Send + 'static) -> usize {
    let mut reader = Reader::new(from, "the benchmark", "x").expect("a head");
    let mut frames = 0;
    while reader.next_frame().expect("a frame").is_some() {
        frames += 1;
    }
    frames
}

/// The stream: checksums, lines of JSON and copies.
fn stream(c: &mut Criterion) {
    let frames = frames(32);
    let memory = Memory::default();
    write(memory.clone(), &frames);
    let bytes = memory.bytes();
    let mut group = c.benchmark_group("stream");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("write, to nowhere", |b| b.iter(|| write(io::sink(), &frames)));
    group.bench_function("read, from memory", |b| {
        b.iter_batched(|| Cursor::new(bytes.clone()), read, criterion::BatchSize::LargeInput);
    });
    group.bench_function("write and read, through a pipe", |b| {
        b.iter(|| {
            let (from, to) = io::pipe().expect("a pipe");
            thread::scope(|s| {
                s.spawn(|| write(to, &frames));
                read(from)
            })
        });
    });
}

/// Tensors to and from arrays.
fn npy(c: &mut Criterion) {
    let array = Array2::<f32>::zeros((FRAME, 784));
    let tensor = Tensor::from_array(&array);
    let mut group = c.benchmark_group("npy");
    group.throughput(Throughput::Bytes(tensor.bytes().len() as u64));
    group.bench_function("from an array", |b| b.iter(|| Tensor::from_array(black_box(&array))));
    let turned = Array4::<f32>::zeros((28, 28, 1, FRAME)).reversed_axes();
    group.bench_function("from an array in Fortran order", |b| b.iter(|| Tensor::from_array(black_box(&turned))));
    group.bench_function("to an array", |b| b.iter(|| black_box(&tensor).to_array::<f32>().expect("floats")));
    group.bench_function("parse", |b| {
        let bytes = || tensor.bytes().to_vec();
        b.iter_batched(bytes, |bytes| Tensor::parse(bytes).expect("a tensor"), criterion::BatchSize::SmallInput);
    });
}

/// A program from its start to its end, over one image.
fn start_up(c: &mut Criterion) {
    let bench = std::env::current_exe().expect("this program");
    let tools = bench.parent().and_then(Path::parent).expect("target/release");
    let folder = tempfile::tempdir().expect("a folder");
    let run = |line: &str| {
        let mut words = line.split(' ');
        let mut command = Command::new(tools.join(words.next().unwrap_or_default()));
        let status = command.args(words).current_dir(&folder).stdin(Stdio::null()).stdout(Stdio::null()).status();
        assert!(status.is_ok_and(|s| s.success()), "{line}: expected it to succeed; `make build` makes the programs");
    };
    let model = model();
    let encode = format!("vae-encode -m {}", model.display());
    run("mnist-dump --synthetic=1 -o one.vae");
    run(&format!("{encode} one.vae -o z.vae"));
    let mut group = c.benchmark_group("start-up");
    for line in ["vae-cat one.vae", &format!("{encode} one.vae"), "vae-decode z.vae", "grid-png one.vae"] {
        let name = line.split(' ').next().unwrap_or_default();
        group.bench_function(name, |b| b.iter(|| run(line)));
    }
}

criterion_group! {
    name = parts;
    config = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = training, inference, stream, npy, start_up
}
criterion_main!(parts);
