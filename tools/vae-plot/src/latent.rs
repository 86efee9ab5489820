//! The command `latent`.

use vae_cli::{InputArgs, Result, tell};
use vae_stream::{Head, TensorSpec};

use crate::picture::{self, Picture};
use crate::points::{self, Selection};
use crate::scatter;

/// Plot latents as a scatter plot, coloured by label
///
/// Reads a stream with latents z and, if it has them, labels y; or a .npy of latents, or newline JSON. Writes a
/// picture: a colour for each label, and up to ten labels also by name among their points. Latents of more than two
/// dimensions are projected on their first two principal components, unless --dims selects two dimensions. A damaged or
/// truncated stream leaves no picture. Memory: 4 bytes for each number of the latents shown, about 200 for each point,
/// and the picture.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    picture: picture::Args,
    /// The two dimensions to show, counted from 0 [default: 0,1 of two; the principal components of more]
    #[arg(long, value_name = "A,B", value_parser = two_dimensions)]
    dims: Option<[usize; 2]>,
    /// The labels, a tensor with one integer for each item [default: y, if the stream has it]
    #[arg(long, value_name = "TENSOR")]
    by: Option<String>,
    /// The latents
    #[arg(long, value_name = "NAME", default_value = "z")]
    tensor: String,
}

const EXAMPLES: &str = "\
Examples:
  mnist-dump --split test | vae-encode -m model.bin | vae-plot latent -o latent.png
  vae-cat z=z.npy y=labels.npy | vae-plot latent --dims 3,7 -o latent.svg";

pub(crate) fn run(args: Args) -> Result<()> {
    let picture = Picture::open(&args.picture)?;
    let reader = args.input.reader(&args.tensor)?;
    let by = match args.by {
        Some(by) => reader.head().need(&by).map(|_| Some(by))?,
        None => reader.head().tensor("y").map(|_| "y".to_owned()),
    };
    if by.is_none() {
        tell_labels(reader.head());
    }
    let points = points::read(reader, &Selection { tensor: args.tensor, by, dims: args.dims })?;
    let canvas = picture.canvas(scatter::SIZE);
    picture.write(scatter::draw(&points, canvas))
}

/// Names the tensors that may hold the labels of a stream without y.
fn tell_labels(head: &Head) {
    let is_label = |(name, spec): &(String, TensorSpec)| name != "i" && spec.dtype.is_whole() && spec.shape.is_empty();
    let labels: Vec<String> = head.tensors().into_iter().filter(is_label).map(|(name, _)| name).collect();
    if let [first, ..] = &labels[..] {
        let labels = labels.join(", ");
        tell(&format!("no labels y, but {labels}: all points have one colour; --by {first} colours them by label"));
    }
}

fn two_dimensions(text: &str) -> Result<[usize; 2], String> {
    let parsed = text.split_once(',').and_then(|(a, b)| Some([a.trim().parse().ok()?, b.trim().parse().ok()?]));
    parsed.ok_or_else(|| "expected two numbers with a comma between, for example 0,1".to_owned())
}
