//! Principal components, found in one pass and not trained.

use crate::preview::Preview;
use crate::progress::Progress;
use crate::report::{self, Report};
use crate::resolve::Run;
use common::{Error, pca};
use std::time::Instant;
use vae_cli::Result;

/// Fits them, writes the model, and reports as a run of one epoch without steps.
pub fn fit(run: Run, report: &mut Report) -> Result<()> {
    let Run { spec, train, test, device, output, .. } = run;
    if let Some(test) = &test {
        let fits = test.expect_size(spec.network.image).and_then(|()| test.expect_unit_range());
        fits.map_err(Error::TestImages)?;
    }
    let preview = Preview::new(&train, test.as_ref(), run.preview);
    let mut progress = Progress::new(run.verbose, &spec, train.items());
    let record = report::run(&spec, test.as_ref(), device);
    let start = Instant::now();
    let model = pca::fit(spec, &train)?;
    let (seconds, images) = (start.elapsed().as_secs_f64(), train.items());
    report.record(record);
    let test = test.map(|test| pca::losses(&model, test, device)).transpose()?;
    let train = pca::losses(&model, train, device)?;
    if run.preview > 0 {
        report.preview(preview.frames(&model, 1, device)?);
    }
    let losses = [Some(&train), test.as_ref()];
    report.record(report::epoch(1, &model.spec, losses, seconds, images));
    progress.epoch(1, losses, seconds);
    let sha256 = model.save(&output)?;
    progress.finish();
    report.record(report::done(&output, &sha256, &model.spec, start.elapsed().as_secs_f64()));
    Ok(())
}
