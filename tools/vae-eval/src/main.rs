//! Images in, an evaluation of the model out.

mod report;

use clap::Parser;
use common::dataset::Dataset;
use common::evaluate::Evaluator;
use common::model::Stored;
use common::options::DeviceArgs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use vae_cli::output::{Format, Output};
use vae_cli::{Error, ImageArgs, Result};
use vae_stream::record::Record;

/// Evaluate a model on images: ELBO, reconstruction, KL, active units, squared error and log-likelihood
///
/// Reads a whole stream of images `x` (or .npy), with labels `y` for a conditional model, and holds it in memory. Writes one
/// JSON record, in nats per image: `elbo` by sampling at beta 1, whatever the model was trained with, and its terms `recon`
/// and `kl` (`loss` = recon + kl = -elbo); `kl_per_dimension`; `active_units`, of which the mean of q varies by more than
/// 0.01; `mse` per pixel of reconstructions from the mean of q; and with -k `nll`, -log p(x) by importance sampling.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    input: ImageArgs,
    /// The model, made by vae-train
    #[arg(short, long, value_name = "FILE")]
    model: PathBuf,
    /// Write to FILE, which appears only when all went well; standard output if absent or -
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Draws of z per image, for the ELBO
    #[arg(long, value_name = "L", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    samples: u32,
    /// Draws of z per image, for the log-likelihood; 0 leaves it out
    #[arg(short, long, value_name = "K", default_value_t = 0)]
    k: u32,
    /// Seed of the draws; image i draws the same in any selection. With vae-train's seed, the loss is its test loss
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    /// Write a record per image before that of all, with its index `i` and label `y`, if it has one
    #[arg(long)]
    per_image: bool,
    /// The images to evaluate
    #[arg(long, value_name = "NAME", default_value = "x")]
    tensor: String,
    #[command(flatten)]
    device: DeviceArgs,
}

const EXAMPLES: &str = r#"Examples:
  mnist-dump --split test | vae-eval -m model.bin -k 200
  mnist-dump --split test | vae-eval -m model.bin --per-image |
    jq -r 'select(.kind == "image") | "\(.loss) \(.i)"' | sort -rn | head"#;

fn main() -> ExitCode {
    vae_cli::main(run)
}

fn run(args: Args) -> Result<()> {
    let stored = Stored::open(&args.model)?;
    stored.check_kept(args.output.as_deref())?;
    let spec = stored.spec();
    if args.k > 0 && !spec.network.bottleneck.is_distribution() {
        return Err(Error::Usage(
            "-k: this model says nothing of how likely an image is: expected a VAE; leave out -k for its squared error"
                .into(),
        ));
    }
    let mut output = Output::open(args.output.as_deref(), Format::Json)?;
    let (mut reader, image) = args.input.reader(&args.tensor, Some(spec.network.image))?;
    // The record of an image holds its label, for any model.
    let has_labels = reader.head().tensor("y").is_some_and(|y| y.dtype.is_whole() && matches!(y.shape[..], [] | [1]));
    let mut labels = has_labels.then(Vec::new);
    let images = Dataset::read_with(&mut reader, &args.tensor, image, spec.network.classes, |data| {
        if let Some(labels) = &mut labels {
            labels.extend(data.integers("y")?);
        }
        Ok(())
    })?;
    let device = args.device.for_work()?;
    let mut evaluator = Evaluator::new(&stored.file, images, args.samples as usize, args.seed, device)?;
    let bar = vae_cli::progress_bar(args.k.into(), "{wide_bar} {pos}/{len} draws, {eta} left");
    let evaluations = evaluator.evaluate(args.k as usize, |draws| bar.set_position(draws as u64))?;
    bar.finish_and_clear();
    let mut write = |record: Record| writeln!(output, "{record}").map_err(|e| output.error(e));
    if args.per_image {
        for (n, evaluation) in evaluations.iter().enumerate() {
            write(report::image(evaluator.images().ids()[n], labels.as_ref().map(|labels| labels[n]), evaluation))?;
        }
    }
    let sampling = report::MonteCarlo { samples: args.samples, k: args.k, seed: args.seed };
    write(report::all(&evaluations, spec, stored.sha256(), sampling))?;
    output.commit()
}
