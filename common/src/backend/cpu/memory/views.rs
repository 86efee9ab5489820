//! The views of the two phases: a block of images, and a tile of a parameter. See the invariants in memory/mod.rs.
#![allow(unsafe_code)]

use super::storage::{Buffer, Memory, Storage};
use crate::backend::cpu::gemm::sparsity::NonzeroRows;
use crate::backend::cpu::gemm::{PackedWeight, Packing};
use crate::backend::cpu::partition::ParamTile;
use crate::backend::{SampleIndex, State};
use crate::plan::{Activations, Buf, BufferShape, CheckedOp, Param, PixelType, Table};
use std::cell::Cell;
use std::ops::Range;

/// The rows of some images, for one operation of the first phase, or for packing one operand of the second.
pub(crate) struct BlockView<'m> {
    memory: &'m Memory,
    images: Range<usize>,
    pub(crate) state: &'m State,
    /// Of the program.
    packing: Packing,
    written: &'m [Buf],
    read: &'m [Buf],
    /// A bit per written buffer, set once it is handed out.
    taken: Cell<u32>,
}

/// The bits of `taken` for the derived copies, which no operation writes.
const PACKED: usize = 30;
const NONZERO_ROWS: usize = 31;

impl<'m> BlockView<'m> {
    /// # Safety
    /// While it lives no other block with any of these images and no tile exists. All blocks of a run have one size,
    /// and start at a multiple of it; but the last may be smaller, where no operand has a table of nonzero rows.
    pub(crate) unsafe fn new(
        memory: &'m Memory,
        images: Range<usize>,
        state: &'m State,
        packing: Packing,
        op: &'m CheckedOp,
    ) -> BlockView<'m> {
        assert!(images.end <= memory.images);
        BlockView { memory, images, state, packing, written: &op.written, read: &op.read, taken: Cell::new(0) }
    }
    /// For packing an operand.
    ///
    /// # Safety
    /// As `new`.
    pub(crate) unsafe fn operand(
        memory: &'m Memory,
        images: Range<usize>,
        state: &'m State,
        operand: &'m Buf,
    ) -> BlockView<'m> {
        assert!(images.end <= memory.images);
        let (packing, read) = (memory.packing, std::slice::from_ref(operand));
        BlockView { memory, images, state, packing, written: &[], read, taken: Cell::new(0) }
    }
    fn take(&self, buf: Buf) {
        let bit = self.written.iter().position(|b| *b == buf).expect("an operation writes only what it declares");
        self.take_bit(bit, buf);
    }
    fn take_bit(&self, bit: usize, buf: Buf) {
        assert!(self.taken.get() & (1 << bit) == 0, "{buf:?} is handed out already");
        self.taken.set(self.taken.get() | 1 << bit);
    }
    fn expect_read(&self, buf: Buf) {
        assert!(self.read.contains(&buf), "an operation reads only what it declares");
    }
    fn range(&self, r: Activations) -> Range<usize> {
        let len = self.memory.image_values(r);
        self.images.start * len..self.images.end * len
    }
    /// Whether patches are windows of padded images, which their buffers hold.
    pub(crate) fn is_padded(&self) -> bool {
        self.memory.has_padded_images()
    }
    /// x[images, P, width], an input; of patches in f32 the padded images.
    pub(crate) fn read(&self, r: Activations) -> &[f32] {
        self.expect_read(r.buf);
        // SAFETY: the invariants in memory/mod.rs.
        unsafe { self.memory.floats(r.buf).slice(self.range(r)) }
    }
    /// y[images, P, width], an output.
    #[allow(clippy::mut_from_ref)]
    pub(crate) fn write(&self, r: Activations) -> &mut [f32] {
        self.take(r.buf);
        // SAFETY: the invariants in memory/mod.rs.
        unsafe { self.memory.floats(r.buf).slice_mut(self.range(r)) }
    }
    /// The packing in bf16 of an operand, to be written; None in f32.
    #[allow(clippy::mut_from_ref)]
    pub(crate) fn packed(&self, r: Activations) -> Option<&mut [u32]> {
        let packed = self.memory.derived(r).packed.as_ref()?;
        self.expect_read(r.buf);
        self.take_bit(PACKED, r.buf);
        let (packing, first, end) =
            (self.memory.packing, self.images.start * r.per_image, self.images.end * r.per_image);
        assert!(first.is_multiple_of(packing.rows()), "rows that are packed together lie in one block");
        let len = packing.row_len(r.width);
        // SAFETY: the invariants in memory/mod.rs; no operation accesses derived copies.
        Some(unsafe { packed.slice_mut(first / packing.rows() * len..end.div_ceil(packing.rows()) * len) })
    }
    /// The table of nonzero rows of an operand, to be written; None without one.
    #[allow(clippy::mut_from_ref)]
    pub(crate) fn nonzero_rows(&self, r: Activations) -> Option<&mut [u16]> {
        let tables = self.memory.derived(r).nonzero_rows.as_ref()?;
        self.expect_read(r.buf);
        self.take_bit(NONZERO_ROWS, r.buf);
        let (len, block) = (NonzeroRows::table_len(r.width), self.images.start / self.images.len());
        // SAFETY: the invariants in memory/mod.rs; blocks of a run with tables have one size.
        Some(unsafe { tables.slice_mut(block * len..(block + 1) * len) })
    }
    /// A whole weight, with its packings.
    pub(crate) fn weight(&self, p: Param) -> PackedWeight<'_> {
        let f32 = PackedWeight::f32(self.memory.panels([p.inp, p.out]), self.bias(p));
        // SAFETY: the invariants in memory/mod.rs.
        let whole = |packed: &'m Storage<u32>| unsafe { packed.slice(0..packed.len) };
        match &self.memory.buffers[p.buf.0 as usize] {
            Buffer::Weight(_, Some([forward, backward])) if self.packing != Packing::F32 => {
                PackedWeight { forward: whole(forward), backward: whole(backward), ..f32 }
            }
            _ => f32,
        }
    }
    /// A whole bias, zero-padded to whole vectors, or a weight in f32 panels.
    pub(crate) fn bias(&self, p: Param) -> &[f32] {
        self.memory.expect(p.buf, BufferShape::Param([p.inp, p.out]));
        let values = self.memory.panels([p.inp, p.out]).values();
        // SAFETY: the invariants in memory/mod.rs.
        unsafe { self.memory.floats(p.buf).slice(0..values) }
    }
    /// The rows of a per-image output at the positions of the valid images.
    #[allow(clippy::mut_from_ref)]
    pub(crate) fn write_table(&self, t: Table) -> &mut [f32] {
        self.take(t.buf);
        self.memory.expect(t.buf, BufferShape::Table(t.items, t.width, PixelType::F32));
        let first = self.state.at + self.images.start;
        // SAFETY: the invariants in memory/mod.rs.
        unsafe { self.memory.floats(t.buf).slice_mut(first * t.width..(first + self.valid()) * t.width) }
    }
    /// A whole table of bytes.
    pub(crate) fn bytes(&self, t: Table) -> &[u8] {
        self.expect_read(t.buf);
        match &self.memory.buffers[t.buf.0 as usize] {
            Buffer::Bytes(bytes) => bytes,
            _ => panic!("expected bytes, got floats: {t:?}"),
        }
    }
    /// A whole table of floats.
    pub(crate) fn floats(&self, t: Table) -> &[f32] {
        self.expect_read(t.buf);
        self.memory.expect(t.buf, BufferShape::Table(t.items, t.width, PixelType::F32));
        // SAFETY: the invariants in memory/mod.rs; no program reads a table that it writes.
        unsafe { self.memory.floats(t.buf).slice(0..t.items * t.width) }
    }
    /// Number of images that are no padding.
    pub(crate) fn valid(&self) -> usize {
        self.state.valid().saturating_sub(self.images.start).min(self.images.len())
    }
    /// The sample index of image n of this block; None for padding, past the end of the epoch.
    pub(crate) fn sample_index(&self, n: usize) -> Option<SampleIndex> {
        (n < self.valid()).then(|| self.memory.indices[self.state.at + self.images.start + n])
    }
}

