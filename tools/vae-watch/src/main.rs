//! Passes a stream on, and shows it on a page while it goes by.

mod address;
mod follow;
mod news;
mod pass;
mod pictures;
mod points;
mod server;
mod shown;
mod thin;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;
use vae_cli::{Error, InputArgs, Result};

use address::Address;
use pass::{Pass, Passed};
use server::Server;
use shown::Shown;

/// Pass a stream on unchanged, and show it live on a page in the browser
///
/// Reads the stream of vae-train --preview, or its losses as newline JSON, and writes the same bytes; at a terminal,
/// nothing. The page has the losses, originals above their reconstructions, and draws from the prior, of the newest epoch
/// or, with its slider, of an earlier one. It is served on this machine alone, and keeps what it has when the stream ends.
/// A slow page never holds up the pipe. Memory is bounded: of a long run the page keeps every second epoch, or every
/// fourth, and so on, and the newest.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    input: InputArgs,
    /// The port to serve the page on; 0 is any that is free
    #[arg(long, value_name = "N", default_value_t = 8097)]
    port: u16,
    /// The address to serve on; another than this lets others on the network look
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: String,
    /// Go on serving when the stream has ended well, until Ctrl-C
    #[arg(long)]
    stay: bool,
    /// Write to FILE, which appears only when all went well; standard output if absent or -
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  mnist-dump | vae-train --preview 16 -o model.bin | vae-watch --stay > losses.vae
  mnist-dump | vae-train --preview 16 -o model.bin | vae-watch | grid-png -o 'epochs/{group}-{epoch:03}.png'
  vae-watch --stay losses.jsonl";

fn main() -> ExitCode {
    vae_cli::main(run)
}

fn run(args: Args) -> Result<()> {
    let server = Server::bind(Address::new(&args.host, args.port)?)?;
    let (input, name) = args.input.open()?;
    let (pass, passed) = Pass::new(input, args.output.as_deref(), args.stay)?;
    let shown = Arc::new(Shown::new());
    let server = server.start(shown.clone())?;
    server.say("");

    let followed = follow::all(pass, &name, &shown);
    let (done, read_on) = Passed::finish(&passed, followed);
    shown.end(done.as_ref().err());
    if args.stay && done.is_ok() {
        server.say("the stream has ended, the page stays until Ctrl-C: ");
        let failed = |e| Error::io("cannot listen for signals", e);
        Signals::new([SIGINT]).map_err(failed)?.forever().next();
    } else {
        server.farewell();
    }
    match done {
        // As in every filter: whoever reads what went through will say it.
        Err(Error::Upstream { .. }) if read_on => Err(Error::Relayed),
        done => done,
    }
}
