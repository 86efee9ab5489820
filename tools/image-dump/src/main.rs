//! Writes pictures as a stream of images: folders, files, tar archives and CIFAR's batches.

mod cifar;
mod classes;
mod convert;
mod decode;
mod jpeg;
mod listing;
mod pictures;
mod place;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use vae_cli::output::{Format, Output};
use vae_cli::selection::SelectionArgs;
use vae_cli::{OutputArgs, Result, ThreadArgs, source};
use vae_stream::BATCH;

use crate::classes::Split;
use crate::convert::ConvertArgs;
use crate::pictures::{Options, Pictures};

/// Write pictures as a stream: folders of them, files, tar archives, or CIFAR's batches
///
/// Reads PNG, JPEG, WebP, BMP and TIFF, upright as their EXIF data says, from folders and those below them in the order of
/// their paths, without hidden files; from files; from tar archives, not unpacked; and the binary batches of CIFAR-10 and
/// CIFAR-100. Writes the images `x`, bytes `[N,H,W]` of grey or `[N,H,W,3]` of colour pictures, and their indices `i [N]`.
/// 16 bits become 8; colour profiles are ignored.
///
/// Folders directly below the one that is named are classes, as in torchvision's ImageFolder: `y [N]` numbers them in the
/// order of their names, which are in the head of the stream. Folders train and test (or val) are splits of such folders.
///
/// Memory is one frame and a picture for each thread, 200 bytes for each file, and an archive on standard input.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Args {
    /// Folders, pictures, tar archives and batches of CIFAR; - is an archive, or a picture, on standard input
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    convert: ConvertArgs,
    /// Write each picture twice, and the second time its mirror image: image 2k is picture k, 2k + 1 its mirror image
    #[arg(long)]
    flip: bool,
    /// Leave out files that cannot be read, each with a message, rather than to stop at the first
    #[arg(long)]
    skip_bad: bool,
    /// Training or test images: those of the folders train and test, or of --held-out [default: train of such folders,
    /// else all]
    #[arg(long, value_name = "NAME")]
    split: Option<Split>,
    /// The fraction of the pictures that are test images, by the hash of their paths: each stays in its part when others
    /// are added
    ///
    /// A picture is a test image if the first 8 bytes of the SHA-256 of its path, below the folder or in the archive that
    /// was named, are as a number below this fraction of 2^64.
    #[arg(long, value_name = "FRACTION", requires = "split", value_parser = fraction)]
    held_out: Option<f64>,
    /// Write the paths of the images to FILE, newline JSON with i and path
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Key of --shuffle
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    /// Images per frame
    #[arg(long, value_name = "N", default_value_t = BATCH, value_parser = vae_cli::batch)]
    batch: usize,
    #[command(flatten)]
    threads: ThreadArgs,
}

const EXAMPLES: &str = "\
Examples:
  image-dump photos/ --size 64x64 | grid-png > photos.png
  image-dump photos/ --size 64x64 --rgb --split train --held-out 0.1 -o train.vae
  curl https://example.org/flowers.tar | image-dump - --size 32x32 --grey | vae-train -o flowers.bin";

fn main() -> ExitCode {
    vae_cli::main(run)
}

fn run(args: Args) -> Result<()> {
    let mut places = listing::list(&args.paths)?;
    let guess = classes::label(&mut places, args.split, args.held_out)?;
    let options = Options {
        convert: args.convert,
        flip: args.flip,
        skip_bad: args.skip_bad,
        held_out: args
            .held_out
            .filter(|_| args.split != Some(Split::All))
            .map(|f| (f, args.split == Some(Split::Test))),
        threads: args.threads.count(),
    };
    let names = args.names.as_deref().map(|path| Output::open(Some(path), Format::Json)).transpose()?;
    let mut pictures = Pictures::open(places, options, names)?;
    guess.into_iter().for_each(vae_cli::tell);
    let indices = args.selection.indices(&pictures, args.seed)?;
    let output = args.output.writer(source::head(&pictures))?;
    output.run(|output| source::write(&mut pictures, &indices, args.batch, output))?;
    pictures.finish()
}

/// Parses a fraction between 0 and 1.
fn fraction(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|fraction: &f64| *fraction > 0.0 && *fraction < 1.0);
    number.ok_or_else(|| "expected a fraction between 0 and 1, as in 0.1".to_owned())
}
