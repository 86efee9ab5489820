//! Shared memory of the one block that runs.

use super::{Moment, Stamp, Wrong, race};

/// Words with the last write and read of each. A word is written if that was in this block.
#[derive(Default)]
pub(crate) struct Shared {
    values: Vec<u32>,
    writes: Vec<Stamp>,
    reads: Vec<Stamp>,
}

impl Shared {
    pub(crate) fn reserve(&mut self, bytes: usize) {
        let words = bytes.div_ceil(4).max(self.values.len());
        self.values.resize(words, u32::MAX);
        self.writes.resize(words, Stamp::default());
        self.reads.resize(words, Stamp::default());
    }
    /// The words from this one on, read by a thread.
    #[inline(always)]
    pub(crate) fn read(&mut self, first: usize, words: usize, now: Moment) -> Result<&[u32], Wrong> {
        let (range, now) = (first..first + words, now.of_block());
        for (write, read) in self.writes[range.clone()].iter().zip(&mut self.reads[range.clone()]) {
            if write.phase() < now.block {
                return Err(Wrong::Unwritten);
            }
            if write.races(now) {
                return Err(race(*write, now, false));
            }
            *read = read.and_read(now);
        }
        Ok(&self.values[range])
    }
    /// The words from this one on, for a thread to write.
    #[inline(always)]
    pub(crate) fn write(&mut self, first: usize, words: usize, now: Moment) -> Result<&mut [u32], Wrong> {
        let (range, now) = (first..first + words, now.of_block());
        for (write, read) in self.writes[range.clone()].iter_mut().zip(&self.reads[range.clone()]) {
            if write.races(now) {
                return Err(race(*write, now, false));
            }
            if read.races(now) {
                return Err(race(*read, now, true));
            }
            *write = Stamp::of(now);
        }
        Ok(&mut self.values[range])
    }
}
