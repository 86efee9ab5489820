//! `grid-png`: the images of a stream as one picture.

mod cells;
mod colormap;
mod each;
mod figure;
mod filename;
mod grid;
mod kitty;
mod layout;
mod options;
mod output;
mod page;
mod pages;
mod selection;
mod template;
mod terminal;
mod text;
mod titles;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use vae_cli::{ImageArgs, Result};
use vae_stream::{Frame, Reader};

use crate::each::EachWriter;
use crate::options::GridOptions;
use crate::output::PictureWriter;
use crate::pages::Pages;
use crate::selection::{Selection, SelectionArgs};
use crate::template::Template;
use crate::titles::Titles;

/// Draw the images of a stream as a grid: one PNG, or a picture in the terminal
///
/// Reads a stream with images x or x_hat (u8; or f32 from 0 to 1, clamped), a .npy of images, or newline JSON. It stops
/// reading once the picture is complete.
///
/// Writes a grey PNG with the pixels of torchvision's save_image, or one in colours with --colormap or of images `[H,W,3]`;
/// with --each a PNG for each image. At a terminal it shows the picture in kitty, Ghostty and WezTerm, and in others draws
/// half blocks in grey, without --titles, as wide as the terminal (--nrow 4 --max 16 makes digits larger). NO_COLOR or
/// TERM=dumb selects plain ASCII.
///
/// Memory: one frame of the stream, 4 bytes for each pixel shown, and the picture.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    images: ImageArgs,
    /// Write to FILE, which appears only when all went well; standard output if absent or -
    ///
    /// A name with {group}, {epoch} or {epoch:03} is a pattern: a file for each group or epoch of vae-train --preview,
    /// written once it is complete. Otherwise the last epoch is drawn.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write a file for each image: a name with the fields {i}, {y} or of another integer, as in 'out/{y}/{i:06}.png'
    ///
    /// All images are written, or the first --max. {i} is the position where the stream has no i, and {y} the name of the
    /// class where the stream has names.
    #[arg(long, value_name = "PATTERN", value_parser = each::pattern)]
    #[arg(conflicts_with_all = ["output", "titles", "suptitle", "by"])]
    each: Option<Template>,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    grid: GridOptions,
    /// A title above each item: its number in a tensor, such as i, or the name of its class y, or its line in a text file (./NAME or NAME.txt)
    ///
    /// With --by of the same tensor, each class has one title, at the head of its row or column.
    #[arg(long, value_name = "TENSOR|FILE")]
    titles: Option<String>,
    /// A headline, with the fields {group}, {epoch} and the numbers of the epoch record
    ///
    /// These are {loss} and its terms, such as {recon} and {kl}, over the training images; {test.loss} and so on;
    /// {seconds}, {steps}. As in Python, {loss:.2f} has two decimals and {epoch:03} three digits. The error for an
    /// unknown field names the known ones.
    #[arg(long, value_name = "TEXT", value_parser = headline)]
    suptitle: Option<Template>,
}

const EXAMPLES: &str = "\
Examples:
  mnist-dump | vae-encode -m model.bin | vae-decode | grid-png > out.png
  mnist-dump | grid-png --by y --nrow 10 --titles y --colormap Greys > classes.png
  mnist-dump | vae-train -o model.bin --preview 8 |
    grid-png --suptitle 'epoch {epoch} loss {loss:.2f}' -o 'out/{group}-{epoch:03}.png'
  mnist-dump --split test | grid-png --each 'digits/{y}/{i:05}.png'";

fn main() -> ExitCode {
    vae_cli::main(run)
}

fn run(args: Args) -> Result<()> {
    let mut titles = args.titles.as_deref().map(Titles::open).transpose()?;
    if let Some(pattern) = args.each.clone() {
        let reader = reader(&args)?;
        let selection = Selection { args: args.selection, titles, images: args.images };
        let head = reader.head().clone();
        return write_each(EachWriter::new(pattern, selection, args.grid, &head), reader);
    }
    let mut writer = PictureWriter::open(args.output.as_deref(), args.grid.clone(), args.suptitle.clone())?;
    let mut reader = reader(&args)?;
    titles.iter_mut().for_each(|titles| titles.name_classes(reader.head()));
    let selection = Selection { args: args.selection, titles, images: args.images };
    let mut pages = Pages::new(selection, args.grid, writer.has_group_files());
    while !pages.is_complete()
        && let Some(frame) = reader.next_frame()?
    {
        writer.write(pages.take_complete(&frame))?;
        if let Frame::Data(data) = &frame {
            pages.add(data)?;
        }
    }
    reader.check_images()?;
    writer.write(pages.finish()?)?;
    writer.finish()
}

/// Opens the input. Its images are those of the tensors to show.
fn reader(args: &Args) -> Result<Reader> {
    let mut reader = args.images.input().reader("x")?;
    let head = reader.head().clone();
    let has = |name: &str| head.tensor(name).is_some();
    if args.selection.group.as_deref().is_none_or(|group| group == "main") {
        let is_colour = |name: &str| head.tensor(name).is_some_and(|spec| matches!(spec.shape[..], [h, _, 3] if h > 1));
        for tensor in args.selection.main_tensors(has).into_iter().filter(|name| has(name) && !is_colour(name)) {
            args.images.images(&mut reader, tensor, None)?;
        }
    }
    Ok(reader)
}

fn write_each(mut writer: EachWriter, mut reader: Reader) -> Result<()> {
    while !writer.is_complete()
        && let Some(frame) = reader.next_frame()?
    {
        if let Frame::Data(data) = &frame {
            writer.write(data)?;
        }
    }
    reader.check_images()?;
    writer.finish()
}

fn headline(text: &str) -> Result<Template, String> {
    Template::parse(text)
        .map_err(|field| format!("expected fields such as {{epoch:03}} or {{loss:.2f}} between braces, got {field}"))
}