/// Some values of a parameter with its moments, and its operands, for the update.
pub(crate) struct TileView<'m> {
    memory: &'m Memory,
    tile: &'m ParamTile,
    /// Images of the batch.
    images: usize,
    /// Images of a block.
    block: usize,
}

/// The slices of a panel that a tile updates.
pub(crate) struct TileSlices<'a> {
    pub(crate) w: &'a mut [f32],
    pub(crate) m: &'a mut [f32],
    pub(crate) v: &'a mut [f32],
    /// With bf16: w packed forward and backward.
    pub(crate) packed: Option<[&'a mut [u32]; 2]>,
}

impl<'m> TileView<'m> {
    /// `images`: those of the batch, which blocks of size `block` have computed.
    ///
    /// # Safety
    /// While it lives no other tile has any of the values of this one and no block exists.
    pub(crate) unsafe fn new(memory: &'m Memory, tile: &'m ParamTile, images: usize, block: usize) -> TileView<'m> {
        TileView { memory, tile, images, block }
    }
    /// The rows of one of its panels.
    pub(crate) fn slices(&mut self, panel: usize) -> TileSlices<'_> {
        let ParamTile { gradient, panels, ref panel_range, ref rows, .. } = *self.tile;
        assert!(panel_range.contains(&panel), "a tile updates its own panels only");
        let p = gradient.param();
        self.memory.expect(p.buf, BufferShape::Param([p.inp, p.out]));
        let range = panels.rows(panel, rows.clone());
        let packed = match (&self.memory.buffers[p.buf.0 as usize], self.packing().weight(panels, panel, rows.clone()))
        {
            (Buffer::Weight(_, Some([forward, backward])), Some([at, back])) => {
                assert!(
                    rows.start.is_multiple_of(self.packing().rows()),
                    "rows that are packed together lie in one tile"
                );
                // SAFETY: two buffers; for the rest the invariants in memory/mod.rs.
                Some(unsafe { [forward.slice_mut(at), backward.slice_mut(back)] })
            }
            _ => None,
        };
        // SAFETY: three buffers; for the rest the invariants in memory/mod.rs.
        let [w, m, v] = [p.buf, p.first_moment(), p.second_moment()]
            .map(|b| unsafe { self.memory.floats(b).slice_mut(range.clone()) });
        TileSlices { w, m, v, packed }
    }
    /// An operand x[images, P, width].
    pub(crate) fn read(&self, r: Activations) -> &'m [f32] {
        let len = self.images * self.memory.image_values(r);
        // SAFETY: the invariants in memory/mod.rs.
        unsafe { self.memory.floats(r.buf).slice(0..len) }
    }
    /// How weights and operands are packed.
    pub(crate) fn packing(&self) -> Packing {
        self.memory.packing
    }
    /// An operand as it is packed in bf16; None in f32.
    pub(crate) fn packed(&self, r: Activations) -> Option<&'m [u32]> {
        let packed = self.memory.derived(r).packed.as_ref()?;
        let rows = (self.images * r.per_image).div_ceil(self.packing().rows());
        // SAFETY: the invariants in memory/mod.rs.
        Some(unsafe { packed.slice(0..rows * self.packing().row_len(r.width)) })
    }
    /// The nonzero rows of an operand; None where they are not listed.
    pub(crate) fn nonzero_rows(&self, r: Activations) -> Option<NonzeroRows<'m>> {
        let tables = self.memory.derived(r).nonzero_rows.as_ref()?;
        let blocks = self.images / self.block;
        // SAFETY: the invariants in memory/mod.rs; every block of the batch has filled its table.
        Some(unsafe {
            NonzeroRows::new(tables.slice(0..blocks * NonzeroRows::table_len(r.width)), self.block, r.width)
        })
    }
}
