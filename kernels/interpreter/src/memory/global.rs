//! Global memory: allocations far apart, so that an address past the end of one lies in none.

use super::{Moment, Stamp, WRITTEN, Wrong, race};

/// Addresses are never used again, so that a stale one is found.
const FIRST_ADDRESS: u64 = 0x7f00_0000_0000;
const GAP: u64 = 1 << 20;
const ALIGNMENT: u64 = 256;

struct Allocation {
    base: u64,
    bytes: u64,
    values: Vec<u32>,
    writes: Vec<Stamp>,
    reads: Vec<Stamp>,
}

/// The allocations, by address.
#[derive(Default)]
pub(crate) struct Global {
    allocations: Vec<Allocation>,
    end: u64,
    /// The allocation that was found last.
    last: usize,
}

/// Words of an allocation.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    allocation: usize,
    base: u64,
}

impl Place {
    /// The word at an address of the allocation.
    #[inline(always)]
    pub(crate) fn word(self, address: u64) -> usize {
        ((address - self.base) / 4) as usize
    }
}

impl Global {
    /// The address of new memory, of which every value is NaN.
    pub(crate) fn allocate(&mut self, bytes: usize) -> u64 {
        let base = self.end.max(FIRST_ADDRESS);
        self.end = (base + bytes as u64 + GAP).next_multiple_of(ALIGNMENT);
        let words = bytes.div_ceil(4);
        let stamps = || vec![Stamp::default(); words];
        self.allocations.push(Allocation {
            base,
            bytes: bytes as u64,
            values: vec![u32::MAX; words],
            writes: stamps(),
            reads: stamps(),
        });
        base
    }
    pub(crate) fn free(&mut self, base: u64) {
        self.allocations.retain(|allocation| allocation.base != base);
    }
    /// Where bytes lie, if in one allocation.
    #[inline(always)]
    pub(crate) fn find(&mut self, address: u64, bytes: u64) -> Option<Place> {
        let holds = |a: &Allocation| address >= a.base && address - a.base + bytes <= a.bytes;
        if !self.allocations.get(self.last).is_some_and(holds) {
            self.last = self.allocations.partition_point(|a| a.base <= address).checked_sub(1)?;
        }
        let found = &self.allocations[self.last];
        holds(found).then_some(Place { allocation: self.last, base: found.base })
    }

    /// The words from this one on, read by a thread: those bytes of each.
    #[inline(always)]
    pub(crate) fn read(
        &mut self,
        place: Place,
        first: usize,
        words: usize,
        bytes: u64,
        now: Moment,
    ) -> Result<&[u32], Wrong> {
        let allocation = &mut self.allocations[place.allocation];
        let range = first..first + words;
        for (write, read) in allocation.writes[range.clone()].iter().zip(&mut allocation.reads[range.clone()]) {
            if write.0 & bytes << 12 != bytes << 12 {
                return Err(Wrong::Unwritten);
            }
            if write.races(now) {
                return Err(race(*write, now, false));
            }
            *read = read.and_read(now);
        }
        Ok(&allocation.values[range])
    }
    /// The words from this one on, for a thread to write.
    #[inline(always)]
    pub(crate) fn write(&mut self, place: Place, first: usize, words: usize, now: Moment) -> Result<&mut [u32], Wrong> {
        let allocation = &mut self.allocations[place.allocation];
        let range = first..first + words;
        for (write, read) in allocation.writes[range.clone()].iter_mut().zip(&allocation.reads[range.clone()]) {
            if write.races(now) {
                return Err(race(*write, now, false));
            }
            if read.races(now) {
                return Err(race(*read, now, true));
            }
            *write = Stamp(Stamp::of(now).0 | WRITTEN);
        }
        Ok(&mut allocation.values[range])
    }

    /// The bytes at an address, for the host to read.
    pub(crate) fn bytes(&mut self, address: u64, count: usize) -> Option<&[u8]> {
        let place = self.find(address, count as u64)?;
        let start = (address - place.base) as usize;
        Some(&bytemuck::cast_slice(&self.allocations[place.allocation].values)[start..start + count])
    }
    /// The bytes at an address, for the host to write.
    pub(crate) fn bytes_mut(&mut self, address: u64, count: usize) -> Option<&mut [u8]> {
        let place = self.find(address, count as u64)?;
        let start = (address - place.base) as usize;
        let Allocation { values, writes, .. } = &mut self.allocations[place.allocation];
        for (i, write) in writes[start / 4..(start + count).div_ceil(4)].iter_mut().enumerate() {
            let word = (start / 4 + i) * 4;
            let written = (word..word + 4).enumerate().filter(|(_, byte)| (start..start + count).contains(byte));
            write.0 |= written.fold(0, |bits, (bit, _)| bits | 1 << (12 + bit));
        }
        Some(&mut bytemuck::cast_slice_mut(values)[start..start + count])
    }
}
