//! Which images of a stream belong on which picture.

use common::images::Pixels;
use common::stream::{Data, Frame};
use common::{Error, Result};
use ndarray::{Array3, Axis};
use serde_json::Value;

use crate::grid::{Look, Plan};

/// Groups that a message names at most.
const MOST_NAMED: usize = 8;

/// Which images are shown.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Choice {
    /// Most items on a picture; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) max: usize,
    /// Tensor to show; if repeated, a row of each in turn [default: x_hat, else x; in a preview x and x_hat]
    #[arg(long = "tensor", value_name = "NAME")]
    pub(crate) tensors: Vec<String>,
    /// Group to show: main, or recon or sample of vae-train --preview [default: the first that has images]
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
}

/// The pages that are being filled, one for each group and epoch.
#[derive(Debug)]
pub(crate) struct Album {
    choice: Choice,
    look: Look,
    every_group: bool,
    /// The group of the first page, which is the only one unless every group is shown.
    group: Option<String>,
    pages: Vec<Page>,
    /// What was passed over, for the message when nothing is shown.
    passed: Vec<(String, String)>,
}

/// The images of one picture, T tensors [N, H, W].
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) group: String,
    pub(crate) epoch: Option<u64>,
    names: Vec<String>,
    pub(crate) images: Vec<Array3<f32>>,
}

impl Album {
    /// An album of every group, unless one is chosen, or of a single one.
    pub(crate) fn new(choice: Choice, look: Look, every_group: bool) -> Album {
        let every_group = every_group && choice.group.is_none();
        Album { choice, look, every_group, group: None, pages: Vec::new(), passed: Vec::new() }
    }

    /// Takes out the pages that `next` shows to be complete: another epoch begins, or the record of theirs is here.
    pub(crate) fn turn(&mut self, next: &Frame) -> Vec<Page> {
        let is_over = |epoch| match next {
            Frame::Data(data) => data.epoch.is_some() && data.epoch != epoch,
            Frame::Json(record) => record.get("kind").and_then(Value::as_str) == Some("epoch"),
        };
        self.pages.extract_if(.., |page| page.epoch.is_some() && is_over(page.epoch)).collect()
    }

    /// Puts the images of a frame, if they are wanted, on their page, as far as there is room.
    pub(crate) fn add(&mut self, data: &Data) -> Result<()> {
        let group = data.group.as_deref().unwrap_or("main");
        let only = self.choice.group.as_ref().or(self.group.as_ref().filter(|_| !self.every_group));
        let names = self.choice.tensors(data);
        if names.is_empty() || only.is_some_and(|only| only != group) {
            self.pass(group, data);
            return Ok(());
        }
        self.group.get_or_insert_with(|| group.to_owned());
        let page = self.pages.iter().position(|page| page.group == group && page.epoch == data.epoch);
        let page = page.unwrap_or_else(|| {
            self.pages.push(Page {
                group: group.to_owned(),
                epoch: data.epoch,
                names: names.clone(),
                images: Vec::new(),
            });
            self.pages.len() - 1
        });
        let page = &mut self.pages[page];
        if page.names != names {
            let (expected, got) = (page.names.join(" "), names.join(" "));
            return Err(Error::Data(format!(
                "group {group} changes: expected tensors {expected} as before, got {got}; choose with --tensor"
            )));
        }
        page.add(data, self.choice.most(), &self.look)
    }

    /// Whether nothing that is still to come can change the picture.
    pub(crate) fn is_complete(&self) -> bool {
        let is_full = |page: &Page| page.epoch.is_none() && page.items() == self.choice.most();
        !self.every_group && self.pages.iter().any(is_full)
    }

    /// The pages that are left at the end of the stream, or what is wrong if it had nothing to show.
    pub(crate) fn close(self) -> Result<Vec<Page>> {
        if self.group.is_some() {
            return Ok(self.pages);
        }
        let Choice { tensors, group, .. } = &self.choice;
        let passed: Vec<String> = self.passed.iter().map(|(group, names)| format!("{group} with {names}")).collect();
        let (got, remedy) = if passed.is_empty() {
            ("no items at all".to_owned(), "see what the stage before selects")
        } else if tensors.is_empty() && group.is_none() {
            (passed.join(", "), "put vae-decode before to make images of latents, or name images with --tensor")
        } else {
            (passed.join(", "), "choose with --tensor and --group what is there")
        };
        let tensors = if tensors.is_empty() { "x_hat or x".to_owned() } else { tensors.join(" with ") };
        let group = group.as_ref().map_or(String::new(), |group| format!(" in group {group}"));
        Err(Error::Data(format!("no images to show: expected {tensors}{group}, got {got}; {remedy}")))
    }

    fn pass(&mut self, group: &str, data: &Data) {
        if self.passed.len() < MOST_NAMED && self.passed.iter().all(|(passed, _)| passed != group) {
            let names: Vec<&str> = data.tensors.iter().map(|(name, _)| name.as_str()).collect();
            self.passed.push((group.to_owned(), names.join(" ")));
        }
    }
}

impl Choice {
    /// The tensors to show of a frame; none unless it has them all.
    fn tensors(&self, data: &Data) -> Vec<String> {
        let has = |name: &&str| data.get(name).is_some();
        let names: Vec<&str> = match &self.tensors[..] {
            [] if data.is_main() => ["x_hat", "x"].into_iter().filter(has).take(1).collect(),
            [] => ["x", "x_hat"].into_iter().filter(has).collect(),
            names => names.iter().map(String::as_str).collect(),
        };
        if names.iter().all(has) { names.into_iter().map(String::from).collect() } else { Vec::new() }
    }

    fn most(&self) -> usize {
        if self.max == 0 { usize::MAX } else { self.max }
    }
}

impl Page {
    fn items(&self) -> usize {
        self.images.first().map_or(0, |images| images.dim().0)
    }

    /// Adds the items of a frame until there are `most`.
    fn add(&mut self, data: &Data, most: usize, look: &Look) -> Result<()> {
        let items = data.items().min(most - self.items());
        let total = self.items() + items;
        for (t, name) in self.names.iter().enumerate().take_while(|_| items > 0) {
            let within = |e: Error| e.within(format_args!("tensor {name}"));
            let pixels = Pixels::from_tensor(&data.need(name)?.slice(0..items), None).map_err(within)?;
            let (_, height, width) = pixels.dim();
            if let Some((_, h, w)) = self.images.first().map(Array3::dim).filter(|&(_, h, w)| (h, w) != (height, width))
            {
                return Err(within(Error::Data(format!(
                    "images of another size: expected {h} x {w} as before, got {height} x {width}; draw them apart, with \
                     one --tensor"
                ))));
            }
            // Refused here, before more is kept than can be drawn.
            Plan::new(self.names.len(), (total, height, width), look)?;
            let values = match pixels {
                Pixels::U8(bytes) => bytes.mapv(|v| f32::from(v) / 255.0),
                Pixels::F32(values) => values,
            };
            match self.images.get_mut(t) {
                Some(images) => images.append(Axis(0), values.view()).map_err(|e| Error::Failed(e.to_string()))?,
                None => self.images.push(values),
            }
        }
        Ok(())
    }
}
