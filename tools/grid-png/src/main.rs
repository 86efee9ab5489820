//! `grid-png`: the images of a stream as one picture.

mod album;
mod grid;
mod pattern;
mod printer;
mod terminal;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use common::Result;
use common::cli::{self, InputArgs};
use common::stream::{Frame, Reader};

use crate::album::{Album, Choice};
use crate::grid::Look;
use crate::printer::Printer;

/// Draw the images of a stream as a grid: one PNG, or a picture in the terminal
///
/// Reads a stream with images x or x_hat (u8; or f32 from 0 to 1, beyond that clamped), a .npy of images, or newline JSON.
/// It stops reading when it has enough.
///
/// Writes a grey PNG with the pixels of torchvision's save_image. At a terminal it draws with characters instead, as wide
/// as the terminal (--nrow 4 --max 16 makes digits larger; NO_COLOR or TERM=dumb gives plain ASCII).
///
/// Memory: one frame of the stream, 4 bytes for each pixel shown, and the picture.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    input: InputArgs,
    /// Write to FILE, which appears only when all went well; standard output if absent or -
    ///
    /// A name with {group}, {epoch} or {epoch:03} is a pattern: a picture for each group or epoch of vae-train --preview,
    /// written as soon as it is complete. Without, the last epoch is drawn.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    look: Look,
}

const EXAMPLES: &str = "\
Examples:
  mnist-dump | vae-encode -m model.bin | vae-decode | grid-png > out.png
  mnist-dump | vae-train -o model.bin --preview 8 | grid-png -o 'out/{group}-{epoch:03}.png'";

fn main() -> ExitCode {
    cli::main(run)
}

fn run(args: Args) -> Result<()> {
    let mut printer = Printer::open(args.output.as_deref(), args.look.clone())?;
    let mut reader = Reader::open(&args.input, "x")?;
    let mut album = Album::new(args.choice, args.look, printer.takes_every_group());
    while !album.is_complete()
        && let Some(frame) = reader.next_frame()?
    {
        printer.take(album.turn(&frame))?;
        if let Frame::Data(data) = &frame {
            album.add(data)?;
        }
    }
    printer.take(album.close()?)?;
    printer.finish()
}
