//! The buffers of a plan in main memory, and the two ways to look at them. All aliasing `unsafe` of the CPU is here.
//!
//! Why it holds. Every slice is cut with checks of its buffer's kind, geometry and length. During `rows` a [`Block`]
//! hands its operation the rows of its own images only, each written buffer once and no buffer both ways; the
//! operation's own list of buffers is checked by [`Program::new`](crate::plan::Program::new). Parameters are read-only
//! then, since no operation has one as output; so are tables, but for one that is written and then read by no operation
//! of the program: of it a block has the rows at the positions of its images. During `weights` a [`Tile`]
//! hands out a part of one parameter and of its moments, mutably, and rows, which nothing writes then; a program learns
//! no parameter twice. The callers of the two `new` promise the rest: an index is with one thread at a time, and blocks
//! and tiles never live at the same time.
#![allow(unsafe_code)]

use super::cpu::Panels;
use super::{State, Visit};
use crate::plan::{Buf, Call, Cell as CellType, Kind, Param, Plan, Rows, Table};
use std::cell::{Cell, UnsafeCell};
use std::ops::Range;

/// Floats of a cache line.
const LINE: usize = 16;

enum Storage {
    /// `len` values from `start`, where a cache line begins, so that no vector straddles two.
    Floats {
        cells: Box<[UnsafeCell<f32>]>,
        start: usize,
        len: usize,
    },
    Bytes(Vec<u8>),
}

impl Storage {
    /// Zeros. Pages that nothing touches, say the moments of a model that does not learn, cost nothing, which an allocation
    /// of aligned lines could not offer.
    fn floats(len: usize) -> Storage {
        // SAFETY: all zero bits are the float 0.
        let cells: Box<[UnsafeCell<f32>]> = unsafe { Box::new_zeroed_slice(len + LINE - 1).assume_init() };
        let start = cells.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE - 1);
        Storage::Floats { cells, start, len }
    }
}

pub(super) struct Memory {
    buffers: Vec<Storage>,
    kinds: Vec<Kind>,
    pub(super) order: Vec<Visit>,
    pub(super) block: usize,
    /// Lanes of a vector, by which the panels of a weight are cut.
    lanes: usize,
}
// SAFETY: shared access to the cells goes through Block and Tile only; see the top of the file.
unsafe impl Sync for Memory {}

