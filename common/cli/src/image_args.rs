//! The input of a program that reads images.

use std::sync::Once;

use vae_stream::Reader;
use vae_stream::images::{self, Guess, ImageShape};

use crate::{Error, InputArgs, Result, tell};

/// An input of images, and the size that it may lack.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct ImageArgs {
    #[command(flatten)]
    input: InputArgs,
    /// The size of an image, height and width, where the input leaves it open: rows of H * W values are images then, and an
    /// array [H, W] is one image [default: the model's size, or squares]
    #[arg(long, value_name = "HxW", value_parser = image_shape)]
    image: Option<ImageShape>,
}

impl ImageArgs {
    /// The input.
    pub fn input(&self) -> &InputArgs {
        &self.input
    }

    /// The size that images must have: that of the `model`, or of --image.
    ///
    /// # Errors
    /// [`Error::Usage`] where they differ.
    pub fn expected(&self, model: Option<ImageShape>) -> Result<Option<ImageShape>> {
        match (self.image, model) {
            (Some(got), Some(expected)) if got != expected => Err(Error::Usage(format!(
                "--image: expected {expected}, the size that the model has, got {got}; leave it out"
            ))),
            (image, model) => Ok(model.or(image)),
        }
    }

    /// Opens the input as frames whose tensor of this name, that of a bare .npy too, holds images. Gives their size too.
    ///
    /// # Errors
    /// As [`InputArgs::reader`] and [`images`](ImageArgs::images).
    pub fn reader(&self, tensor: &str, model: Option<ImageShape>) -> Result<(Reader, ImageShape)> {
        let mut reader = self.input.reader(tensor)?;
        let image = self.images(&mut reader, tensor, model)?;
        Ok((reader, image))
    }

    /// Reads a tensor of the main group as images, and gives their size. A guess of it is said.
    ///
    /// # Errors
    /// As [`expected`](ImageArgs::expected), [`Error::Stream`] for a tensor that is not there or holds no images.
    pub fn images(&self, reader: &mut Reader, tensor: &str, model: Option<ImageShape>) -> Result<ImageShape> {
        let (image, guess) = reader.images(tensor, self.expected(model)?)?;
        guess.into_iter().for_each(|guess| tell_guess(tensor, guess));
        Ok(image)
    }

    /// The size of images whose items have this shape. A guess of it is said.
    ///
    /// # Errors
    /// [`Error::Stream`] for items that are no images.
    pub fn size(&self, tensor: &str, item: &[usize]) -> Result<ImageShape> {
        let size = images::size(item, self.image)?;
        match (item, self.image) {
            (&[values], None) => tell_guess(tensor, Guess::Square { values }),
            (&[1, values], None) if size.height > 1 => tell_guess(tensor, Guess::Square { values }),
            _ => {}
        }
        Ok(size)
    }
}

/// Says once how images are read.
fn tell_guess(tensor: &str, guess: Guess) {
    static TOLD: Once = Once::new();
    let message = match guess {
        Guess::Square { values } => {
            let side = values.isqrt();
            format!(
                "{tensor}: items of {values} values are read as images of {side} x {side}; --image HxW says otherwise"
            )
        }
        Guess::Last { shape: [n, h, w] } => format!(
            "{tensor}: the array [{n}, {h}, {w}] is read as {n} images of {h} x {w}; of {w} images of {n} x {h} save \
             x.transpose(2, 0, 1)"
        ),
        Guess::Single { side } => {
            format!("{tensor}: the array [{side}, {side}] is read as one image; --image HxW makes images of its rows")
        }
    };
    TOLD.call_once(|| tell(&message));
}

/// Parses HxW, as in 28x20.
fn image_shape(text: &str) -> std::result::Result<ImageShape, String> {
    let side = |text: &str| text.trim().parse().ok().filter(|side| (1..=1 << 20).contains(side));
    let sides = text.split_once(['x', ',']).and_then(|(height, width)| Some([side(height)?, side(width)?]));
    sides.map(ImageShape::from).ok_or_else(|| "expected height and width, as in 28x20".to_owned())
}
