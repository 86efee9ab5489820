//! Training: steps and epochs on the device, and between them records, checkpoints and signals.

use crate::checkpoint::Checkpoints;
use crate::preview::Preview;
use crate::progress::Progress;
use crate::report::{self, Report};
use crate::resolve::Run;
use crate::signals::Signals;
use common::backend::Device;
use common::model::Model;
use common::plan::Precision;
use common::train::Trainer;
use std::num::NonZeroU64;
use std::time::Instant;
use vae_cli::Result;

/// Trains, and writes the model.
pub fn train(run: Run, checkpoints: &Checkpoints, report: &mut Report) -> Result<()> {
    let Run { mut spec, train, test, device, output, .. } = run;
    let preview = Preview::new(&train, test.as_ref(), run.preview);
    let resumed = checkpoints.open(run.resume, &output)?;
    spec.training.precision = precision(spec.training.precision, resumed.as_ref(), device);
    // Until here there is nothing to keep, and Ctrl-C just ends.
    let signals = Signals::listen()?;
    let start = Instant::now();
    let record = report::run(&spec, test.as_ref(), device);
    let mut progress = Progress::new(run.verbose, &spec, train.items());
    let mut trainer = Trainer::new(spec, train, test, resumed, device)?;
    report.record(record);
    progress.begin(&trainer);
    let due = |step: u64| run.every.is_some_and(|every| step % every == 0);

    while !trainer.complete() {
        let (epoch, resumed_at) = (Instant::now(), trainer.progress().at);
        while !steps(&mut trainer, &mut progress, run.every)? {
            let signal = signals.pending();
            if signal.is_some() || due(trainer.taken()) {
                checkpoints.save(&trainer)?;
            }
            if let Some(signal) = signal {
                return Err(checkpoints.interrupted(signal));
            }
        }
        let (seconds, images) = (epoch.elapsed().as_secs_f64(), trainer.images() - resumed_at);
        let (number, train) = (trainer.progress().epoch, trainer.losses());
        let test = trainer.end_epoch()?;
        if run.preview > 0 {
            report.preview(preview.frames(&trainer.model()?, number, device)?);
        }
        let losses = [Some(&train), test.as_ref()];
        report.record(report::epoch(number, trainer.spec(), losses, seconds, images));
        progress.epoch(number, losses, seconds);
        let complete = trainer.complete();
        let signal = signals.pending().filter(|_| !complete);
        let due = run.every.is_none() || due(trainer.taken()) || complete;
        if signal.is_some() || (due && (checkpoints.kept() || !complete)) {
            checkpoints.save(&trainer)?;
        }
        if let Some(signal) = signal {
            return Err(checkpoints.interrupted(signal));
        }
    }
    checkpoints.tell_of_another(&output);
    let saved = trainer.model()?.save(&output);
    if saved.is_err() {
        let _ = checkpoints.save(&trainer); // --resume then only writes the model
    }
    let sha256 = saved?;
    checkpoints.remove();
    progress.finish();
    report.record(report::done(&output, &sha256, trainer.spec(), start.elapsed().as_secs_f64()));
    Ok(())
}

/// The precision asked for, where it is faster than fp32, or where the run began in it.
fn precision(asked: Precision, resumed: Option<&Model>, device: Device) -> Precision {
    let taken = match resumed {
        Some(checkpoint) if checkpoint.spec.training.precision == asked => asked,
        _ => device.precision(asked),
    };
    if taken != asked {
        vae_cli::tell(&format!("training in {}, which is faster than {} on this CPU", taken.name(), asked.name()));
    }
    taken
}

/// Steps until the next update of the bar, the next checkpoint of --every or the end of the epoch: then true.
fn steps(trainer: &mut Trainer, progress: &mut Progress, every: Option<NonZeroU64>) -> Result<bool> {
    let before = trainer.taken();
    let to_checkpoint = every.map(|every| every.get() - before % every);
    let ended = trainer.steps(progress.steps(to_checkpoint))?;
    progress.show(trainer, trainer.taken() - before);
    Ok(ended)
}