impl Memory {
    pub(super) fn new(plan: &Plan, lanes: usize) -> Memory {
        let block = plan.block();
        let images = plan.batch.next_multiple_of(block);
        let buffers = plan.kinds().iter().map(|kind| match *kind {
            Kind::Rows(width) => Storage::floats(images * width),
            Kind::Param(size) | Kind::Moment(size) => Storage::floats(Panels::new(size, lanes).values()),
            Kind::Table(items, width, CellType::Float) => Storage::floats(items * width),
            Kind::Table(..) => Storage::Bytes(vec![]),
        });
        Memory { buffers: buffers.collect(), kinds: plan.kinds().to_vec(), order: vec![], block, lanes }
    }
    /// How the weight in a buffer, or its moment, lies; none for what lies as it is.
    pub(super) fn panels(&self, buf: Buf) -> Option<Panels> {
        match self.kinds[buf.0 as usize] {
            Kind::Param(size) | Kind::Moment(size) => Some(Panels::new(size, self.lanes)),
            Kind::Rows(_) | Kind::Table(..) => None,
        }
    }
    fn expect(&self, buf: Buf, kind: Kind) {
        let got = self.kinds[buf.0 as usize];
        assert!(got == kind, "{buf:?}: expected {kind:?}, got {got:?}");
    }
    /// The start of a range of a buffer, checked.
    fn at(&self, buf: Buf, range: &Range<usize>) -> *mut f32 {
        match &self.buffers[buf.0 as usize] {
            Storage::Floats { cells, start, len } => {
                assert!(
                    range.start <= range.end && range.end <= *len,
                    "{buf:?}: expected at most {len}, got {range:?}"
                );
                UnsafeCell::raw_get(cells[start + range.start..].as_ptr())
            }
            Storage::Bytes(_) => panic!("expected floats, got bytes: {buf:?}"),
        }
    }
    /// # Safety
    /// Nobody writes this range while the slice lives.
    unsafe fn slice(&self, buf: Buf, range: Range<usize>) -> &[f32] {
        // SAFETY: `at` checks the range; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts(self.at(buf, &range), range.len()) }
    }
    /// # Safety
    /// Nobody else looks at this range while the slice lives.
    #[allow(clippy::mut_from_ref)]
    unsafe fn slice_mut(&self, buf: Buf, range: Range<usize>) -> &mut [f32] {
        // SAFETY: `at` checks the range; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.at(buf, &range), range.len()) }
    }
    /// The first values of a buffer.
    pub(super) fn floats_mut(&mut self, buf: Buf, len: usize) -> &mut [f32] {
        // SAFETY: &mut self.
        unsafe { self.slice_mut(buf, 0..len) }
    }
    /// The first values of a buffer.
    pub(super) fn floats(&self, buf: Buf, len: usize) -> &[f32] {
        // SAFETY: blocks and tiles live only inside a backend's `run`, which holds &mut.
        unsafe { self.slice(buf, 0..len) }
    }
    pub(super) fn set_bytes(&mut self, buf: Buf, values: Vec<u8>) {
        match self.kinds[buf.0 as usize] {
            Kind::Table(items, width, CellType::Byte) => assert_eq!(values.len(), items * width, "{buf:?}"),
            other => panic!("{buf:?}: expected a table of bytes, got {other:?}"),
        }
        self.buffers[buf.0 as usize] = Storage::Bytes(values);
    }
    /// Blocks that hold an image which exists. The others are left alone: nothing reads them.
    pub(super) fn blocks(&self, live: usize) -> usize {
        live.div_ceil(self.block)
    }
}

/// The rows of some images, for one operation of `rows`.
pub(super) struct Block<'m> {
    memory: &'m Memory,
    images: Range<usize>,
    pub(super) state: &'m State,
    call: &'m Call,
    /// Which of the written buffers are handed out already.
    taken: Cell<u32>,
}

