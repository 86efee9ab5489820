//! Images in, a model out.

mod checkpoint;
mod options;
mod preview;
mod progress;
mod report;
mod signals;

use checkpoint::Checkpoints;
use common::backend::Cpu;
use common::dataset::Dataset;
use common::model::writable;
use common::stream::Reader;
use common::train::Trainer;
use common::{Error, Result, cli};
use options::Args;
use preview::Preview;
use progress::Progress;
use report::Report;
use signals::Signals;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    cli::main(run)
}

fn run(args: Args) -> Result<()> {
    if args.dry_run {
        return options::describe(&args);
    }
    let output =
        args.output.as_deref().ok_or_else(|| Error::Usage("no place for the model: expected -o FILE".into()))?;
    writable(output)?;
    let checkpoints = Checkpoints::new(output, args.checkpoint.as_deref())?;
    let mut report = Report::open(args.preview > 0)?;

    let train = Dataset::read(&mut Reader::open(&args.input, "x")?, "x")?;
    let test = args.test.as_deref().map(|path| Dataset::read(&mut Reader::open_file(path, "x")?, "x")).transpose()?;
    let spec = args.spec(&train)?;
    let preview = Preview::new(&train, test.as_ref(), args.preview);
    let threads = args.threads.count();
    let from = if args.resume { checkpoints.latest()? } else { None };
    // Until here there is nothing to keep, and Ctrl-C just ends.
    let signals = Signals::listen()?;
    let mut progress = Progress::new(args.verbose, &spec, train.items());
    match &from {
        Some(model) => progress.say(&format!("going on after step {}", model.spec.training.steps)),
        None => checkpoints.warn_of_replacing(),
    }
    report.run(&spec, test.as_ref(), threads);

    let begun = Instant::now();
    let mut trainer = Trainer::new(spec, train, test, from, |plan| Box::new(Cpu::new(plan, threads)))?;
    while !trainer.complete() {
        let epoch = Instant::now();
        let seen = trainer.progress().at;
        loop {
            let before = trainer.taken();
            let done = trainer.steps(progress.steps(args.to_checkpoint(before))).map_err(|e| checkpoints.mention(e))?;
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
        let test = trainer.end_epoch();
        if args.preview > 0 {
            report.preview(preview.frames(&trainer.model(), number, threads)?);
        }
        let losses = [Some(&train), test.as_ref()];
        report.epoch(number, &trainer, losses, seconds, images);
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
    let sha256 = trainer.model().save(output)?;
    checkpoints.remove();
    progress.finish();
    report.done(output, &sha256, &trainer, begun.elapsed().as_secs_f64())
}
