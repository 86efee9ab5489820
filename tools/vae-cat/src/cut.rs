//! Some of the items, and how many of them to a frame.

use vae_cli::Result;
use vae_stream::{Data, Frame, Writer};

/// Writes the frames that it is given, without the items that were not asked for.
pub(crate) struct Cut {
    skip: usize,
    left: usize,
    batch: Option<usize>,
    /// Items that wait for enough others.
    held: Vec<Data>,
}

impl Cut {
    pub(crate) fn new(skip: usize, take: Option<usize>, batch: Option<usize>) -> Cut {
        Cut { skip, left: take.unwrap_or(usize::MAX), batch, held: Vec::new() }
    }

    /// Whether all items that were asked for have come.
    pub(crate) fn is_done(&self) -> bool {
        self.left == 0
    }

    pub(crate) fn write(&mut self, frame: Frame, output: &mut Writer) -> Result<()> {
        let data = match frame {
            Frame::Data(data) if data.is_main() => data,
            other => return Ok(output.write(other)?),
        };
        let start = self.skip.min(data.items());
        let end = data.items().min(start.saturating_add(self.left));
        self.skip -= start;
        self.left -= end - start;
        match (start, end) {
            _ if start == end => Ok(()),
            (0, end) if end == data.items() => self.batch(data, output),
            _ => self.batch(data.slice(start..end), output),
        }
    }

    /// Writes the items that still wait.
    pub(crate) fn finish(&mut self, output: &mut Writer) -> Result<()> {
        match self.held.is_empty() {
            true => Ok(()),
            false => Ok(output.write(Data::concat(std::mem::take(&mut self.held))?)?),
        }
    }

    fn batch(&mut self, data: Data, output: &mut Writer) -> Result<()> {
        let Some(batch) = self.batch else { return Ok(output.write(data)?) };
        if self.held.last().is_some_and(|held| held.epoch != data.epoch || held.extra != data.extra) {
            self.finish(output)?;
        }
        let held: usize = self.held.iter().map(Data::items).sum();
        let mut start = 0;
        let mut end = batch - held;
        while end <= data.items() {
            self.held.push(data.slice(start..end));
            self.finish(output)?;
            (start, end) = (end, end + batch);
        }
        if start < data.items() {
            self.held.push(data.slice(start..data.items()));
        }
        Ok(())
    }
}
