//! The buffers of a plan in main memory, and the two ways to look at them. All aliasing `unsafe` of the CPU is here.
//!
//! Why it holds. Every slice is cut with checks of its buffer's kind, geometry and length. During `rows` a [`Block`]
//! hands its operation the rows of its own images only, each written buffer once and no buffer both ways; the
//! operation's own list of buffers is checked by [`Program::new`](crate::plan::Program::new). Parameters are read-only
//! then, since no operation has one as output; so are tables, but for one that is written and then read by no operation
//! of the program: of it a block has the rows at the positions of its images. During `weights` a [`Tile`]
//! hands out a part of one parameter and of its moments, mutably, and rows, which nothing writes then; a program learns
//! no parameter twice. The callers of the constructors promise the rest: images and tiles are with one thread at a time,
//! and blocks and tiles never live at the same time.
//!
//! Beside a buffer may lie what products make of it. The cells of a weight in pairs of bf16 are handed out as the weight
//! is: read by blocks, a part of them changed by its tile. The cells across rows, and the lists of those that are not
//! zero, of what a weight learns from, are written by the block of these images, once, and read by tiles.
#![allow(unsafe_code)]

use super::arena::Arena;
use super::cpu::{Blocks, Job, Level, Lit, Panels, Weight};
use super::{SampleIndex, State};
use crate::Result;
use crate::plan::{Activations, Buf, BufferShape, CheckedOp, Param, PixelType, Plan, Precision, Program, Table};
use std::cell::Cell;
use std::ops::Range;

/// `len` values in the arena of its memory.
struct Storage<T> {
    start: *mut T,
    len: usize,
}

/// Types of which all zero bits are a value.
trait Plain {
    /// `len` zeros.
    fn zeros(arena: &mut Arena, len: usize) -> Result<Storage<Self>>
    where
        Self: Sized,
    {
        Ok(Storage { start: arena.zeros(len)?, len })
    }
}
impl Plain for f32 {}
impl Plain for u32 {}
impl Plain for u16 {}

impl<T> Storage<T> {
    /// The start of a range, checked.
    fn at(&self, range: &Range<usize>) -> *mut T {
        let len = self.len;
        assert!(range.start <= range.end && range.end <= len, "a buffer of {len} values has no {range:?}");
        // SAFETY: it lies within the storage.
        unsafe { self.start.add(range.start) }
    }
    /// # Safety
    /// Nobody writes this range while the slice lives.
    unsafe fn slice(&self, range: Range<usize>) -> &[T] {
        // SAFETY: `at` checks the range; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts(self.at(&range), range.len()) }
    }
    /// # Safety
    /// Nobody else looks at this range while the slice lives.
    #[allow(clippy::mut_from_ref)]
    unsafe fn slice_mut(&self, range: Range<usize>) -> &mut [T] {
        // SAFETY: `at` checks the range; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.at(&range), range.len()) }
    }
}

/// A buffer, and what products make of it.
enum Buffer {
    Floats(Storage<f32>),
    Bytes(Vec<u8>),
    /// A weight in panels; in bf16 also its cells (see [`Weight`]).
    Weight(Storage<f32>, Option<[Storage<u32>; 2]>),
    /// The rows of the batch.
    Activations(Storage<f32>, Beside),
}

/// What lies beside rows that a weight learns from.
#[derive(Default)]
struct Beside {
    /// In bf16: cells across rows.
    across: Option<Storage<u32>>,
    /// For rows gathered from the data: where they are not zero.
    lit: Option<Storage<u16>>,
}

pub(super) struct Memory {
    /// What the buffers point into.
    arena: Arena,
    buffers: Vec<Buffer>,
    shapes: Vec<BufferShape>,
    pub(super) order: Vec<SampleIndex>,
    /// The most and the fewest images that a block may have.
    pub(super) most: usize,
    pub(super) least: usize,
    images: usize,
    level: Level,
}
// SAFETY: shared access to the buffers goes through Block and Tile only; see the top of the file.
unsafe impl Sync for Memory {}
// SAFETY: it owns what its buffers point into.
unsafe impl Send for Memory {}

