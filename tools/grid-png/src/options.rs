//! The options of a grid: the arguments of torchvision's `make_grid`, enlargement, transposition and colours.

use vae_cli::Result;

use crate::colormap::Colormap;

/// How images are drawn.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct GridOptions {
    /// Images in a row (with --by, at most, of a class)
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) nrow: u32,
    /// Pixels around each image (none around a single image, as in torchvision)
    #[arg(long, value_name = "PIXELS", default_value_t = 2)]
    pub(crate) padding: u32,
    /// Brightness of the padding, from 0 to 1
    #[arg(long, value_name = "VALUE", default_value_t = 0.0)]
    pub(crate) pad_value: f32,
    /// Stretch the brightness of all images together to 0..1
    #[arg(long)]
    pub(crate) normalize: bool,
    /// Black and white of --normalize, in the units of the pixels: 0,255 of bytes, 0,1 of floats (torchvision: value_range)
    /// [default: the darkest and brightest pixel]
    #[arg(long, value_name = "MIN,MAX", value_parser = range, allow_hyphen_values = true, requires = "normalize")]
    pub(crate) range: Option<(f64, f64)>,
    /// Let --normalize stretch each image by itself
    #[arg(long, requires = "normalize")]
    pub(crate) scale_each: bool,
    /// Enlarge the finished picture N times, each pixel a square
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) scale: u32,
    /// Swap rows and columns: --nrow is then the images in a column, and with --by each class is a column
    #[arg(long)]
    pub(crate) transpose: bool,
    /// Colours of the levels, by matplotlib's names, padding included; NAME_r is the reverse
    #[arg(long, value_name = "NAME", default_value = "gray", value_parser = Colormap::parser(), ignore_case = true)]
    pub(crate) colormap: Colormap,
}

fn range(text: &str) -> Result<(f64, f64), String> {
    let number = |part: &str| part.trim().parse().ok().filter(|v: &f64| (*v as f32).is_finite());
    text.split_once(',')
        .and_then(|(low, high)| Some((number(low)?, number(high)?)))
        .filter(|(low, high)| low < high)
        .ok_or_else(|| "expected MIN,MAX with MIN below MAX, for example -1,1".into())
}