impl<'m> Block<'m> {
    /// # Safety
    /// Until it is dropped no other block with this index and no tile exists.
    pub(super) unsafe fn new(memory: &'m Memory, index: usize, state: &'m State, call: &'m Call) -> Block<'m> {
        let images = index * memory.block..(index + 1) * memory.block;
        Block { memory, images, state, call, taken: Cell::new(0) }
    }
    fn take(&self, buf: Buf) {
        let i = self.call.written.iter().position(|b| *b == buf).expect("an operation writes only what it declares");
        assert!(self.taken.get() & (1 << i) == 0, "{buf:?} is handed out already");
        self.taken.set(self.taken.get() | 1 << i);
    }
    fn reads(&self, buf: Buf) {
        assert!(self.call.read.contains(&buf), "an operation reads only what it declares");
    }
    fn range(&self, r: Rows) -> Range<usize> {
        self.memory.expect(r.buf, Kind::Rows(r.per * r.width));
        self.images.start * r.per * r.width..self.images.end * r.per * r.width
    }
    pub(super) fn read(&self, r: Rows) -> &[f32] {
        self.reads(r.buf);
        // SAFETY: see the top of the file.
        unsafe { self.memory.slice(r.buf, self.range(r)) }
    }
    #[allow(clippy::mut_from_ref)]
    pub(super) fn write(&self, r: Rows) -> &mut [f32] {
        self.take(r.buf);
        // SAFETY: see the top of the file.
        unsafe { self.memory.slice_mut(r.buf, self.range(r)) }
    }
    /// A whole weight, in panels.
    pub(super) fn param(&self, p: Param) -> (&[f32], Panels) {
        self.memory.expect(p.buf, Kind::Param([p.inp, p.out]));
        let panels = Panels::new([p.inp, p.out], self.memory.lanes);
        // SAFETY: see the top of the file.
        (unsafe { self.memory.slice(p.buf, 0..panels.values()) }, panels)
    }
    /// The rows of a table at the positions of these images that exist.
    #[allow(clippy::mut_from_ref)]
    pub(super) fn write_table(&self, t: Table) -> &mut [f32] {
        self.take(t.buf);
        self.memory.expect(t.buf, Kind::Table(t.items, t.width, CellType::Float));
        let first = self.state.at + self.images.start;
        // SAFETY: see the top of the file.
        unsafe { self.memory.slice_mut(t.buf, first * t.width..(first + self.live()) * t.width) }
    }
    /// A whole table of bytes.
    pub(super) fn bytes(&self, t: Table) -> &[u8] {
        self.reads(t.buf);
        match &self.memory.buffers[t.buf.0 as usize] {
            Storage::Bytes(bytes) => bytes,
            Storage::Floats { .. } => panic!("expected bytes, got floats: {t:?}"),
        }
    }
    /// A whole table of floats.
    pub(super) fn floats(&self, t: Table) -> &[f32] {
        self.reads(t.buf);
        self.memory.expect(t.buf, Kind::Table(t.items, t.width, CellType::Float));
        // SAFETY: see the top of the file; an operation that writes a table does not read it.
        unsafe { self.memory.slice(t.buf, 0..t.items * t.width) }
    }
    /// How many of these images exist.
    pub(super) fn live(&self) -> usize {
        self.state.live().saturating_sub(self.images.start).min(self.images.len())
    }
    /// Which image of the data image n of this block is, and which noise it draws; none past the end of the epoch.
    pub(super) fn visit(&self, n: usize) -> Option<Visit> {
        (n < self.live()).then(|| self.memory.order[self.state.at + self.images.start + n])
    }
}

/// Some values of a parameter with its moments, for one operation of `weights`.
pub(super) struct Tile<'m> {
    memory: &'m Memory,
    param: Param,
    range: Range<usize>,
    images: usize,
}

impl<'m> Tile<'m> {
    /// `range`: values of the panels; `live`: images of the batch that exist.
    ///
    /// # Safety
    /// Until it is dropped no other tile has any of these values of this parameter and no block exists.
    pub(super) unsafe fn new(memory: &'m Memory, param: Param, range: Range<usize>, live: usize) -> Tile<'m> {
        Tile { memory, param, range, images: memory.blocks(live) * memory.block }
    }
    /// (weights, first moments, second moments)
    pub(super) fn parts(&mut self) -> [&mut [f32]; 3] {
        let p = self.param;
        self.memory.expect(p.buf, Kind::Param([p.inp, p.out]));
        // SAFETY: three buffers; for the rest see the top of the file.
        [p.buf, p.first_moment(), p.second_moment()].map(|b| unsafe { self.memory.slice_mut(b, self.range.clone()) })
    }
    /// The rows of every block that ran.
    pub(super) fn read(&self, r: Rows) -> &[f32] {
        self.memory.expect(r.buf, Kind::Rows(r.per * r.width));
        // SAFETY: see the top of the file.
        unsafe { self.memory.slice(r.buf, 0..self.images * r.per * r.width) }
    }
}

#[cfg(test)]
mod tests {
    use crate::backend::{Backend, Cpu};
    use crate::plan::{Act, Op, Plan, Program, Rows};

    #[test]
    #[should_panic(expected = "expected Rows(3), got Param([1, 3])")]
    fn a_handle_forged_onto_a_parameter_is_refused() {
        let mut plan = Plan::new(4);
        let (y, b) = (plan.rows(1, 3), plan.bias(&["b"], 3, 1));
        let forged = Rows { buf: b.buf, ..y };
        let program = Program::new(vec![Op::ActBack { dy: forged, y, act: Act::Relu }], vec![]);
        let mut cpu = Cpu::new(&plan, 1);
        cpu.state().items = 4;
        cpu.run(&program, 1).unwrap();
    }
}
