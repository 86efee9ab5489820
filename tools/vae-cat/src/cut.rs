//! --skip, --take and --batch.

use vae_cli::Result;
use vae_stream::{Data, Frame, Writer};

/// Writes a range of the items, in frames of a given size.
pub(crate) struct Cutter {
    skip: usize,
    left: usize,
    batch: Option<usize>,
    /// Items of the next frame.
    pending: Vec<Data>,
}

impl Cutter {
    pub(crate) fn new(skip: usize, take: Option<usize>, batch: Option<usize>) -> Cutter {
        Cutter { skip, left: take.unwrap_or(usize::MAX), batch, pending: Vec::new() }
    }

    /// Whether the range has ended.
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

    /// Writes the items of the last frame.
    pub(crate) fn finish(&mut self, output: &mut Writer) -> Result<()> {
        match self.pending.is_empty() {
            true => Ok(()),
            false => Ok(output.write(Data::concat(std::mem::take(&mut self.pending))?)?),
        }
    }

    fn batch(&mut self, data: Data, output: &mut Writer) -> Result<()> {
        let Some(batch) = self.batch else { return Ok(output.write(data)?) };
        if self.pending.last().is_some_and(|last| last.epoch != data.epoch || last.extra != data.extra) {
            self.finish(output)?;
        }
        let pending: usize = self.pending.iter().map(Data::items).sum();
        let mut start = 0;
        let mut end = batch - pending;
        while end <= data.items() {
            self.pending.push(data.slice(start..end));
            self.finish(output)?;
            (start, end) = (end, end + batch);
        }
        if start < data.items() {
            self.pending.push(data.slice(start..data.items()));
        }
        Ok(())
    }
}
