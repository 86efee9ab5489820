//! Where pictures go: to the terminal, to one file or pipe, or each to a file of its own.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use common::output::{Kind, Output};
use common::{Error, Result};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, GrayImage, ImageEncoder};

use crate::album::Page;
use crate::grid::{self, Look};
use crate::pattern::Pattern;
use crate::terminal::Terminal;

/// Draws pages and hands the pictures out.
pub(crate) struct Printer {
    target: Target,
    look: Look,
    /// The latest page, where only the last is wanted.
    last: Option<Page>,
}

enum Target {
    /// The last page is drawn with characters.
    Terminal(Terminal),
    /// The last page is written.
    One(Output),
    /// Each page is written as it comes.
    Each(Pattern),
}

impl Printer {
    /// Understands `-o`, and finds out what standard output is.
    pub(crate) fn open(path: Option<&Path>, look: Look) -> Result<Printer> {
        let path = path.filter(|path| *path != "-");
        let target = match path.map(Pattern::parse).transpose()?.flatten() {
            Some(pattern) => Target::Each(pattern),
            None if path.is_none() && io::stdout().is_terminal() => Target::Terminal(Terminal::at_stdout()),
            None => Target::One(Output::open(path, Kind::Binary)?),
        };
        Ok(Printer { target, look, last: None })
    }

    /// Whether there is a place for a picture of every group.
    pub(crate) fn takes_every_group(&self) -> bool {
        matches!(&self.target, Target::Each(pattern) if pattern.has_group())
    }

    /// Takes pages that are complete.
    pub(crate) fn take(&mut self, pages: Vec<Page>) -> Result<()> {
        let Target::Each(pattern) = &self.target else {
            self.last = pages.into_iter().last().or(self.last.take());
            return Ok(());
        };
        for page in pages {
            let path = pattern.fill(&page.group, page.epoch)?;
            let picture = grid::draw(page.images, &self.look)?;
            if let Some(folder) = path.parent() {
                let what = || format!("cannot make the folder {}", folder.display());
                fs::create_dir_all(folder).map_err(|e| Error::io(what(), e))?;
            }
            write_png(Output::open(Some(&path), Kind::Binary)?, &picture)?;
        }
        Ok(())
    }

    /// Shows the last page, where it had to wait.
    pub(crate) fn finish(self) -> Result<()> {
        let Some(page) = self.last else { return Ok(()) };
        let picture = grid::draw(page.images, &self.look)?;
        match self.target {
            Target::Terminal(terminal) => write(Output::open(None, Kind::Text)?, terminal.draw(&picture).as_bytes()),
            Target::One(output) => write_png(output, &picture),
            Target::Each(_) => Ok(()),
        }
    }
}

/// Writes a PNG. Digits on black are smallest without a filter: 64 of them take 10 to 17 KB in 2 ms, where the fast
/// setting takes 13 to 34 KB.
fn write_png(output: Output, picture: &GrayImage) -> Result<()> {
    // Into memory first, since the encoder hides whether its last bytes could be written.
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::NoFilter)
        .write_image(picture, picture.width(), picture.height(), ExtendedColorType::L8)
        .map_err(|e| Error::Failed(format!("cannot make a PNG: {e}")))?;
    write(output, &png)
}

fn write(mut output: Output, bytes: &[u8]) -> Result<()> {
    output.write_all(bytes).map_err(|e| output.error(e))?;
    output.commit()
}
