//! Device memory, with the last accesses of every word, by which races are found.
//!
//! Time is counted in *phases*: one for each stretch of a block between two barriers. Blocks run one after another, so
//! that the phases of a block, and those of a launch, follow each other: a stamp with a phase tells the launch, the block
//! and the barriers between.

mod global;
mod shared;

pub(crate) use global::{Global, Place};
pub(crate) use shared::Shared;

/// The accesses of one thread in one phase.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) phase: u64,
    pub(crate) thread: u32,
    /// The first phases of this block, and of this launch.
    pub(crate) block: u64,
    pub(crate) launch: u64,
}

impl Moment {
    /// For memory that no other block has: stamps of other blocks say nothing.
    #[inline(always)]
    fn of_block(self) -> Moment {
        Moment { launch: self.block, ..self }
    }
}

/// Who accessed a word last: phase << 16 | flags | thread. Zero: nobody in a launch.
#[derive(Clone, Copy, Default)]
pub(crate) struct Stamp(u64);

/// Other threads, too, have read the word in this phase.
const MANY: u64 = 1 << 10;
/// Other blocks, too, have read the word in this launch.
const BLOCKS: u64 = 1 << 11;
/// A bit for each byte of the word that has been written.
const WRITTEN: u64 = 0xf << 12;
const THREAD: u64 = MANY - 1;

impl Stamp {
    #[inline(always)]
    fn of(now: Moment) -> Stamp {
        Stamp(now.phase << 16 | u64::from(now.thread))
    }
    #[inline(always)]
    fn phase(self) -> u64 {
        self.0 >> 16
    }
    #[inline(always)]
    fn thread(self) -> u32 {
        (self.0 & THREAD) as u32
    }
    /// Whether another thread made this access with no barrier since, or another block in this launch.
    #[inline(always)]
    fn races(self, now: Moment) -> bool {
        if self.phase() < now.launch {
            return false;
        }
        let thread = self.phase() == now.phase && (self.0 & MANY != 0 || self.thread() != now.thread);
        thread || self.phase() < now.block || self.0 & BLOCKS != 0
    }
    /// The stamp after another read, of a word that had this one.
    #[inline(always)]
    fn and_read(self, now: Moment) -> Stamp {
        let new = Stamp::of(now).0;
        if self.phase() < now.launch {
            return Stamp(new);
        }
        let many = self.phase() == now.phase && (self.thread() != now.thread || self.0 & MANY != 0);
        let blocks = self.phase() < now.block || self.0 & BLOCKS != 0;
        Stamp(new | u64::from(many) << 10 | u64::from(blocks) << 11)
    }
    fn text(self, now: Moment) -> String {
        match self {
            _ if self.phase() < now.block || self.0 & BLOCKS != 0 => "another block".into(),
            _ if self.0 & MANY != 0 => format!("thread {} and others", self.thread()),
            _ => format!("thread {}", self.thread()),
        }
    }
}

/// What is wrong with an access.
pub(crate) enum Wrong {
    /// Before it, the word was read, or else written, by this one.
    Race {
        before: String,
        was_read: bool,
    },
    Unwritten,
}

#[cold]
#[inline(never)]
fn race(stamp: Stamp, now: Moment, was_read: bool) -> Wrong {
    Wrong::Race { before: stamp.text(now), was_read }
}
