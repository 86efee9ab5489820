//! The command `loss`.

use std::path::{Path, PathBuf};

use vae_cli::{Error, Result};
use vae_stream::record::{LOSS, MSE};

use crate::curves::Curves;
use crate::picture::{self, Picture};
use crate::run::Run;

/// Plot the losses of one or several runs by epoch
///
/// Reads the records of vae-train, newline JSON or, with --preview, a stream; the log of a running, stopped or killed
/// run is read as far as it goes, lines that are no records are passed over and said, and the last record of a repeated
/// epoch counts. Writes a picture with a panel for the
/// loss and one for each of its terms, in nats per image; for models without KL, one of the squared error per pixel.
/// Test losses are in full colour, training losses paler. Memory: the numbers of the epochs, and the picture.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Logs of runs, each with its own colour; standard input if absent or -
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    picture: picture::Args,
    /// Names in the records, each for a panel: loss, its terms, such as recon and kl, and mse [default: loss and its
    /// terms; mse for models without KL]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    show: Vec<String>,
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
    let canvas = picture.canvas(curves.size());
    picture.write(curves.draw(canvas))
}

/// The names of the panels: those of --show, or the loss and its terms, or the squared error of models without KL.
fn panels(runs: &[Run], show: &[String]) -> Result<Vec<String>> {
    let has = |run: &Run, name: &str| run.names().any(|known| known == name);
    for run in runs {
        if let Some(missing) = show.iter().find(|name| !has(run, name)) {
            let (file, names) = (&run.name, run.names().collect::<Vec<_>>().join(", "));
            return Err(Error::Data(format!(
                "{file}: no {missing} in its epochs: expected names among {names}; correct --show"
            )));
        }
    }
    if !show.is_empty() {
        return Ok(show.to_vec());
    }
    let mut names: Vec<String> = Vec::new();
    if runs.iter().any(Run::is_regularised) {
        for name in runs.iter().flat_map(Run::names).filter(|name| *name != MSE) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    } else {
        let name = if runs.iter().all(|run| has(run, MSE)) { MSE } else { LOSS };
        names.extend(runs.iter().any(|run| has(run, name)).then(|| name.to_owned()));
    }
    match names.is_empty() {
        false => Ok(names),
        true => Err(Error::Data(format!(
            "{}: no losses: expected finite numbers in its epochs, got none; plot another run",
            runs[0].name
        ))),
    }
}
