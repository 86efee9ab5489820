//! Images in, a model out.

mod checkpoint;
mod describe;
mod options;
mod pca;
mod preview;
mod progress;
mod report;
mod resolve;
mod signals;
mod spark;
mod train;

use checkpoint::Checkpoints;
use common::model::Bottleneck;
use options::Args;
use report::Report;
use resolve::Run;
use std::process::ExitCode;
use vae_cli::Result;

fn main() -> ExitCode {
    vae_cli::main(run)
}

fn run(args: Args) -> Result<()> {
    if args.dry_run {
        return describe::describe(&args.dry_run_spec()?);
    }
    let spec = args.spec()?;
    let output = args.output()?;
    args.check_test()?;
    let checkpoints = Checkpoints::new(output, args.checkpoint.as_deref())?;
    let mut report = Report::open(args.preview > 0)?;
    let done = Run::load(&args, spec, output).and_then(|run| match run.spec.network.bottleneck {
        Bottleneck::Components => pca::fit(run, &mut report),
        _ => train::train(run, &checkpoints, &mut report),
    });
    match done {
        Ok(()) => report.finish(),
        Err(e) => Err(report.fail(checkpoints.mention(e))),
    }
}
