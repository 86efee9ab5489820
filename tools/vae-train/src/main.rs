//! Images in, a model out.

mod asked;
mod checkpoint;
mod components;
mod describe;
mod options;
mod preview;
mod progress;
mod report;
mod signals;
mod spark;

use checkpoint::Checkpoints;
use common::train::Trainer;
use options::Args;
use preview::Preview;
use progress::Progress;
use report::Report;
use signals::Signals;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use vae_cli::Result;

fn main() -> ExitCode {
    vae_cli::main(run)
}

fn run(args: Args) -> Result<()> {
    args.expect_use()?;
    if args.dry_run {
        return describe::describe(&args);
    }
    let output = args.check()?;
    let checkpoints = Checkpoints::new(output, args.checkpoint.as_deref())?;
    let mut report = Report::open(args.preview > 0)?;
    let done = match args.is_pca() {
        true => components::find(&args, output, &mut report),
        false => train(&args, output, &checkpoints, &mut report),
    };
    match done {
        Ok(()) => report.finish(),
        Err(e) => Err(report.fail(checkpoints.mention(e))),
    }
}

fn train(args: &Args, output: &Path, checkpoints: &Checkpoints, report: &mut Report) -> Result<()> {
    let (train, test) = args.images()?;
    let (spec, device) = (args.spec(&train)?, args.device.for_work()?);
    let preview = Preview::new(&train, test.as_ref(), args.preview);
    let from = checkpoints.begin(args.resume, output)?;
    // Until here there is nothing to keep, and Ctrl-C just ends.
    let signals = Signals::listen()?;
    let begun = Instant::now();
    let record = report::run(&spec, test.as_ref(), device);
    let mut progress = Progress::new(args.verbose, &spec, train.items());
    let mut trainer = Trainer::new(spec, train, test, from, device)?;
    report.record(record);
    progress.begin(&trainer);

    while !trainer.complete() {
        let epoch = Instant::now();
        let seen = trainer.progress().at;
        loop {
            let before = trainer.taken();
            let done = trainer.steps(progress.steps(args.to_checkpoint(before)))?;
            progress.show(&trainer, trainer.taken() - before);
            if done {
                break;
            }
            let signal = signals.pending();
            if signal.is_some() || args.due(trainer.taken()) {
                checkpoints.save(&trainer)?;
            }
            if let Some(signal) = signal {
                return Err(checkpoints.interrupted(signal));
            }
        }
        let (seconds, images) = (epoch.elapsed().as_secs_f64(), trainer.images() - seen);
        let (number, train) = (trainer.progress().epoch, trainer.losses());
        let test = trainer.end_epoch()?;
        if args.preview > 0 {
            report.preview(preview.frames(&trainer.model()?, number, device)?);
        }
        let losses = [Some(&train), test.as_ref()];
        report.record(report::epoch(number, trainer.spec(), losses, seconds, images));
        progress.epoch(number, losses, seconds);
        let signal = signals.pending().filter(|_| !trainer.complete());
        let due = args.every.is_none() || args.due(trainer.taken()) || trainer.complete();
        if signal.is_some() || (due && (checkpoints.kept() || !trainer.complete())) {
            checkpoints.save(&trainer)?;
        }
        if let Some(signal) = signal {
            return Err(checkpoints.interrupted(signal));
        }
    }
    let sha256 = trainer.model()?.save(output)?;
    checkpoints.remove();
    progress.finish();
    report.record(report::done(output, &sha256, trainer.spec(), begun.elapsed().as_secs_f64()));
    Ok(())
}
