//! The titles of images: numbers of the stream, or lines of a text file.

use std::fs::File;
use std::io::Read;

use vae_cli::{Error, Result};
use vae_stream::{Data, Foreign, Head, is_printable};

/// Most bytes of a file of titles.
const MAX_BYTES: u64 = 16 << 20;

/// The source of the titles.
#[derive(Debug, Clone)]
pub(crate) enum Titles {
    /// A tensor with one number per item, and names for the first numbers.
    Tensor { name: String, classes: Vec<String> },
    /// A file and its lines, one per item.
    Lines { file: String, lines: Vec<String> },
}

impl Titles {
    /// Opens `--titles`: a file, which is read, if it has a dot or a slash, else a tensor.
    pub(crate) fn open(given: &str) -> Result<Titles> {
        if !given.contains(['.', '/']) {
            return Ok(Titles::Tensor { name: given.to_owned(), classes: Vec::new() });
        }
        let mut bytes = Vec::new();
        let file = File::open(given).map_err(|e| {
            let remedy = "expected a text file, or a tensor's name without a dot or slash";
            Error::NoInput(format!("cannot open the titles {given}: {e}; {remedy}"))
        })?;
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|e| Error::io(format!("cannot read {given}"), e))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(Error::Data(format!("{given}: expected titles of at most {MAX_BYTES} bytes, got more")));
        }
        let text = match (Foreign::of(&bytes), str::from_utf8(&bytes)) {
            (got @ (Foreign::Npy | Foreign::Stream), _) => {
                let remedy = "join it with vae-cat x=images.npy y=titles.npy, and give --titles y";
                return Err(Error::Data(format!("{given}: expected lines of text, got {got}; {remedy}")));
            }
            (_, Err(e)) => {
                let at = e.valid_up_to();
                return Err(Error::Data(format!(
                    "{given}: expected text in UTF-8, got another byte at {at}; see iconv"
                )));
            }
            (_, Ok(text)) => text,
        };
        let lines = text.trim_start_matches('\u{feff}').lines().map(printable).collect();
        Ok(Titles::Lines { file: given.to_owned(), lines })
    }

    /// The tensor of titles, if it is one.
    pub(crate) fn tensor(&self) -> Option<&str> {
        match self {
            Titles::Tensor { name, .. } => Some(name),
            Titles::Lines { .. } => None,
        }
    }

    /// Takes the names of the labels `y` from the head of a stream.
    pub(crate) fn name_classes(&mut self, head: &Head) {
        if let Titles::Tensor { name, classes } = self
            && name == "y"
        {
            *classes = head.classes();
        }
    }

    /// The title of a number: its name, if it has one.
    pub(crate) fn class(&self, number: i64) -> String {
        let name = match self {
            Titles::Tensor { classes, .. } => usize::try_from(number).ok().and_then(|number| classes.get(number)),
            Titles::Lines { .. } => None,
        };
        name.map_or_else(|| number.to_string(), |name| printable(name))
    }

    /// The titles of these items of a frame; `first` is the index of the frame's first item in its group.
    pub(crate) fn of(&self, data: &Data, first: usize, items: &[usize]) -> Result<Vec<String>> {
        match self {
            Titles::Tensor { name, .. } => match data.integers(name) {
                Ok(integers) => Ok(items.iter().map(|&k| self.class(integers[k])).collect()),
                Err(_) => reals(data, name, items),
            },
            Titles::Lines { file, lines } => {
                let line = |&k: &usize| {
                    let missing = || {
                        let (got, image) = (lines.len(), first + k + 1);
                        let remedy = "add lines, or show fewer with --max";
                        format!("{file}: expected a title for every image, got {got} lines for image {image}; {remedy}")
                    };
                    lines.get(first + k).cloned().ok_or_else(|| Error::Data(missing()))
                };
                items.iter().map(line).collect()
            }
        }
    }
}

/// The numbers of a tensor with one for each item, with up to three decimals.
fn reals(data: &Data, name: &str, items: &[usize]) -> Result<Vec<String>> {
    data.scalar(name)?;
    let short = |v: f32| format!("{v:.3}").trim_end_matches('0').trim_end_matches('.').to_owned();
    let reals = data.f32(name)?.into_raw_vec_and_offset().0;
    Ok(items.iter().map(|&k| short(reals[k])).collect())
}

/// Text with `?` for characters without a glyph, such as control characters.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if is_printable(c) { c } else { '?' }).collect()
}