impl Memory {
    pub(super) fn new(plan: &Plan, level: Level, precision: Precision) -> Result<Memory> {
        let most = plan.block();
        let images = plan.batch.next_multiple_of(most);
        let mut arena = Arena::new(plan.bytes(precision) as usize);
        let mut buffer = |kind: &BufferShape| -> Result<_> {
            let panels = |size| Panels::new(size, level.lanes());
            Ok(match *kind {
                BufferShape::Activations(width) => {
                    Buffer::Activations(f32::zeros(&mut arena, images * width)?, Beside::default())
                }
                BufferShape::Param(size) => {
                    let values = f32::zeros(&mut arena, panels(size).values())?;
                    let pairs = match precision {
                        Precision::Fp32 | Precision::Tf32 => None,
                        Precision::Bf16 => Some([
                            u32::zeros(&mut arena, panels(size).of_cells(2).values())?,
                            u32::zeros(&mut arena, panels(size).values() / 2)?,
                        ]),
                    };
                    Buffer::Weight(values, pairs)
                }
                BufferShape::Moment(size) => Buffer::Floats(f32::zeros(&mut arena, panels(size).values())?),
                BufferShape::Table(items, width, PixelType::F32) => {
                    Buffer::Floats(f32::zeros(&mut arena, items * width)?)
                }
                BufferShape::Table(..) => Buffer::Bytes(vec![]),
            })
        };
        // Moments lie last, so that a model that does not learn never touches their pages.
        let moment = |kind: &BufferShape| matches!(kind, BufferShape::Moment(_));
        let shapes = plan.shapes().to_vec();
        let mut buffers: Vec<Option<Buffer>> = shapes.iter().map(|_| None).collect();
        for last in [false, true] {
            for (slot, kind) in buffers.iter_mut().zip(&shapes).filter(|(_, kind)| moment(kind) == last) {
                *slot = Some(buffer(kind)?);
            }
        }
        let buffers = buffers.into_iter().flatten().collect();
        let least = if most > Lit::LEAST { Lit::LEAST } else { most.min(2) };
        Ok(Memory { arena, buffers, shapes, order: vec![], most, least, images, level })
    }
    /// Makes room for what the weights of a program learn from.
    pub(super) fn prepare(&mut self, program: &Program, precision: Precision) -> Result<()> {
        let (images, bf16) = (self.images, precision == Precision::Bf16);
        for r in program.operands() {
            let Buffer::Activations(_, beside) = &mut self.buffers[r.buf.0 as usize] else {
                panic!("{r:?} is no buffer of rows");
            };
            if bf16 && beside.across.is_none() {
                beside.across = Some(u32::zeros(&mut self.arena, (images * r.per_image).div_ceil(2) * r.width)?);
            }
            // Half as many cells to leave out are not worth their lists.
            if !bf16
                && program.is_input(r)
                && beside.lit.is_none()
                && Lit::room(r.width) > 0
                && self.least == Lit::LEAST
            {
                beside.lit = Some(u16::zeros(&mut self.arena, images / self.least * Lit::room(r.width))?);
            }
        }
        Ok(())
    }
    /// How the weight in a buffer, or its moment, lies; none for what lies as it is.
    fn panels(&self, buf: Buf) -> Option<Panels> {
        match self.shapes[buf.0 as usize] {
            BufferShape::Param(size) | BufferShape::Moment(size) => Some(Panels::new(size, self.level.lanes())),
            BufferShape::Activations(_) | BufferShape::Table(..) => None,
        }
    }
    fn expect(&self, buf: Buf, kind: BufferShape) {
        let got = self.shapes[buf.0 as usize];
        assert!(got == kind, "{buf:?}: expected {kind:?}, got {got:?}");
    }
    fn floats(&self, buf: Buf) -> &Storage<f32> {
        match &self.buffers[buf.0 as usize] {
            Buffer::Floats(values) | Buffer::Weight(values, _) | Buffer::Activations(values, _) => values,
            Buffer::Bytes(_) => panic!("expected floats, got bytes: {buf:?}"),
        }
    }
    fn beside(&self, r: Activations) -> &Beside {
        self.expect(r.buf, BufferShape::Activations(r.per_image * r.width));
        match &self.buffers[r.buf.0 as usize] {
            Buffer::Activations(_, beside) => beside,
            _ => panic!("{r:?} is no buffer of rows"),
        }
    }
    /// Writes the first values of a buffer, a weight from `[in, out]`.
    pub(super) fn fill(&mut self, buf: Buf, values: &[f32]) {
        let Some(panels) = self.panels(buf) else {
            // SAFETY: &mut self.
            return unsafe { self.floats(buf).slice_mut(0..values.len()) }.copy_from_slice(values);
        };
        // SAFETY: &mut self.
        let packed = unsafe { self.floats(buf).slice_mut(0..panels.values()) };
        panels.pack(packed, values);
        if let Buffer::Weight(_, Some([forward, backward])) = &self.buffers[buf.0 as usize] {
            // SAFETY: &mut self; two buffers.
            let cells = unsafe { (forward.slice_mut(0..forward.len), backward.slice_mut(0..backward.len)) };
            panels.pair(self.level, cells.0, cells.1, packed);
        }
    }
    /// Elements of a buffer from `first` on; of a weight all, as `[in, out]`.
    pub(super) fn copy(&self, buf: Buf, first: usize, into: &mut [f32]) {
        // SAFETY: blocks and tiles live only inside a backend's `run`, which holds &mut.
        let values = |range| unsafe { self.floats(buf).slice(range) };
        match self.panels(buf) {
            Some(panels) => panels.unpack(into, values(0..panels.values())),
            None => into.copy_from_slice(values(first..first + into.len())),
        }
    }
    /// Whether no element of a buffer is NaN or infinite; the padding of panels is zero.
    pub(super) fn all_finite(&self, buf: Buf) -> bool {
        let floats = self.floats(buf);
        // SAFETY: as above.
        unsafe { floats.slice(0..floats.len) }.iter().all(|v| v.is_finite())
    }
    fn bytes_len(&self, buf: Buf) -> usize {
        match self.shapes[buf.0 as usize] {
            BufferShape::Table(items, width, PixelType::U8) => items * width,
            other => panic!("{buf:?}: expected a table of bytes, got {other:?}"),
        }
    }
    /// Takes a whole table of bytes.
    pub(super) fn move_bytes(&mut self, buf: Buf, values: Vec<u8>) {
        assert_eq!(values.len(), self.bytes_len(buf), "{buf:?}");
        self.buffers[buf.0 as usize] = Buffer::Bytes(values);
    }
    /// Writes the first elements of a table of bytes.
    pub(super) fn set_bytes(&mut self, buf: Buf, values: &[u8]) {
        let len = self.bytes_len(buf);
        let Buffer::Bytes(bytes) = &mut self.buffers[buf.0 as usize] else { panic!("{buf:?} holds floats") };
        bytes.resize(len, 0);
        bytes[..values.len()].copy_from_slice(values);
    }
}

