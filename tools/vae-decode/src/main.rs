//! Latents in, images out.

use clap::Parser;
use common::dataset::{ids, labels};
use common::infer::{Decoder, workers};
use common::model::{Network, Stored};
use common::options::DeviceArgs;
use ndarray::Ix2;
use std::path::PathBuf;
use std::process::ExitCode;
use vae_cli::{Error, InputArgs, OutputArgs, Result};
use vae_numerics::rng::{Purpose, bernoulli};
use vae_stream::{Data, Dtype, Tensor, TensorSpec};

/// Decode latents: the means of the pixels, or draws from them
///
/// Reads a stream of latents `z` [N, Z] (or .npy, or newline JSON such as {"z":[0.5,-1]}), with labels `y` for a conditional
/// model ({"z":[0.5,-1],"y":3}), and writes the images `x_hat` [N, H, W], f32 from 0 to 1, or from principal components a
/// little beyond. The model is found through the stream, or given with -m. Labels and all else pass through. Memory is a few
/// frames, however long the stream.
#[derive(Parser)]
#[command(version, after_help = "Example: vae-sample -m model.bin -n 64 | vae-decode | grid-png > samples.png")]
struct Args {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// The model; needed for latents that name none, such as .npy
    #[arg(short, long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Draw each pixel, black or white, from its mean
    #[arg(long)]
    bernoulli: bool,
    /// Seed of the draws; item i draws the same in any batch and shard
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    /// Write bytes from 0 to 255 instead of f32
    #[arg(long)]
    u8: bool,
    /// The latents to decode
    #[arg(long, value_name = "NAME", default_value = "z")]
    tensor: String,
    /// Pass on tensors that are dropped by default, say z
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    keep: Vec<String>,
    #[command(flatten)]
    device: DeviceArgs,
}

fn main() -> ExitCode {
    vae_cli::main(run)
}

fn run(args: Args) -> Result<()> {
    let mut reader = args.input.reader(&args.tensor)?;
    reader.head().need(&args.tensor)?;
    let model = Stored::find(&mut reader, args.model.as_deref())?;
    model.check_kept(args.output.output.as_deref())?;
    let network = &model.spec().network;
    reader.join_vector(network.latent);
    let mut head = reader.head().clone();
    args.keep.iter().try_for_each(|name| head.need(name).map(drop))?;
    if !args.keep.contains(&args.tensor) {
        head.remove_tensor(&args.tensor);
    }
    head.set_tensor("x_hat", TensorSpec::new(if args.u8 { Dtype::U8 } else { Dtype::F32 }, &network.image.dims()));

    let decoders = workers(args.device.for_stage()?, |device| Decoder::new(&model.file, device))?;
    let writer = args.output.writer(head)?;
    let args = &args;
    let worker = |mut decoder| move |data, first| decode(&mut decoder, network, args, data, first);
    writer.filter(reader, decoders.into_iter().map(worker))
}

/// A frame of latents to a frame of images; `first` is the position of its first item in the stream.
fn decode(decoder: &mut Decoder, network: &Network, args: &Args, mut data: Data, first: usize) -> Result<Data> {
    let z = data.f32(&args.tensor)?.into_dimensionality::<Ix2>().map_err(|_| {
        let shape = data.get(&args.tensor).map(Tensor::shape).unwrap_or_default();
        Error::Data(format!("tensor {} has shape {shape:?}: expected latents [N, Z]", args.tensor))
    })?;
    let labels = network.classes.map(|classes| labels(&data, classes, first)).transpose()?;
    let mut x_hat = decoder.decode(z.view(), labels.as_deref(), first)?;
    if args.bernoulli {
        for (mut means, id) in x_hat.rows_mut().into_iter().zip(ids(&data, first)?) {
            let means = means.as_slice_mut().expect("a row of a new array is contiguous");
            bernoulli(means, args.seed, Purpose::Pixel, [id, 0]);
        }
    }
    let shape = (z.nrows(), network.image.height, network.image.width);
    let x_hat = x_hat.into_shape_with_order(shape).expect("a row holds H times W pixels");
    if !args.keep.contains(&args.tensor) {
        data.take(&args.tensor);
    }
    let pixels = match args.u8 {
        // `as` saturates: a mean outside [0, 1] becomes 0 or 255.
        true => Tensor::from_array(&x_hat.mapv(|p| (p * 255.0).round() as u8)),
        false => Tensor::from_array(&x_hat),
    };
    data.set("x_hat", pixels);
    Ok(data)
}
