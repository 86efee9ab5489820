//! Latents out, drawn from the prior.

use clap::Parser;
use common::backend::Device;
use common::cli::OutputArgs;
use common::infer::Prior;
use common::model::Stored;
use common::stream::{Data, Dtype, Head, Spec, Tensor, Writer};
use common::{Result, cli};
use ndarray::Array1;
use std::path::PathBuf;
use std::process::ExitCode;

/// Draw latents from the prior of a model, N(0, I)
///
/// Reads nothing. Writes a stream of latents `z` [N, Z] and their numbers `i` [N]; vae-decode makes images of them.
/// Memory is one frame, however many draws.
#[derive(Parser)]
#[command(version, after_help = "Example: vae-sample -m model.bin -n 64 | vae-decode | grid-png > samples.png")]
struct Args {
    #[command(flatten)]
    output: OutputArgs,
    /// The model, made by vae-train
    #[arg(short, long, value_name = "FILE")]
    model: PathBuf,
    /// How many draws
    #[arg(short = 'n', long = "number", value_name = "N", default_value_t = 64)]
    number: u32,
    /// Key of the draws; draw i is the same for any N
    #[arg(long, default_value_t = 0)]
    seed: u32,
    /// Draws in a frame
    #[arg(long, value_name = "N", default_value_t = common::stream::BATCH, value_parser = cli::batch)]
    batch: usize,
    /// Send the model inside the stream, for a vae-decode on another machine
    #[arg(long)]
    embed_model: bool,
}

fn main() -> ExitCode {
    cli::main(run)
}

fn run(args: Args) -> Result<()> {
    let stored = Stored::open(&args.model)?;
    let latent = stored.spec().network.latent;
    let mut head = Head::new();
    head.set_tensor("z", Spec::new(Dtype::F32, &[latent]));
    head.set_tensor("i", Spec::new(Dtype::I64, &[]));
    let model_frame = stored.describe(&mut head, args.embed_model);
    let mut prior = Prior::new(&stored.file, Device::cpu(1)?)?;
    Writer::create(&args.output, head)?.run(|writer| {
        if let Some(model) = model_frame {
            writer.write(model)?;
        }
        let number = args.number as usize;
        for first in (0..number).step_by(args.batch) {
            let count = args.batch.min(number - first);
            let z = prior.draw(args.seed, first, count, None, 1.0)?;
            let i: Array1<i64> = (first..first + count).map(|i| i as i64).collect();
            let data = Data::new([("z", Tensor::from_array(&z)), ("i", Tensor::from_array(&i))]);
            writer.write(data)?;
        }
        Ok(())
    })
}
