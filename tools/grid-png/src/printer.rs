//! Where pictures go: to the terminal, to one file or pipe, or each to a file of its own.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ImageEncoder};
use vae_cli::output::{Kind, Output};
use vae_cli::{Error, Result};

use crate::figure;
use crate::grid::Look;
use crate::page::Page;
use crate::pattern::Pattern;
use crate::template::{Fields, Template};
use crate::terminal::Terminal;
use crate::titles::printable;

/// Draws pages and hands the pictures out.
pub(crate) struct Printer {
    target: Target,
    look: Look,
    headline: Option<Template>,
    /// The latest page, where only the last is wanted.
    last: Option<Page>,
}

enum Target {
    /// The last page is shown, or drawn with characters.
    Terminal(Terminal),
    /// The last page is written.
    One(Output),
    /// Each page is written as it comes.
    Each(Pattern),
}

impl Printer {
    /// Understands `-o`, and finds out what standard output is.
    pub(crate) fn open(path: Option<&Path>, look: Look, headline: Option<Template>) -> Result<Printer> {
        let path = path.filter(|path| *path != "-");
        let target = match path.map(Pattern::parse).transpose()?.flatten() {
            Some(pattern) => Target::Each(pattern),
            None if path.is_none() && io::stdout().is_terminal() => Target::Terminal(Terminal::at_stdout()),
            None => Target::One(Output::open(path, Kind::Binary)?),
        };
        Ok(Printer { target, look, headline, last: None })
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
            let headline = self.headline(&page)?;
            let picture = figure::draw(page, &self.look, headline.as_deref())?;
            if let Some(folder) = path.parent() {
                let what = || format!("cannot make the folder {}", folder.display());
                fs::create_dir_all(folder).map_err(|e| Error::io(what(), e))?;
            }
            write_png(Output::open(Some(&path), Kind::Binary)?, &picture)?;
        }
        Ok(())
    }

    /// Shows the last page, where it had to wait.
    pub(crate) fn finish(mut self) -> Result<()> {
        let Some(page) = self.last.take() else { return Ok(()) };
        let headline = self.headline(&page)?;
        match self.target {
            Target::Terminal(terminal) if terminal.pictures => {
                let picture = figure::draw(page, &self.look, headline.as_deref())?;
                let text = terminal.show(&encode(&picture)?, picture.width());
                write(Output::open(None, Kind::Text)?, text.as_bytes())
            }
            Target::Terminal(terminal) => {
                let picture = terminal.draw(&figure::draw_plain(page, &self.look)?, &self.look.colormap);
                let text = headline.map_or(String::new(), |headline| headline + "\n") + &picture;
                write(Output::open(None, Kind::Text)?, text.as_bytes())
            }
            Target::One(output) => write_png(output, &figure::draw(page, &self.look, headline.as_deref())?),
            Target::Each(_) => Ok(()),
        }
    }

    /// What stands above a page, without what would move a terminal's cursor.
    fn headline(&self, page: &Page) -> Result<Option<String>> {
        let Some(template) = &self.headline else { return Ok(None) };
        let text = template.fill(&Fields::new(&page.group, page.epoch, page.record.as_ref()))?;
        Ok(Some(text.lines().map(printable).collect::<Vec<_>>().join("\n")))
    }
}

fn write_png(output: Output, picture: &DynamicImage) -> Result<()> {
    write(output, &encode(picture)?)
}

/// A picture as a PNG. Digits on black are smallest without a filter: 64 of them take 10 to 17 KB in 2 ms, where the fast
/// setting takes 13 to 34 KB.
fn encode(picture: &DynamicImage) -> Result<Vec<u8>> {
    // Into memory first, since the encoder hides whether its last bytes could be written.
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::NoFilter)
        .write_image(picture.as_bytes(), picture.width(), picture.height(), picture.color().into())
        .map_err(|e| Error::Failed(format!("cannot make a PNG: {e}")))?;
    Ok(png)
}

fn write(mut output: Output, bytes: &[u8]) -> Result<()> {
    output.write_all(bytes).map_err(|e| output.error(e))?;
    output.commit()
}