/// The rows of some images: for one operation of `rows`, or, after the last, for one of the buffers that a weight learns
/// from, whose cells and lists are then made.
pub(super) struct Block<'m> {
    memory: &'m Memory,
    images: Range<usize>,
    pub(super) state: &'m State,
    written: &'m [Buf],
    read: &'m [Buf],
    /// Which of the written buffers are handed out already.
    taken: Cell<u32>,
}

impl<'m> Block<'m> {
    /// # Safety
    /// Until it is dropped no other block with any of these images and no tile exists. All blocks of a run are of one
    /// size, and start at a multiple of it.
    pub(super) unsafe fn new(
        memory: &'m Memory,
        images: Range<usize>,
        state: &'m State,
        call: &'m CheckedOp,
    ) -> Block<'m> {
        assert!(images.end <= memory.images);
        Block { memory, images, state, written: &call.written, read: &call.read, taken: Cell::new(0) }
    }
    /// For what a weight learns from.
    ///
    /// # Safety
    /// As `new`.
    pub(super) unsafe fn operand(
        memory: &'m Memory,
        images: Range<usize>,
        state: &'m State,
        buf: &'m Buf,
    ) -> Block<'m> {
        assert!(images.end <= memory.images);
        Block { memory, images, state, written: &[], read: std::slice::from_ref(buf), taken: Cell::new(0) }
    }
    fn take(&self, buf: Buf) {
        let i = self.written.iter().position(|b| *b == buf).expect("an operation writes only what it declares");
        self.take_once(i, buf);
    }
    fn take_once(&self, i: usize, buf: Buf) {
        assert!(self.taken.get() & (1 << i) == 0, "{buf:?} is handed out already");
        self.taken.set(self.taken.get() | 1 << i);
    }
    fn reads(&self, buf: Buf) {
        assert!(self.read.contains(&buf), "an operation reads only what it declares");
    }
    fn range(&self, r: Activations) -> Range<usize> {
        self.memory.expect(r.buf, BufferShape::Activations(r.per_image * r.width));
        self.images.start * r.per_image * r.width..self.images.end * r.per_image * r.width
    }
    pub(super) fn read(&self, r: Activations) -> &[f32] {
        self.reads(r.buf);
        // SAFETY: see the top of the file.
        unsafe { self.memory.floats(r.buf).slice(self.range(r)) }
    }
    #[allow(clippy::mut_from_ref)]
    pub(super) fn write(&self, r: Activations) -> &mut [f32] {
        self.take(r.buf);
        // SAFETY: see the top of the file.
        unsafe { self.memory.floats(r.buf).slice_mut(self.range(r)) }
    }
    /// Where cells across rows go, if products read pairs.
    #[allow(clippy::mut_from_ref)]
    pub(super) fn across(&self, r: Activations) -> Option<&mut [u32]> {
        let range = self.range(r);
        let across = self.memory.beside(r).across.as_ref()?;
        self.reads(r.buf);
        self.take_once(30, r.buf);
        assert!((self.images.start * r.per_image).is_multiple_of(2), "a pair of rows lies in one block");
        // SAFETY: see the top of the file; an operation has no such cells.
        Some(unsafe {
            across.slice_mut(range.start / 2..range.start / 2 + (range.len() / r.width).div_ceil(2) * r.width)
        })
    }
    /// Where the lists of cells that are not zero go, for rows that have some.
    #[allow(clippy::mut_from_ref)]
    pub(super) fn lit(&self, r: Activations) -> Option<&mut [u16]> {
        let lit = self.memory.beside(r).lit.as_ref()?;
        self.reads(r.buf);
        self.take_once(31, r.buf);
        let (room, index) = (Lit::room(r.width), self.images.start / self.images.len());
        // SAFETY: see the top of the file; blocks of a run have one size.
        Some(unsafe { lit.slice_mut(index * room..(index + 1) * room) })
    }
    /// A whole weight, for products of this precision.
    pub(super) fn weight(&self, p: Param, precision: Precision) -> Weight<'_> {
        self.memory.expect(p.buf, BufferShape::Param([p.inp, p.out]));
        let panels = Panels::new([p.inp, p.out], self.memory.level.lanes());
        // SAFETY: see the top of the file.
        let whole = |cells: &'m Storage<u32>| unsafe { cells.slice(0..cells.len) };
        match &self.memory.buffers[p.buf.0 as usize] {
            Buffer::Weight(_, Some([forward, backward])) if precision == Precision::Bf16 => {
                Weight { panels, forward: whole(forward), backward: whole(backward) }
            }
            _ => Weight::of(panels, self.bias(p)),
        }
    }
    /// A whole bias, or a weight in panels.
    pub(super) fn bias(&self, p: Param) -> &[f32] {
        self.memory.expect(p.buf, BufferShape::Param([p.inp, p.out]));
        let panels = Panels::new([p.inp, p.out], self.memory.level.lanes());
        // SAFETY: see the top of the file.
        unsafe { self.memory.floats(p.buf).slice(0..panels.values()) }
    }
    /// The rows of a table at the positions of these images that exist.
    #[allow(clippy::mut_from_ref)]
    pub(super) fn write_table(&self, t: Table) -> &mut [f32] {
        self.take(t.buf);
        self.memory.expect(t.buf, BufferShape::Table(t.items, t.width, PixelType::F32));
        let first = self.state.at + self.images.start;
        // SAFETY: see the top of the file.
        unsafe { self.memory.floats(t.buf).slice_mut(first * t.width..(first + self.live()) * t.width) }
    }
    /// A whole table of bytes.
    pub(super) fn bytes(&self, t: Table) -> &[u8] {
        self.reads(t.buf);
        match &self.memory.buffers[t.buf.0 as usize] {
            Buffer::Bytes(bytes) => bytes,
            _ => panic!("expected bytes, got floats: {t:?}"),
        }
    }
    /// A whole table of floats.
    pub(super) fn floats(&self, t: Table) -> &[f32] {
        self.reads(t.buf);
        self.memory.expect(t.buf, BufferShape::Table(t.items, t.width, PixelType::F32));
        // SAFETY: see the top of the file; an operation that writes a table does not read it.
        unsafe { self.memory.floats(t.buf).slice(0..t.items * t.width) }
    }
    /// How many of these images exist.
    pub(super) fn live(&self) -> usize {
        self.state.live().saturating_sub(self.images.start).min(self.images.len())
    }
    /// Which image of the data image n of this block is, and which noise it draws; none past the end of the epoch.
    pub(super) fn visit(&self, n: usize) -> Option<SampleIndex> {
        (n < self.live()).then(|| self.memory.order[self.state.at + self.images.start + n])
    }
}

