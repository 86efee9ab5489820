//! The output: its file, format and size.

use std::io::Write;
use std::path::{Path, PathBuf};

use kuva::backend::svg::SvgBackend;
use kuva::render::render::Scene;
use vae_cli::output::{Format, Output};
use vae_cli::{Error, Result};

use crate::png;

/// Pixels of a side, least and most.
const SIDES: std::ops::RangeInclusive<u32> = 100..=4096;
/// Pixels of a unit at the default size; the font size is 12 units.
const DENSITY: f64 = 2.0;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write to FILE, a PNG, or an SVG where its name ends in .svg; it appears only when all went well. Standard
    /// output, a PNG, if absent or -
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Width and height of the picture in pixels; text and lines scale with it [default: by the plot]
    #[arg(long, value_name = "WxH", value_parser = size)]
    size: Option<[u32; 2]>,
}

/// An output for one picture.
pub(crate) struct Picture {
    output: Output,
    is_svg: bool,
    size: Option<[u32; 2]>,
}

/// The size of a drawing.
#[derive(Clone, Copy)]
pub(crate) struct Canvas {
    /// Pixels.
    pub(crate) width: f64,
    /// Pixels.
    pub(crate) height: f64,
    /// Pixels of a unit: the font size is 12 units, a line 2.
    pub(crate) unit: f64,
}

impl Picture {
    /// Opens the output, before any input is read.
    pub(crate) fn open(args: &Args) -> Result<Picture> {
        let path = args.output.as_deref();
        let is_svg = is_svg(path)?;
        let output = Output::open(path, if is_svg { Format::Svg } else { Format::Png })?;
        Ok(Picture { is_svg, output, size: args.size })
    }

    /// A canvas for a drawing of this width and height in units.
    pub(crate) fn canvas(&self, needed: [f64; 2]) -> Canvas {
        let [width, height] = match self.size {
            Some(size) => size.map(f64::from),
            None => needed.map(|units| units * DENSITY),
        };
        Canvas { width, height, unit: (width / needed[0]).min(height / needed[1]) }
    }

    /// Encodes and writes a drawing.
    pub(crate) fn write(mut self, scene: Scene) -> Result<()> {
        let bytes = match self.is_svg {
            true => SvgBackend::new().with_pretty(true).render_scene(&scene).into_bytes(),
            false => png::encode(scene).map_err(|e| Error::Failed(format!("cannot make a PNG: {e}")))?,
        };
        self.output.write_all(&bytes).map_err(|e| self.output.error(e))?;
        self.output.commit()
    }
}

/// Whether the extension is .svg; a PNG is written where there is none, as to standard output.
fn is_svg(path: Option<&Path>) -> Result<bool> {
    let Some(path) = path else { return Ok(false) };
    match path.extension().map(|end| end.to_ascii_lowercase()) {
        Some(end) if end == "svg" => Ok(true),
        Some(end) if end != "png" => {
            Err(Error::Usage(format!("--output: expected a name that ends in .png or .svg, got {}", path.display())))
        }
        _ => Ok(false),
    }
}

fn size(text: &str) -> Result<[u32; 2], String> {
    let side = |text: &str| text.parse().ok().filter(|side| SIDES.contains(side));
    let parsed = text.split_once('x').and_then(|(width, height)| Some([side(width)?, side(height)?]));
    parsed.ok_or_else(|| format!("expected a width and a height of {} to {}, as 1200x800", SIDES.start(), SIDES.end()))
}
