//! The selection of images from a stream, and of the tensors that sort and title them.

use vae_cli::ImageArgs;
use vae_stream::Data;

use crate::titles::Titles;

/// The default of --max.
const MAX_ITEMS: usize = 64;

/// The options of a selection.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SelectionArgs {
    /// Most items on a picture; 0 shows all [default: 64, with --by all]
    #[arg(long, value_name = "N")]
    pub(crate) max: Option<usize>,
    /// Tensor to show; repeated, rows of the tensors alternate [default: x_hat, else x; in a preview x and x_hat]
    #[arg(long = "tensor", value_name = "NAME")]
    pub(crate) tensors: Vec<String>,
    /// Group to show: main, or recon or sample of vae-train --preview [default: the first that has images]
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// Sort into a row for each class, or a column with --transpose; NAME is a tensor of integers, for example the
    /// labels y
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
}

/// The images of a stream to show.
#[derive(Debug)]
pub(crate) struct Selection {
    pub(crate) args: SelectionArgs,
    pub(crate) titles: Option<Titles>,
    pub(crate) images: ImageArgs,
}

impl SelectionArgs {
    /// The tensors of the main group to show; `has` tells whether it has one.
    pub(crate) fn main_tensors(&self, has: impl Fn(&str) -> bool) -> Vec<&str> {
        match &self.tensors[..] {
            [] => ["x_hat", "x"].into_iter().filter(|name| has(name)).take(1).collect(),
            names => names.iter().map(String::as_str).collect(),
        }
    }
}

impl Selection {
    /// The tensors of a frame to show; none if one is missing, also of those that sort and title images.
    pub(crate) fn tensors(&self, data: &Data) -> Vec<String> {
        let has = |name: &str| data.get(name).is_some();
        let names: Vec<&str> = match &self.args.tensors[..] {
            [] if !data.is_main() => ["x", "x_hat"].into_iter().filter(|name| has(name)).collect(),
            _ => self.args.main_tensors(has),
        };
        let has_all = names.iter().copied().chain(self.required()).all(has);
        if has_all { names.into_iter().map(String::from).collect() } else { Vec::new() }
    }

    /// The tensors that sort and title images.
    pub(crate) fn required(&self) -> impl Iterator<Item = &str> {
        let by = self.args.by.as_deref();
        let title = self.titles.as_ref().and_then(Titles::tensor);
        by.into_iter().chain(title.filter(|&title| by != Some(title)))
    }

    /// Most items on a picture.
    pub(crate) fn max_items(&self) -> usize {
        match self.args.max {
            None if self.args.by.is_none() => MAX_ITEMS,
            None | Some(0) => usize::MAX,
            Some(max) => max,
        }
    }

    /// Whether each class has one title, at the head of its row or column, and not each item.
    pub(crate) fn titles_classes(&self) -> bool {
        self.args.by.is_some() && self.args.by.as_deref() == self.titles.as_ref().and_then(Titles::tensor)
    }
}
