//! A file for each image.

use std::collections::HashSet;
use std::path::PathBuf;

use serde_json::Value;
use vae_cli::{Error, Result};
use vae_stream::{Data, Head, TensorSpec};

use crate::figure;
use crate::options::GridOptions;
use crate::output::write_file;
use crate::page::Page;
use crate::selection::Selection;
use crate::template::{Template, Values};

/// Writes a file for each image, whose name has fields for its integers.
pub(crate) struct EachWriter {
    pattern: Template,
    selection: Selection,
    options: GridOptions,
    /// The names of the labels `y`.
    classes: Vec<String>,
    written: HashSet<PathBuf>,
    /// Images so far, which count where there is no tensor `i`.
    images: usize,
}

impl EachWriter {
    /// A writer of the images of a stream with this head.
    pub(crate) fn new(pattern: Template, selection: Selection, options: GridOptions, head: &Head) -> EachWriter {
        let (classes, written) = (head.classes(), HashSet::new());
        EachWriter { pattern, selection, options, classes, written, images: 0 }
    }

    /// Whether there are as many images as were asked for.
    pub(crate) fn is_complete(&self) -> bool {
        self.selection.args.max.is_some_and(|max| max > 0 && self.images >= max)
    }

    /// Writes the images of a frame.
    pub(crate) fn write(&mut self, data: &Data) -> Result<()> {
        let names = self.selection.tensors(data);
        let group = data.group.as_deref().unwrap_or("main");
        if names.is_empty() || group != self.selection.args.group.as_deref().unwrap_or("main") {
            return Ok(());
        }
        let fields = data.tensors.iter().filter(|(name, tensor)| {
            let is_used = self.pattern.fields().any(|field| field.name == *name);
            is_used && TensorSpec::of(tensor).shape.iter().product::<usize>() == 1 && tensor.dtype().is_whole()
        });
        let fields: Vec<(&String, Vec<i64>)> =
            fields.map(|(name, _)| Ok((name, data.integers(name)?))).collect::<Result<_>>()?;
        for k in 0..data.items() {
            if self.is_complete() {
                break;
            }
            let path = self.path(&fields, k)?;
            if !self.written.insert(path.clone()) {
                let path = path.display();
                return Err(Error::Data(format!(
                    "--each: expected a name for each image, got {path} twice; add {{i}}"
                )));
            }
            let mut page = Page::new(group, data.epoch, &names, &self.selection, &self.options);
            page.add(&data.slice(k..k + 1), &self.selection, &self.options)?;
            write_file(&path, &figure::draw(page, &self.options, None)?)?;
            self.images += 1;
        }
        Ok(())
    }

    /// The success of the run, if there were images.
    pub(crate) fn finish(self) -> Result<()> {
        match self.images {
            0 => {
                Err(Error::Data("no images to write: expected x_hat or x, got none; select them with --tensor".into()))
            }
            _ => Ok(()),
        }
    }

    /// The file of item `k` of a frame whose integers are `fields`.
    fn path(&self, fields: &[(&String, Vec<i64>)], k: usize) -> Result<PathBuf> {
        let mut values: Vec<(String, Value)> = Vec::new();
        for (name, numbers) in fields {
            let class = usize::try_from(numbers[k]).ok().and_then(|label| self.classes.get(label));
            let value = match class.filter(|_| *name == "y") {
                Some(class) => file_name(class)?.into(),
                None => numbers[k].into(),
            };
            values.push(((*name).clone(), value));
        }
        if !fields.iter().any(|(name, _)| *name == "i") {
            values.push(("i".into(), self.images.into()));
        }
        Ok(self.pattern.fill(&Values::of(values))?.into())
    }
}

/// The name of a class as a name of a file or a folder.
fn file_name(class: &str) -> Result<&str> {
    match class {
        "" | "." | ".." => {}
        class if class.contains(['/', '\0']) => {}
        class => return Ok(class),
    }
    Err(Error::Data(format!("{{y}}: expected the name of a class that can be one of a file, got {class:?}")))
}

/// Parses the pattern of names, which has a field.
pub(crate) fn pattern(text: &str) -> Result<Template, String> {
    let template = Template::parse(text).ok().filter(|template| template.fields().next().is_some());
    template.ok_or_else(|| "expected a name with {i} or {y} between braces, as in out/{i:06}.png".to_owned())
}
