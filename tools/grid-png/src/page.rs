//! The images of one picture, and what is written beside them.

use ndarray::{Array3, Axis};
use serde_json::{Map, Value};
use vae_cli::{Error, Result};
use vae_stream::Data;
use vae_stream::images::Pixels;

use crate::places::Places;
use crate::plan::{Plan, Room};
use crate::rules::Rules;
use crate::titles;

/// The images of one picture, T tensors [N, H, W].
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) group: String,
    pub(crate) epoch: Option<u64>,
    /// The losses of the epoch, once they are told.
    pub(crate) record: Option<Map<String, Value>>,
    pub(crate) names: Vec<String>,
    pub(crate) images: Vec<Array3<f32>>,
    pub(crate) places: Places,
    /// One for each item, or none.
    pub(crate) titles: Vec<String>,
    /// One for each class, or none.
    pub(crate) heads: Vec<String>,
    /// Items that have come, shown or not.
    seen: usize,
}

impl Page {
    /// A page for tensors of these names.
    pub(crate) fn new(group: &str, epoch: Option<u64>, names: &[String], rules: &Rules) -> Page {
        Page {
            group: group.to_owned(),
            epoch,
            record: None,
            names: names.to_vec(),
            images: Vec::new(),
            places: Places::new(rules.look.nrow as usize, rules.choice.by.is_some()),
            titles: Vec::new(),
            heads: Vec::new(),
            seen: 0,
        }
    }

    /// Adds the items of a frame that find a place, until there are as many as are wanted.
    pub(crate) fn add(&mut self, data: &Data, rules: &Rules) -> Result<()> {
        let items = self.choose(data, rules)?;
        let first = self.seen;
        self.seen += data.items();
        let Some(&last) = items.last() else { return Ok(()) };
        match &rules.titles {
            Some(_) if rules.titles_classes() => {
                self.heads = self.places.classes().iter().map(i64::to_string).collect();
            }
            Some(titles) => self.titles.extend(titles.of(data, first, &items)?),
            None => {}
        }
        for (t, name) in self.names.iter().enumerate() {
            let within = |e: Error| e.within(format_args!("tensor {name}"));
            let pixels = Pixels::from_tensor(&data.need(name)?.slice(0..last + 1), None);
            let pixels = pixels.map_err(|e| within(e.into()))?;
            let (_, height, width) = pixels.dim();
            if let Some((_, h, w)) = self.images.first().map(Array3::dim).filter(|&(_, h, w)| (h, w) != (height, width))
            {
                return Err(within(Error::Data(format!(
                    "images of another size: expected {h} x {w} as before, got {height} x {width}; draw them apart, with \
                     one --tensor"
                ))));
            }
            // Refused here, before more is kept than can be drawn.
            Plan::new(self.places.size(), self.names.len(), (height, width), &rules.look, Room::default())?;
            let mut values = match pixels {
                Pixels::U8(bytes) => bytes.mapv(|v| f32::from(v) / 255.0),
                Pixels::F32(values) => values,
            };
            if items.len() <= last {
                values = values.select(Axis(0), &items);
            }
            match self.images.get_mut(t) {
                Some(images) => images.append(Axis(0), values.view()).map_err(|e| Error::Failed(e.to_string()))?,
                None => self.images.push(values),
            }
        }
        Ok(())
    }

    /// Finds places for items of a frame, and tells which have one.
    fn choose(&mut self, data: &Data, rules: &Rules) -> Result<Vec<usize>> {
        let room = rules.most() - self.places.items();
        if room == 0 {
            return Ok(Vec::new());
        }
        let classes = match &rules.choice.by {
            Some(by) => titles::classes(data, by)?,
            None => vec![0; data.items()],
        };
        Ok((0..classes.len()).filter(|&k| self.places.take(classes[k])).take(room).collect())
    }
}
