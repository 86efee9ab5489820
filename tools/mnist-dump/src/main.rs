//! Images as a stream: MNIST and its like from IDX files, or the built-in digits.

mod amat;
mod data;
mod download;
mod folder;
mod idx;
mod order;
mod source;
mod synthetic;

use std::io::{IsTerminal, stdout};
use std::process::ExitCode;

use common::Result;
use common::cli::{self, OutputArgs};
use common::stream::{Data, Dtype, Head, Spec, Tensor, Writer};

use crate::order::Order;
use crate::source::Source;

/// Bytes of pixels in a frame at most, unless one image has more.
const FRAME: usize = 16 << 20;

/// Write images as a stream
///
/// Reads MNIST, or any images in its format: IDX files of bytes, raw or gzip, of any height and width, with labels or
/// without; or Larochelle's .amat text; or draws digits itself (--synthetic).
///
/// Writes x, the images [N,H,W] as bytes; y, their labels [N], if there are any; and i, their numbers [N] in the source.
///
/// Memory is one frame, whatever the size of the source, except that --shuffle and .amat hold all images (47 MB for
/// MNIST's training images).
#[derive(clap::Parser)]
#[command(version, after_help = "Example: mnist-dump --split test --only 3,7 -n 64 | grid-png -o out.png")]
struct Args {
    #[command(flatten, next_help_heading = "Source")]
    data: data::Data,

    #[command(flatten, next_help_heading = "Choice, in this order")]
    choice: order::Choice,

    /// Seed of --shuffle and of the built-in digits
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u32,

    /// Images per frame
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,

    #[command(flatten, next_help_heading = "Output")]
    output: OutputArgs,
}

fn main() -> ExitCode {
    cli::main(run)
}

fn run(args: Args) -> Result<()> {
    if args.data.download {
        let folder = folder::of_user()?;
        let fetched = download::fetch(&folder, &download::MNIST, &args.data.mirrors, &download::PATIENT)?;
        let nothing_to_do = args.output.output.is_none() && !args.output.jsonl && stdout().is_terminal();
        if fetched > 0 || nothing_to_do {
            eprintln!("{}: MNIST is in {}", cli::tool_name(), folder.display());
        }
        if nothing_to_do {
            return Ok(());
        }
    }
    let mut source = args.data.open(args.seed)?;
    if args.choice.shuffle {
        source = source.hold()?;
    }
    let order = args.choice.of(&*source, args.seed)?;
    let output = Writer::create(&args.output, head(&*source))?;
    output.run(|output| dump(&mut *source, &order, args.batch as usize, output))
}

fn head(source: &dyn Source) -> Head {
    let mut head = Head::new();
    head.set_tensor("x", Spec::new(Dtype::U8, &source.size()));
    if source.labelled() {
        head.set_tensor("y", Spec::new(Dtype::U8, &[]));
    }
    head.set_tensor("i", Spec::new(Dtype::I64, &[]));
    head
}

fn dump(source: &mut dyn Source, order: &Order, batch: usize, output: &mut Writer) -> Result<()> {
    let [height, width] = source.size();
    let batch = batch.min(FRAME / (height * width)).max(1);
    let (mut x, mut y, mut i) = (Vec::new(), Vec::new(), Vec::new());
    for start in (0..order.len()).step_by(batch) {
        (x.clear(), y.clear(), i.clear());
        for place in start..order.len().min(start + batch as u64) {
            let number = order.get(place);
            source.image(number, &mut x)?;
            y.push(source.label(number));
            i.extend_from_slice(&(number as i64).to_le_bytes());
        }
        let n = y.len();
        let mut data = Data::new([("x", Tensor::from_bytes(Dtype::U8, &[n, height, width], &x))]);
        if source.labelled() {
            data.set("y", Tensor::from_bytes(Dtype::U8, &[n], &y));
        }
        data.set("i", Tensor::from_bytes(Dtype::I64, &[n], &i));
        output.write(data)?;
    }
    Ok(())
}
