//! Loads and stores, with their checks.

use super::Block;
use super::warp::{Lanes, Warp};
use crate::counters;
use crate::fault::{Checked, FaultKind, Violation};
use crate::memory::{Moment, Place, Wrong};
use crate::ptx::op::{Access, Element, Register, Space, Target};

impl Block<'_> {
    #[inline(always)]
    pub(super) fn load(&mut self, warp: &mut Warp, access: &Access, pc: usize, active: u32) -> Checked<()> {
        let at = self.addresses(warp, access, pc, active)?;
        let words = access.bytes().div_ceil(4) as usize;
        // Of a byte, which one of its word.
        let bytes = |address: u64| if access.element == Element::Byte { 1 << (address % 4) } else { 0xf };
        let mut values = [Lanes([0u32; 32]); 4];
        match access.space {
            Space::Param => {
                for lane in SetBits(active) {
                    let first = (at.0[lane] / 4) as usize;
                    take(&mut values, lane, &self.params[first..first + words]);
                }
            }
            Space::Shared => {
                for lane in SetBits(active) {
                    let (address, now) = (at.0[lane], self.by(warp, lane));
                    let read = self.shared.read((address / 4) as usize, words, now);
                    take(&mut values, lane, read.map_err(|wrong| describe(wrong, access.space, address, now, false))?);
                }
            }
            Space::Global => {
                for lane in SetBits(active) {
                    let (address, now) = (at.0[lane], self.by(warp, lane));
                    let found = self.find(address, access, now)?;
                    let read = self.memory.read(found, found.word(address), words, bytes(address), now);
                    take(&mut values, lane, read.map_err(|wrong| describe(wrong, access.space, address, now, false))?);
                }
            }
        }
        put(warp, access, values, at, active);
        Ok(())
    }
    #[inline(always)]
    pub(super) fn store(&mut self, warp: &mut Warp, access: &Access, pc: usize, active: u32) -> Checked<()> {
        let at = self.addresses(warp, access, pc, active)?;
        let words = access.count as usize;
        let mut values = [Lanes([0u32; 32]); 4];
        for (value, from) in values.iter_mut().zip(&access.values[..words]) {
            let Target::Word(from) = from else { unreachable!("a store is of words: see ptx/decode.rs") };
            *value = warp.word(*from, active)?;
        }
        for lane in SetBits(active) {
            let (address, now) = (at.0[lane], self.by(warp, lane));
            let to = match access.space {
                Space::Shared => self.shared.write((address / 4) as usize, words, now),
                _ => {
                    let found = self.find(address, access, now)?;
                    self.memory.write(found, found.word(address), words, now)
                }
            };
            let to = to.map_err(|wrong| describe(wrong, access.space, address, now, true))?;
            for (to, value) in to.iter_mut().zip(&values) {
                *to = value.0[lane];
            }
        }
        Ok(())
    }

    /// The addresses of the lanes: aligned, and in bounds of parameters and of shared memory.
    #[inline(always)]
    fn addresses(&mut self, warp: &Warp, access: &Access, pc: usize, active: u32) -> Checked<Lanes<u64>> {
        let (bytes, offset) = (u64::from(access.bytes()), access.offset);
        let at = warp.double(access.base as Register, active)?.map(|base| base.wrapping_add_signed(offset));
        let mut wrong = 0;
        for lane in 0..32 {
            wrong |= u32::from(at.0[lane] & (bytes - 1) != 0) << lane;
        }
        if wrong & active != 0 {
            let (lane, space) = ((wrong & active).trailing_zeros(), access.space);
            let (address, thread) = (at.0[lane as usize], warp.index * 32 + lane);
            let what = format!("{bytes} bytes at {space:?} {address:#x}, thread {thread}");
            return Err(Violation::new(FaultKind::Misaligned, what));
        }
        let end = match access.space {
            Space::Param => self.params.len() as u64 * 4,
            Space::Shared => self.kernel.shared_bytes as u64,
            Space::Global => u64::MAX,
        };
        for lane in 0..32 {
            wrong |= u32::from(at.0[lane].saturating_add(bytes) > end) << lane;
        }
        if wrong & active != 0 {
            let lane = (wrong & active).trailing_zeros() as usize;
            return Err(out_of_bounds(access, at.0[lane], self.by(warp, lane)));
        }
        if let Some(counts) = &mut self.counts {
            let (transfers, ideal) = match access.space {
                Space::Param => (0, 0),
                Space::Shared if !self.counts_banks => (0, 0),
                Space::Shared => counters::wavefronts(&at.0, active, access.bytes()),
                Space::Global => counters::sectors(&at.0, active, access.bytes()),
            };
            counts[pc].transfers += transfers;
            counts[pc].ideal += ideal;
        }
        Ok(at)
    }
    #[inline(always)]
    fn by(&self, warp: &Warp, lane: usize) -> Moment {
        Moment { thread: warp.index * 32 + lane as u32, ..self.now }
    }
    #[inline(always)]
    fn find(&mut self, address: u64, access: &Access, now: Moment) -> Checked<Place> {
        self.memory.find(address, u64::from(access.bytes())).ok_or_else(|| out_of_bounds(access, address, now))
    }
}

