//! PTX text to kernels: the subset that NVRTC makes of kernels/*.cu. What is outside it is refused.

mod decode;
mod flow;
pub(crate) mod op;
mod text;

use op::{Op, Register};
use std::fmt;

/// Shared memory of a block that a kernel may declare.
const SHARED_LIMIT: usize = 48 << 10;
/// Bytes of the parameters of a kernel.
const PARAM_LIMIT: usize = 4352;
/// Threads of a block.
pub(crate) const THREAD_LIMIT: u32 = 1024;

/// Why PTX was refused.
#[derive(Clone, Debug)]
pub struct PtxError {
    /// The line, from 1.
    pub line: usize,
    /// What was expected there.
    pub what: String,
}

impl fmt::Display for PtxError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// A module: the kernels of a PTX text.
#[derive(Debug)]
pub struct Module {
    /// The compute capability that it is for: 75 of `sm_75`.
    pub target: u32,
    /// Its entries.
    pub kernels: Vec<Kernel>,
}

/// A kernel, decoded.
#[derive(Debug)]
pub struct Kernel {
    /// The entry of the PTX.
    pub name: String,
    /// Of each parameter, its offset and size in bytes.
    pub params: Vec<(usize, usize)>,
    /// The threads of a block at most.
    pub max_threads: u32,
    pub(crate) shared_bytes: usize,
    pub(crate) code: Vec<Instruction>,
    pub(crate) words: WordFile,
    pub(crate) doubles: DoubleFile,
    pub(crate) predicates: usize,
}

/// Layout of the words of a warp: registers, then [`SPECIALS`], then constants.
#[derive(Debug, Default)]
pub(crate) struct WordFile {
    pub(crate) registers: usize,
    pub(crate) constants: Vec<u32>,
}

/// Layout of the doubles of a warp: registers, then constants.
#[derive(Debug, Default)]
pub(crate) struct DoubleFile {
    pub(crate) registers: usize,
    pub(crate) constants: Vec<u64>,
}

/// Special registers, in the order in which they follow the words of a kernel.
pub(crate) const SPECIALS: [&str; 5] = ["%tid.x", "%ctaid.x", "%ctaid.y", "%nctaid.x", "%nctaid.y"];

/// A decoded instruction.
#[derive(Debug)]
pub(crate) struct Instruction {
    /// The predicate, and the value with which a lane executes.
    pub(crate) guard: Option<(Register, bool)>,
    pub(crate) op: Op,
    pub(crate) opcode: Box<str>,
    pub(crate) line: usize,
}

impl Module {
    /// Decodes PTX text.
    ///
    /// # Errors
    /// [`PtxError`] at the first line that the interpreter does not know, or beyond a limit of the hardware.
    pub fn parse(text: &str) -> Result<Module, PtxError> {
        let (target, entries) = text::parse(text)?;
        let kernels = entries.iter().map(decode::kernel).collect::<Result<_, _>>()?;
        Ok(Module { target, kernels })
    }
    /// The kernel of this name.
    pub fn kernel(&self, name: &str) -> Option<&Kernel> {
        self.kernels.iter().find(|kernel| kernel.name == name)
    }
}

impl Kernel {
    /// Bytes of all parameters.
    pub fn param_bytes(&self) -> usize {
        self.params.last().map_or(0, |(offset, size)| offset + size)
    }
}
