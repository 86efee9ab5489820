//! The assembly of pages: a picture for each group and epoch.

use vae_cli::{Error, Result};
use vae_stream::record::Epoch;
use vae_stream::{Data, Frame};

use crate::options::GridOptions;
use crate::page::Page;
use crate::selection::{Selection, SelectionArgs};

/// Most groups in a message.
const MAX_NAMED: usize = 8;

/// The incomplete pages, one for each group and epoch.
#[derive(Debug)]
pub(crate) struct Pages {
    selection: Selection,
    options: GridOptions,
    every_group: bool,
    /// The group of the first page; the only group unless `every_group`.
    group: Option<String>,
    pages: Vec<Page>,
    /// The last epoch record.
    record: Option<Epoch>,
    /// Skipped groups and their tensors, for the message if nothing is shown.
    skipped: Vec<(String, String)>,
}

impl Pages {
    /// Pages of every group, unless --group selects one, or of a single group.
    pub(crate) fn new(selection: Selection, options: GridOptions, every_group: bool) -> Pages {
        let every_group = every_group && selection.args.group.is_none();
        Pages { selection, options, every_group, group: None, pages: Vec::new(), record: None, skipped: Vec::new() }
    }

    /// Removes the pages that are complete: `next` is of another epoch, or an epoch record.
    pub(crate) fn take_complete(&mut self, next: &Frame) -> Vec<Page> {
        let record = match next {
            Frame::Json(json) => Epoch::parse(json).ok().flatten(),
            Frame::Data(_) => None,
        };
        let is_complete = |page: &mut Page| match next {
            Frame::Data(data) => page.epoch.is_some() && data.epoch.is_some() && data.epoch != page.epoch,
            Frame::Json(_) => page.epoch.is_some() && record.is_some(),
        };
        let mut complete: Vec<Page> = self.pages.extract_if(.., is_complete).collect();
        // The record of an epoch may come before or after its pages.
        set_record(&mut complete, self.record.as_ref());
        if record.is_some() {
            set_record(&mut complete, record.as_ref());
            self.record = record;
        }
        complete
    }

    /// Adds the images of a frame to their page, if selected, up to the maximum.
    pub(crate) fn add(&mut self, data: &Data) -> Result<()> {
        let group = data.group.as_deref().unwrap_or("main");
        let (selection, options) = (&self.selection, &self.options);
        let only = selection.args.group.as_ref().or(self.group.as_ref().filter(|_| !self.every_group));
        let names = selection.tensors(data);
        if names.is_empty() || only.is_some_and(|only| only != group) {
            self.skip(group, data);
            return Ok(());
        }
        self.group.get_or_insert_with(|| group.to_owned());
        let page = self.pages.iter().position(|page| page.group == group && page.epoch == data.epoch);
        let page = page.unwrap_or_else(|| {
            self.pages.push(Page::new(group, data.epoch, &names, selection, options));
            self.pages.len() - 1
        });
        let page = &mut self.pages[page];
        if page.names != names {
            let (expected, got) = (page.names.join(" "), names.join(" "));
            return Err(Error::Data(format!(
                "group {group} changes: expected tensors {expected} as before, got {got}; select some with --tensor"
            )));
        }
        page.add(data, selection, options)
    }

    /// Whether the rest of the stream cannot change the picture.
    pub(crate) fn is_complete(&self) -> bool {
        let is_full = |page: &Page| page.epoch.is_none() && page.cells.len() == self.selection.max_items();
        !self.every_group && self.pages.iter().any(is_full)
    }

    /// The last pages, at the end of the stream.
    ///
    /// # Errors
    /// A stream without selected images.
    pub(crate) fn finish(mut self) -> Result<Vec<Page>> {
        if self.group.is_some() {
            set_record(&mut self.pages, self.record.as_ref());
            return Ok(self.pages);
        }
        let SelectionArgs { tensors, group, .. } = &self.selection.args;
        let required: Vec<&str> = self.selection.required().collect();
        let skipped: Vec<String> = self.skipped.iter().map(|(group, names)| format!("{group} with {names}")).collect();
        let (got, remedy) = if skipped.is_empty() {
            ("no items at all".to_owned(), "check the selection of the stage before")
        } else if !required.is_empty() {
            (skipped.join(", "), "correct --tensor, --group, --titles or --by")
        } else if tensors.is_empty() && group.is_none() {
            (skipped.join(", "), "decode latents with vae-decode, or select images with --tensor")
        } else {
            (skipped.join(", "), "correct --tensor or --group")
        };
        let images = if tensors.is_empty() { vec!["x_hat or x"] } else { tensors.iter().map(String::as_str).collect() };
        let expected = [images, required].concat().join(" with ");
        let group = group.as_ref().map_or(String::new(), |group| format!(" in group {group}"));
        Err(Error::Data(format!("no images to show: expected {expected}{group}, got {got}; {remedy}")))
    }

    fn skip(&mut self, group: &str, data: &Data) {
        if self.skipped.len() < MAX_NAMED && self.skipped.iter().all(|(skipped, _)| skipped != group) {
            let names: Vec<&str> = data.tensors.iter().map(|(name, _)| name.as_str()).collect();
            self.skipped.push((group.to_owned(), names.join(" ")));
        }
    }
}

/// Sets the record of the pages of its epoch.
fn set_record(pages: &mut [Page], record: Option<&Epoch>) {
    let Some(record) = record else { return };
    let of_epoch = pages.iter_mut().filter(|page| page.epoch == Some(record.epoch));
    of_epoch.for_each(|page| page.record = Some(record.clone()));
}