/// Some values of a parameter with its moments, for one operation of `weights`.
pub(super) struct Tile<'m> {
    memory: &'m Memory,
    job: &'m Job,
    /// Images that a block wrote.
    images: usize,
    block: usize,
}

/// What a tile changes.
pub(super) struct Parts<'a> {
    pub(super) w: &'a mut [f32],
    pub(super) m: &'a mut [f32],
    pub(super) v: &'a mut [f32],
    /// In bf16: the cells, forward and backward.
    pub(super) pairs: Option<[&'a mut [u32]; 2]>,
}

impl<'m> Tile<'m> {
    /// `images`: those of the batch that blocks of `block` wrote.
    ///
    /// # Safety
    /// Until it is dropped no other tile has any of the values of this job and no block exists.
    pub(super) unsafe fn new(memory: &'m Memory, job: &'m Job, images: usize, block: usize) -> Tile<'m> {
        Tile { memory, job, images, block }
    }
    /// The rows of one of its panels.
    pub(super) fn parts(&mut self, panel: usize) -> Parts<'_> {
        let Job { learn, panels, ref which, ref rows, .. } = *self.job;
        assert!(which.contains(&panel), "a tile changes no more than its job says");
        let p = learn.param();
        self.memory.expect(p.buf, BufferShape::Param([p.inp, p.out]));
        let range = panels.rows(panel, rows.clone());
        let pairs = match &self.memory.buffers[p.buf.0 as usize] {
            Buffer::Weight(_, Some([forward, backward])) => {
                assert!(rows.start % 2 == 0, "a pair of rows lies in one tile");
                let half = panels.of_cells(2).rows(panel, rows.start / 2..rows.end.div_ceil(2));
                // SAFETY: two buffers; for the rest see the top of the file.
                Some(unsafe { [forward.slice_mut(half), backward.slice_mut(range.start / 2..range.end / 2)] })
            }
            _ => None,
        };
        // SAFETY: three buffers; for the rest see the top of the file.
        let [w, m, v] = [p.buf, p.first_moment(), p.second_moment()]
            .map(|b| unsafe { self.memory.floats(b).slice_mut(range.clone()) });
        Parts { w, m, v, pairs }
    }
    /// The rows of every block that ran.
    pub(super) fn read(&self, r: Activations) -> &'m [f32] {
        self.memory.expect(r.buf, BufferShape::Activations(r.per_image * r.width));
        // SAFETY: see the top of the file.
        unsafe { self.memory.floats(r.buf).slice(0..self.images * r.per_image * r.width) }
    }
    /// The same in cells across rows, if products read pairs.
    pub(super) fn across(&self, r: Activations) -> Option<&'m [u32]> {
        let cells = self.memory.beside(r).across.as_ref()?;
        // SAFETY: see the top of the file.
        Some(unsafe { cells.slice(0..(self.images * r.per_image).div_ceil(2) * r.width) })
    }
    /// The lists of those that are not zero, where there are some.
    pub(super) fn lit(&self, r: Activations) -> Option<Blocks<'m>> {
        let lit = self.memory.beside(r).lit.as_ref()?;
        let blocks = self.images / self.block;
        // SAFETY: see the top of the file; every block that ran has filled its own.
        Some(unsafe { Blocks::new(lit.slice(0..blocks * Lit::room(r.width)), self.block, r.width) })
    }
}

#[cfg(test)]
mod tests {
    use crate::backend::{Backend, Cpu, Level};
    use crate::plan::{Activation, Activations, Op, Plan, Precision, Program};

    #[test]
    #[should_panic(expected = "expected Activations(3), got Param([1, 3])")]
    fn a_handle_forged_onto_a_parameter_is_refused() {
        let mut plan = Plan::new(4);
        let (y, b) = (plan.rows(1, 3), plan.bias("b", 3, 1));
        let forged = Activations { buf: b.buf, ..y };
        let program = Program::forward(vec![Op::ActivationBack { dy: forged, y, act: Activation::Relu }]);
        let mut cpu = Cpu::new(&plan, 1, Precision::Fp32, Level::available()[0]).unwrap();
        cpu.state().items = 4;
        let program = cpu.compile(&program).unwrap();
        cpu.run(program, 1).unwrap();
    }
}
