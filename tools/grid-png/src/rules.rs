//! What is asked for: which images of a stream, how many, and what is written beside them.

use vae_stream::Data;

use crate::grid::Look;
use crate::titles::Titles;

/// Items on a picture, unless told.
const MOST: usize = 64;

/// Which images are shown.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Choice {
    /// Most items on a picture; 0 shows all [default: 64, with --by all]
    #[arg(long, value_name = "N")]
    pub(crate) max: Option<usize>,
    /// Tensor to show; if repeated, a row of each in turn [default: x_hat, else x; in a preview x and x_hat]
    #[arg(long = "tensor", value_name = "NAME")]
    pub(crate) tensors: Vec<String>,
    /// Group to show: main, or recon or sample of vae-train --preview [default: the first that has images]
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// Sort into a row for each class, or a column with --transpose; NAME is a tensor of whole numbers, say the labels y
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
}

/// Everything that decides what becomes of a frame.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) choice: Choice,
    pub(crate) look: Look,
    pub(crate) titles: Option<Titles>,
}

impl Rules {
    /// The tensors to show of a frame; none unless it has them all, and those that sort and name the images.
    pub(crate) fn tensors(&self, data: &Data) -> Vec<String> {
        let has = |name: &&str| data.get(name).is_some();
        let names: Vec<&str> = match &self.choice.tensors[..] {
            [] if data.is_main() => ["x_hat", "x"].into_iter().filter(has).take(1).collect(),
            [] => ["x", "x_hat"].into_iter().filter(has).collect(),
            names => names.iter().map(String::as_str).collect(),
        };
        let is_whole = names.iter().copied().chain(self.beside()).all(|name| has(&name));
        if is_whole { names.into_iter().map(String::from).collect() } else { Vec::new() }
    }

    /// The tensors that the images must have beside them.
    pub(crate) fn beside(&self) -> impl Iterator<Item = &str> {
        let by = self.choice.by.as_deref();
        let title = self.titles.as_ref().and_then(Titles::tensor);
        by.into_iter().chain(title.filter(|&title| by != Some(title)))
    }

    /// The most items on a picture.
    pub(crate) fn most(&self) -> usize {
        match self.choice.max {
            None if self.choice.by.is_none() => MOST,
            None | Some(0) => usize::MAX,
            Some(most) => most,
        }
    }

    /// Whether a class has one title, at its head, rather than each image its own.
    pub(crate) fn titles_classes(&self) -> bool {
        self.choice.by.is_some() && self.choice.by.as_deref() == self.titles.as_ref().and_then(Titles::tensor)
    }
}
