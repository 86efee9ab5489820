//! `grid-png`: the images of a stream as one picture.

mod album;
mod colormap;
mod figure;
mod grid;
mod kitty;
mod page;
mod pattern;
mod places;
mod plan;
mod printer;
mod rules;
mod template;
mod terminal;
mod text;
mod titles;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use vae_cli::{InputArgs, Result};
use vae_stream::Frame;

use crate::album::Album;
use crate::grid::Look;
use crate::printer::Printer;
use crate::rules::{Choice, Rules};
use crate::template::Template;
use crate::titles::Titles;

/// Draw the images of a stream as a grid: one PNG, or a picture in the terminal
///
/// Reads a stream with images x or x_hat (u8; or f32 from 0 to 1, beyond that clamped), a .npy of images, or newline JSON.
/// It stops reading when it has enough.
///
/// Writes a grey PNG with the pixels of torchvision's save_image, or one in colours with --colormap. At a terminal it
/// shows the picture if the terminal can (kitty, Ghostty, WezTerm), or else draws with half blocks, as wide as the terminal
/// (--nrow 4 --max 16 makes digits larger), without --titles. NO_COLOR or TERM=dumb gives plain ASCII.
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
    /// A title above each item: its number in a tensor, say y or i, or its line in a text file (./NAME or NAME.txt)
    ///
    /// With --by of the same tensor, each class has one title at the head of its row or column.
    #[arg(long, value_name = "TENSOR|FILE")]
    titles: Option<String>,
    /// A headline; {group}, {epoch} and the numbers of the epoch's record are filled in
    ///
    /// These are {loss}, {recon} and {kl} of the training images, {test.loss} and so on, {seconds}, {steps}; as in Python,
    /// {loss:.2f} has two decimals and {epoch:03} three digits. A field that is not there is an error that names those
    /// that are.
    #[arg(long, value_name = "TEXT", value_parser = headline)]
    suptitle: Option<Template>,
}

const EXAMPLES: &str = "\
Examples:
  mnist-dump | vae-encode -m model.bin | vae-decode | grid-png > out.png
  mnist-dump | grid-png --by y --nrow 10 --titles y --colormap Greys > classes.png
  mnist-dump | vae-train -o model.bin --preview 8 |
    grid-png --suptitle 'epoch {epoch} loss {loss:.2f}' -o 'out/{group}-{epoch:03}.png'";

fn main() -> ExitCode {
    vae_cli::main(run)
}

fn run(args: Args) -> Result<()> {
    let titles = args.titles.as_deref().map(Titles::open).transpose()?;
    let mut printer = Printer::open(args.output.as_deref(), args.look.clone(), args.suptitle)?;
    let mut reader = args.input.reader("x")?;
    let rules = Rules { choice: args.choice, look: args.look, titles };
    let mut album = Album::new(rules, printer.takes_every_group());
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

fn headline(text: &str) -> Result<Template, String> {
    Template::parse(text)
        .map_err(|hole| format!("expected fields such as {{epoch:03}} or {{loss:.2f}} between braces, got {hole}"))
}
