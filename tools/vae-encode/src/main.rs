//! Images in, latents out.

use clap::Parser;
use common::dataset::{Dataset, labels};
use common::infer::{Encoder, Latent, workers};
use common::model::{Network, Stored};
use common::options::DeviceArgs;
use common::plan::PixelType;
use std::path::PathBuf;
use std::process::ExitCode;
use vae_cli::{ImageArgs, OutputArgs, Result};
use vae_stream::{Data, Dtype, Tensor, TensorSpec};

/// Encode images: the mean of q(z given x), or a draw from it
///
/// Reads a stream of images `x` (or .npy, or newline JSON), with labels `y` for a conditional model, and writes the latents
/// `z` [N, Z]; labels and all else pass through. Pixels are binarized as in training. Memory is a few frames, however long
/// the stream.
#[derive(Parser)]
#[command(version, after_help = "Example: mnist-dump --split test | vae-encode -m model.bin --npy z > z.npy")]
struct Args {
    #[command(flatten)]
    input: ImageArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// The model, made by vae-train
    #[arg(short, long, value_name = "FILE")]
    model: PathBuf,
    /// Draw z from q(z given x) instead of giving its mean
    #[arg(long)]
    sample: bool,
    /// Seed of the draws; item i draws the same in any batch and shard
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    /// Latents to write of each image
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "z")]
    emit: Vec<Latent>,
    /// The images to encode
    #[arg(long, value_name = "NAME", default_value = "x")]
    tensor: String,
    /// Pass on tensors that are dropped by default, say x
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    keep: Vec<String>,
    /// Send the model inside the stream, for a vae-decode on another machine
    #[arg(long)]
    embed_model: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

fn main() -> ExitCode {
    vae_cli::main(run)
}

fn run(args: Args) -> Result<()> {
    let stored = Stored::open(&args.model)?;
    stored.check_kept(args.output.output.as_deref())?;
    let network = &stored.spec().network;
    let (reader, _) = args.input.reader(&args.tensor, Some(network.image))?;
    let mut head = reader.head().clone();
    let images = head.need(&args.tensor)?;
    args.keep.iter().try_for_each(|name| head.need(name).map(drop))?;
    if !args.keep.contains(&args.tensor) {
        head.remove_tensor(&args.tensor);
    }
    for latent in &args.emit {
        head.set_tensor(latent.name(), TensorSpec::new(Dtype::F32, &[network.latent]));
    }
    let model_frame = stored.describe(&mut head, args.embed_model);

    let dtype = if images.dtype.is_whole() { PixelType::U8 } else { PixelType::F32 };
    let sample = args.sample.then_some(args.seed);
    let encoder = |device| Encoder::new(&stored.file, dtype, &args.emit, sample, device);
    let encoders = workers(args.device.for_stage()?, encoder)?;
    let mut writer = args.output.writer(head)?;
    if let Some(model) = model_frame {
        writer.write(model)?;
    }
    let args = &args;
    let worker = |mut encoder| move |data, first| encode(&mut encoder, network, args, data, first);
    writer.filter(reader, encoders.into_iter().map(worker))
}

/// A frame of images to a frame of latents; `first` is the position of its first item in the stream.
fn encode(encoder: &mut Encoder, network: &Network, args: &Args, mut data: Data, first: usize) -> Result<Data> {
    let mut images = Dataset::of_frame(&data, &args.tensor, Some(network.image), first)?;
    if let Some(classes) = network.classes {
        images = images.labelled(labels(&data, classes, first)?);
    }
    let latents = encoder.encode(&images)?;
    if !args.keep.contains(&args.tensor) {
        data.take(&args.tensor);
    }
    for (latent, values) in args.emit.iter().zip(latents) {
        data.set(latent.name(), Tensor::from_array(&values));
    }
    Ok(data)
}
