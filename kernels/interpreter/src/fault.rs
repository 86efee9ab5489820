//! Faults: what a kernel does that a GPU does not promise to do well.

use std::fmt;

/// Kinds of faults.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FaultKind {
    /// Two threads of a block access a word of shared memory without a barrier between, and one of them writes it.
    SharedRace,
    /// Two threads access a word of global memory without a barrier between, or two blocks in one launch, and one of them
    /// writes it.
    GlobalRace,
    /// A read of shared memory that no thread of the block has written.
    UninitializedShared,
    /// A read of global memory that nobody has written.
    UninitializedGlobal,
    /// A read of a register, or of a predicate, that the thread has not written.
    UndefinedRegister,
    /// An access outside every allocation.
    OutOfBounds,
    /// An address that is no multiple of the size of the access.
    Misaligned,
    /// A barrier that only some threads of a warp reach, or two barriers that warps of one block wait at.
    DivergentBarrier,
    /// A shuffle, a warp barrier or a matrix product that only some of its lanes reach.
    MissingLanes,
}

impl FaultKind {
    fn text(self) -> &'static str {
        match self {
            FaultKind::SharedRace => "a race in shared memory",
            FaultKind::GlobalRace => "a race in global memory",
            FaultKind::UninitializedShared => "a read of shared memory that was not written",
            FaultKind::UninitializedGlobal => "a read of global memory that was not written",
            FaultKind::UndefinedRegister => "a read of a register that was not written",
            FaultKind::OutOfBounds => "an access out of bounds",
            FaultKind::Misaligned => "a misaligned access",
            FaultKind::DivergentBarrier => "a divergent barrier",
            FaultKind::MissingLanes => "a warp instruction without all of its lanes",
        }
    }
}

/// A fault, and the instruction that it is of.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What kind it is.
    pub kind: FaultKind,
    /// The entry of the PTX.
    pub kernel: String,
    /// The line of the PTX, from 1.
    pub line: usize,
    /// The instruction at that line.
    pub opcode: String,
    /// The index of the block in the grid.
    pub block: [u32; 2],
    /// Addresses and threads.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Fault { kind, kernel, line, opcode, block: [x, y], what } = self;
        write!(f, "{}: {kernel}, line {line}, {opcode}, block ({x}, {y}): {what}", kind.text())
    }
}

/// A fault before its place is known.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) kind: FaultKind,
    pub(crate) what: String,
}

impl Violation {
    #[cold]
    #[inline(never)]
    pub(crate) fn new(kind: FaultKind, what: String) -> Box<Violation> {
        Box::new(Violation { kind, what })
    }
}

pub(crate) type Checked<T> = Result<T, Box<Violation>>;
