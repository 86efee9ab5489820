//! Losses by epoch.

use std::path::{Path, PathBuf};

use vae_cli::{Error, Result};

use crate::curves::Curves;
use crate::picture::{self, Picture};
use crate::run::{Images, Quantity, Run};

/// Plot the losses of one or several runs by epoch
///
/// Reads what vae-train writes, newline JSON or, with --preview, a stream: of a run that goes on, was stopped or was killed as
/// far as it goes, and of a repeated epoch the last. Writes a picture of test losses in full colour and training losses paler,
/// in nats per image: the loss, reconstruction and KL; or, of models without KL, the squared error per pixel. Memory: the
/// epochs, and the picture.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The metrics of runs, each with its own colour; standard input if absent or -
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    picture: picture::Args,
    /// What to show, each in a panel of its own [default: loss,recon,kl; or mse of models without KL]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    show: Vec<Quantity>,
}

const EXAMPLES: &str = "\
Examples:
  mnist-dump | vae-train --test test.vae -o model.bin | tee run.jsonl | vae-plot loss -o loss.png
  vae-plot loss small.jsonl large.jsonl --show loss -o losses.svg";

pub(crate) fn run(args: Args) -> Result<()> {
    let picture = Picture::open(&args.picture)?;
    let inputs: Vec<Option<&Path>> = match args.files.is_empty() {
        true => vec![None],
        false => args.files.iter().map(|file| Some(file.as_path())).collect(),
    };
    let runs = inputs.into_iter().map(Run::read).collect::<Result<Vec<_>>>()?;
    let panels = panels(&runs, &args.show)?;
    let curves = Curves::new(&runs, &panels);
    let sheet = picture.sheet(curves.needs());
    picture.write(curves.draw(sheet))
}

/// What to show: what was asked for, or what there is of interest.
fn panels(runs: &[Run], asked: &[Quantity]) -> Result<Vec<Quantity>> {
    let has = |run: &Run, quantity| [Images::Train, Images::Test].into_iter().any(|images| run.has(images, quantity));
    if asked.is_empty() {
        let wanted = match runs.iter().any(Run::is_variational) {
            true => &[Quantity::Loss, Quantity::Recon, Quantity::Kl][..],
            false if runs.iter().all(|run| has(run, Quantity::Mse)) => &[Quantity::Mse],
            false => &[Quantity::Loss],
        };
        let there: Vec<_> = wanted.iter().copied().filter(|q| runs.iter().any(|run| has(run, *q))).collect();
        return match there.is_empty() {
            false => Ok(there),
            true => Err(Error::Data(format!("{}: no losses: expected numbers in its epochs, got none", runs[0].name))),
        };
    }
    for run in runs {
        if let Some(quantity) = asked.iter().find(|quantity| !has(run, **quantity)) {
            let name = &run.name;
            let asked =
                clap::ValueEnum::to_possible_value(quantity).map_or_else(String::new, |v| v.get_name().to_owned());
            return Err(Error::Data(format!(
                "{name}: no {asked} in its epochs: expected it there, as --show asks; leave it out of --show"
            )));
        }
    }
    Ok(asked.to_vec())
}
