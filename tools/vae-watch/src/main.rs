//! `vae-watch`: a tee that shows the stream on a live page.

mod address;
mod curves;
mod follow;
mod history;
mod poll;
mod preview;
mod server;
mod state;
mod tee;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;
use vae_cli::{Error, InputArgs, Result};

use address::Address;
use server::Server;
use state::Shared;
use tee::{Tee, TeeOutput};

/// Copy a stream to standard output, and show it live on a web page
///
/// Reads the stream of vae-train --preview, or its records as newline JSON, and writes the same bytes; nothing at a
/// terminal. Lines that are no records go through, and are said at the end. The page shows the losses, originals above
/// their reconstructions, and samples from the prior, of the newest epoch or, by a slider, of an earlier one. It is
/// served to this machine only, and stays as it is when the stream ends. A slow page never blocks the pipe. Memory is
/// bounded: of a long run the page keeps every second epoch, or every fourth, and so on, and the newest.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    input: InputArgs,
    /// The port to serve the page on; 0 is any that is free
    #[arg(long, value_name = "N", default_value_t = 8097)]
    port: u16,
    /// The address to serve on; any but a loopback address lets other machines see the page
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: String,
    /// Keep serving after the end of the stream, until Ctrl-C
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
    let (tee, output) = Tee::new(input, args.output.as_deref(), args.stay)?;
    let shared = Arc::new(Shared::new());
    let server = server.start(shared.clone())?;
    server.print_url("");

    let read = follow::follow(tee, &name, &shared);
    let (done, is_pipe) = TeeOutput::finish(&output, read);
    shared.end(done.as_ref().err());
    if args.stay && done.is_ok() {
        server.print_url("the stream has ended, the page stays until Ctrl-C: ");
        let failed = |e| Error::io("cannot listen for signals", e);
        Signals::new([SIGINT]).map_err(failed)?.forever().next();
    } else {
        server.shut_down();
    }
    match done {
        // As in every filter: the program after this one reports it.
        Err(Error::Upstream { .. }) if is_pipe => Err(Error::Relayed),
        done => done,
    }
}
