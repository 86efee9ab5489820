//! Latents out: draws from the prior, a grid over the latent plane, interpolations and traversals.

mod classes;
mod interpolation;
mod latents;
mod manifold;
mod model;
mod path_points;
mod paths;
mod prior;
mod sampling;
mod traversal;

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use vae_cli::{InputArgs, OutputArgs, Result};
use vae_stream::Head;

use crate::classes::ClassArgs;
use crate::latents::LatentWriter;
use crate::manifold::GridSize;
use crate::paths::PathArgs;
use crate::prior::DrawArgs;
use crate::sampling::Sampling;

/// Make latents: draws from the prior of a model, a grid over its latent plane, interpolations or traversals
///
/// Reads nothing, except for --interpolate, and for --traverse of a FILE: latents `z [N, Z]` as a stream, .npy or
/// newline JSON such as {"z":[0.5,-1]}. Writes a stream of latents `z [N, Z]`, their indices `i [N]`, and labels `y
/// [N]`: those of the points read, where these have any, else the classes of a conditional model; vae-decode makes
/// images of them. Memory is one frame of the input and one of the output, whatever N.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Args {
    /// The points of paths: a stream, .npy or newline JSON; standard input if -, and for --interpolate if absent
    #[arg(value_name = "FILE", requires = "path", conflicts_with_all = ["DrawArgs", "manifold"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
    /// The model, made by vae-train; not needed where the input names its model
    #[arg(short, long, value_name = "FILE", required_unless_present_any = ["interpolate", "file"])]
    model: Option<PathBuf>,
    /// Latents per frame
    #[arg(long, value_name = "N", default_value_t = vae_stream::BATCH, value_parser = vae_cli::batch)]
    batch: usize,
    /// Embed the model in the stream, for a vae-decode on another machine
    #[arg(long)]
    embed_model: bool,
    #[command(flatten)]
    draws: DrawArgs,
    /// A grid over 2 latent dimensions, N for NxN: along each axis the quantiles of the prior at (i + 0.5) / N, the
    /// first dimension increasing from left to right, the second from bottom to top. Needs a prior, so not for an
    /// autoencoder
    #[arg(long, value_name = "ROWSxCOLUMNS", conflicts_with_all = ["DrawArgs", "path"], help_heading = "Plane")]
    manifold: Option<GridSize>,
    #[command(flatten)]
    paths: PathArgs,
    #[command(flatten)]
    classes: ClassArgs,
}

const EXAMPLES: &str = "\
Examples:
  vae-sample -m model.bin -n 64 | vae-decode | grid-png > samples.png
  vae-sample -m 2d.bin --manifold 20 | vae-decode | grid-png --nrow 20 --padding 0 --max 0 > p.png
  vae-sample -m cvae.bin --classes 0-9 --per-class 6 | vae-decode | grid-png --nrow 6 > classes.png
  vae-encode -m model.bin digits.vae | vae-sample --interpolate spherical -o between.vae
  vae-sample -m model.bin --traverse all | vae-decode | grid-png --nrow 10 --max 0 > dimensions.png";

fn main() -> ExitCode {
    vae_cli::main(run)
}

fn run(args: Args) -> Result<()> {
    let mut input = args.input().map(|input| path_points::open(&input)).transpose()?;
    let mut head = input.as_ref().map_or_else(Head::new, |reader| reader.head().clone());
    let (model, model_frame) = model::resolve(input.as_mut(), args.model.as_deref(), &mut head, args.embed_model)?;
    model.check_kept(args.output.output.as_deref())?;
    let sampling = Sampling::resolve(&args, input, &model.file)?;
    latents::describe(&mut head, &model.spec().network);
    args.output.writer(head)?.run(|writer| {
        let mut writer = LatentWriter::new(writer, args.batch);
        if let Some(frame) = model_frame {
            writer.pass_through(frame.into())?;
        }
        sampling.run(&mut writer)
    })
}

impl Args {
    /// The input of paths. Draws read no standard input, so that they can run inside a loop that does.
    fn input(&self) -> Option<InputArgs> {
        (self.file.is_some() || self.paths.need_points()).then(|| InputArgs { file: self.file.clone() })
    }
}