/// The indices of set bits.
struct SetBits(u32);

impl Iterator for SetBits {
    type Item = usize;
    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let lane = self.0.trailing_zeros() as usize;
        self.0 &= self.0.wrapping_sub(1);
        (lane < 32).then_some(lane)
    }
}

/// What a lane has loaded.
#[inline(always)]
fn take(values: &mut [Lanes<u32>; 4], lane: usize, from: &[u32]) {
    for (to, from) in values.iter_mut().zip(from) {
        to.0[lane] = *from;
    }
}

/// Writes what was loaded to its registers.
#[inline(always)]
fn put(warp: &mut Warp, access: &Access, values: [Lanes<u32>; 4], at: Lanes<u64>, active: u32) {
    match access.element {
        Element::Word => {
            for (to, value) in access.values.iter().zip(values).take(access.count as usize) {
                match *to {
                    Target::Word(to) => warp.set_word(to, value, active),
                    Target::Double(to) => warp.set_double(to, value.map(u64::from), active),
                }
            }
        }
        Element::SignedWord => {
            for (to, value) in access.values.iter().zip(values).take(access.count as usize) {
                warp.set(*to, value.map(|value| i64::from(value as i32) as u64), active);
            }
        }
        Element::Byte => {
            warp.set(
                access.values[0],
                values[0].zip(at, |word, address| u64::from(word >> (8 * (address % 4)) & 0xff)),
                active,
            );
        }
        Element::Double => {
            warp.set(
                access.values[0],
                values[0].zip(values[1], |low, high| u64::from(high) << 32 | u64::from(low)),
                active,
            );
        }
    }
}

#[cold]
#[inline(never)]
fn out_of_bounds(access: &Access, address: u64, now: Moment) -> Box<Violation> {
    let (bytes, space, thread) = (access.bytes(), access.space, now.thread);
    Violation::new(FaultKind::OutOfBounds, format!("{bytes} bytes at {space:?} {address:#x}, thread {thread}"))
}

#[cold]
#[inline(never)]
fn describe(wrong: Wrong, space: Space, address: u64, now: Moment, write: bool) -> Box<Violation> {
    let shared = space == Space::Shared;
    let (thread, now_is) = (now.thread, if write { "written" } else { "read" });
    match wrong {
        Wrong::Unwritten => {
            let kind = if shared { FaultKind::UninitializedShared } else { FaultKind::UninitializedGlobal };
            Violation::new(kind, format!("{space:?} {address:#x}, thread {thread}"))
        }
        Wrong::Race { before, was_read } => {
            let kind = if shared { FaultKind::SharedRace } else { FaultKind::GlobalRace };
            let was = if was_read { "read" } else { "written" };
            Violation::new(kind, format!("{space:?} {address:#x}, {was} by {before}, then {now_is} by thread {thread}"))
        }
    }
}
