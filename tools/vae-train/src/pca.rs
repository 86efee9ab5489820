//! Principal components, which are found in one pass and not trained.

use crate::options::Args;
use crate::preview::Preview;
use crate::progress::Progress;
use crate::report::{self, Report};
use clap::parser::ValueSource;
use clap::{Arg, CommandFactory};
use common::model::Layers;
use common::pca;
use std::path::Path;
use std::time::Instant;
use vae_cli::{Error, Result};

/// What can be asked of principal components; they have neither layers nor steps.
const OF_COMPONENTS: [&str; 10] =
    ["file", "output", "preset", "latent", "test", "preview", "dry_run", "verbose", "device", "threads"];

impl Args {
    /// Whether principal components are asked for.
    pub fn is_pca(&self) -> bool {
        self.preset().network.kind == Layers::Pca
    }

    /// Refuses options of layers and of training where principal components are asked for.
    pub fn expect_use(&self) -> Result<()> {
        if !self.is_pca() {
            return Ok(());
        }
        let (command, given) = (Args::command(), Args::command().get_matches());
        let idle = command.get_arguments().find(|option| {
            let name = option.get_id().as_str();
            !OF_COMPONENTS.contains(&name) && given.value_source(name) == Some(ValueSource::CommandLine)
        });
        match idle.and_then(Arg::get_long) {
            None => Ok(()),
            Some(name) => Err(Error::Usage(format!(
                "--{name} has no meaning for {}: expected only --latent, --test and --preview beside it; leave it out",
                self.preset
            ))),
        }
    }
}

/// Finds them, writes the model, and reports as a run of one epoch without steps.
pub fn find(args: &Args, output: &Path, report: &mut Report) -> Result<()> {
    let (train, test) = args.images()?;
    let (spec, device) = (args.spec(&train)?, args.device.for_stage()?);
    let within = |e: Error| e.within("test images");
    if let Some(test) = &test {
        test.expect_size(spec.network.image).and_then(|()| test.expect_unit_range()).map_err(within)?;
    }
    let preview = Preview::new(&train, test.as_ref(), args.preview);
    let mut progress = Progress::new(args.verbose, &spec, train.items());
    let record = report::run(&spec, test.as_ref(), device);
    let begun = Instant::now();
    let model = pca::fit(spec, &train)?;
    let (seconds, images) = (begun.elapsed().as_secs_f64(), train.items());
    report.record(record);
    let test = test.map(|test| pca::losses(&model, test, device)).transpose()?;
    let train = pca::losses(&model, train, device)?;
    if args.preview > 0 {
        report.preview(preview.frames(&model, 1, device)?);
    }
    let losses = [Some(&train), test.as_ref()];
    report.record(report::epoch(1, &model.spec, losses, seconds, images));
    progress.epoch(1, losses, seconds);
    let sha256 = model.save(output)?;
    progress.finish();
    report.record(report::done(output, &sha256, &model.spec, begun.elapsed().as_secs_f64()));
    Ok(())
}
