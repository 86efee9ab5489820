//! Which images of a stream belong on which picture.

use serde_json::{Map, Value};
use vae_cli::{Error, Result};
use vae_stream::{Data, Frame};

use crate::page::Page;
use crate::rules::{Choice, Rules};

/// Groups that a message names at most.
const MOST_NAMED: usize = 8;

/// The pages that are being filled, one for each group and epoch.
#[derive(Debug)]
pub(crate) struct Album {
    rules: Rules,
    every_group: bool,
    /// The group of the first page, which is the only one unless every group is shown.
    group: Option<String>,
    pages: Vec<Page>,
    /// The latest record of an epoch.
    record: Option<Map<String, Value>>,
    /// What was passed over, for the message when nothing is shown.
    passed: Vec<(String, String)>,
}

impl Album {
    /// An album of every group, unless one is chosen, or of a single one.
    pub(crate) fn new(rules: Rules, every_group: bool) -> Album {
        let every_group = every_group && rules.choice.group.is_none();
        Album { rules, every_group, group: None, pages: Vec::new(), record: None, passed: Vec::new() }
    }

    /// Takes out the pages that `next` shows to be complete: another epoch begins, or the record of theirs is here.
    pub(crate) fn turn(&mut self, next: &Frame) -> Vec<Page> {
        let is_over = |epoch| match next {
            Frame::Data(data) => data.epoch.is_some() && data.epoch != epoch,
            Frame::Json(record) => is_epoch(record),
        };
        let mut over: Vec<Page> =
            self.pages.extract_if(.., |page| page.epoch.is_some() && is_over(page.epoch)).collect();
        // A record is that of the pages of its epoch, whether it comes after them or before.
        annotate(&mut over, self.record.as_ref());
        if let Frame::Json(record) = next
            && is_epoch(record)
        {
            annotate(&mut over, Some(record));
            self.record = Some(record.clone());
        }
        over
    }

    /// Puts the images of a frame, if they are wanted, on their page, as far as there is room.
    pub(crate) fn add(&mut self, data: &Data) -> Result<()> {
        let group = data.group.as_deref().unwrap_or("main");
        let rules = &self.rules;
        let only = rules.choice.group.as_ref().or(self.group.as_ref().filter(|_| !self.every_group));
        let names = rules.tensors(data);
        if names.is_empty() || only.is_some_and(|only| only != group) {
            self.pass(group, data);
            return Ok(());
        }
        self.group.get_or_insert_with(|| group.to_owned());
        let page = self.pages.iter().position(|page| page.group == group && page.epoch == data.epoch);
        let page = page.unwrap_or_else(|| {
            self.pages.push(Page::new(group, data.epoch, &names, rules));
            self.pages.len() - 1
        });
        let page = &mut self.pages[page];
        if page.names != names {
            let (expected, got) = (page.names.join(" "), names.join(" "));
            return Err(Error::Data(format!(
                "group {group} changes: expected tensors {expected} as before, got {got}; choose with --tensor"
            )));
        }
        page.add(data, rules)
    }

    /// Whether nothing that is still to come can change the picture.
    pub(crate) fn is_complete(&self) -> bool {
        let is_full = |page: &Page| page.epoch.is_none() && page.places.items() == self.rules.most();
        !self.every_group && self.pages.iter().any(is_full)
    }

    /// The pages that are left at the end of the stream, or what is wrong if it had nothing to show.
    pub(crate) fn close(mut self) -> Result<Vec<Page>> {
        if self.group.is_some() {
            annotate(&mut self.pages, self.record.as_ref());
            return Ok(self.pages);
        }
        let Choice { tensors, group, .. } = &self.rules.choice;
        let beside: Vec<&str> = self.rules.beside().collect();
        let passed: Vec<String> = self.passed.iter().map(|(group, names)| format!("{group} with {names}")).collect();
        let (got, remedy) = if passed.is_empty() {
            ("no items at all".to_owned(), "see what the stage before selects")
        } else if !beside.is_empty() {
            (passed.join(", "), "choose with --tensor, --group, --titles and --by what is there")
        } else if tensors.is_empty() && group.is_none() {
            (passed.join(", "), "put vae-decode before to make images of latents, or name images with --tensor")
        } else {
            (passed.join(", "), "choose with --tensor and --group what is there")
        };
        let images = if tensors.is_empty() { vec!["x_hat or x"] } else { tensors.iter().map(String::as_str).collect() };
        let expected = [images, beside].concat().join(" with ");
        let group = group.as_ref().map_or(String::new(), |group| format!(" in group {group}"));
        Err(Error::Data(format!("no images to show: expected {expected}{group}, got {got}; {remedy}")))
    }

    fn pass(&mut self, group: &str, data: &Data) {
        if self.passed.len() < MOST_NAMED && self.passed.iter().all(|(passed, _)| passed != group) {
            let names: Vec<&str> = data.tensors.iter().map(|(name, _)| name.as_str()).collect();
            self.passed.push((group.to_owned(), names.join(" ")));
        }
    }
}

/// Gives pages the record of their epoch.
fn annotate(pages: &mut [Page], record: Option<&Map<String, Value>>) {
    let epoch = record.and_then(|record| record.get("epoch")).and_then(Value::as_u64);
    let theirs = pages.iter_mut().filter(|page| epoch.is_some() && page.epoch == epoch);
    theirs.for_each(|page| page.record = record.cloned());
}

fn is_epoch(record: &Map<String, Value>) -> bool {
    record.get("kind").and_then(Value::as_str) == Some("epoch")
}
