//! Latents out: drawn from the prior, on a plane, or along paths between and through points.

mod classes;
mod interpolate;
mod latents;
mod manifold;
mod model;
mod paths;
mod plan;
mod points;
mod prior;
mod traverse;

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use vae_cli::{InputArgs, OutputArgs, Result};
use vae_stream::Head;

use crate::classes::ClassArgs;
use crate::latents::Frames;
use crate::manifold::Grid;
use crate::paths::PathArgs;
use crate::plan::Plan;
use crate::prior::Draws;

/// Make latents: draws from the prior of a model, a plane, or paths between and through points
///
/// Reads nothing, except for --interpolate, and for --traverse of a FILE: latents `z [N, Z]` as a stream, .npy or newline
/// JSON such as {"z":[0.5,-1]}. Writes a stream of latents `z [N, Z]`, their numbers `i [N]`, and labels `y [N]`: those of
/// the points that paths start from, where these have any, else the classes of a conditional model; vae-decode makes images
/// of them. Memory is a frame of what is read and a frame of what is written, however many.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Args {
    /// The points of paths: a stream, .npy or newline JSON; standard input if -, and for --interpolate if absent
    #[arg(value_name = "FILE", requires = "path", conflicts_with_all = ["Draws", "manifold"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
    /// The model, made by vae-train; not needed where points are read that name theirs
    #[arg(short, long, value_name = "FILE", required_unless_present_any = ["interpolate", "file"])]
    model: Option<PathBuf>,
    /// Latents in a frame
    #[arg(long, value_name = "N", default_value_t = vae_stream::BATCH, value_parser = vae_cli::batch)]
    batch: usize,
    /// Send the model inside the stream, for a vae-decode on another machine
    #[arg(long)]
    embed_model: bool,
    #[command(flatten)]
    draws: Draws,
    /// A grid over 2 latent dimensions, N for NxN: in each the quantiles of the prior at (i + 0.5) / N, the first growing from
    /// left to right, the second from bottom to top. An autoencoder has no prior, and so no such grid
    #[arg(long, value_name = "ROWSxCOLUMNS", conflicts_with_all = ["Draws", "path"], help_heading = "Plane")]
    manifold: Option<Grid>,
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
    let mut input = args.input().map(|input| points::open(&input)).transpose()?;
    let mut head = input.as_ref().map_or_else(Head::new, |reader| reader.head().clone());
    let (model, sent) = model::find(input.as_mut(), args.model.as_deref(), &mut head, args.embed_model)?;
    let plan = Plan::new(&args, input, &model.file)?;
    latents::describe(&mut head, &model.spec().network);
    args.output.writer(head)?.run(|writer| {
        let mut frames = Frames::new(writer, args.batch);
        if let Some(model) = sent {
            frames.pass_on(model.into())?;
        }
        plan.run(&mut frames)
    })
}

impl Args {
    /// Standard input is read only where it is asked for: this may run in a loop that reads it.
    fn input(&self) -> Option<InputArgs> {
        (self.file.is_some() || self.paths.need_points()).then(|| InputArgs { file: self.file.clone() })
    }
}
