//! Allocation of the buffers, upload and download.
#![allow(unsafe_code)]

use super::arena::Arena;
use crate::Result;
use crate::backend::SampleIndex;
use crate::backend::cpu::gemm::sparsity::NonzeroRows;
use crate::backend::cpu::gemm::{Arithmetic, InArithmetic, Packing, Panels, WithArithmetic};
use crate::backend::cpu::simd::{InstructionSet, Simd};
use crate::plan::{Activations, Buf, BufferShape, PixelType, Plan, Precision, Program};
use std::ops::Range;

/// `len` values in the arena of a [`Memory`].
pub(super) struct Storage<T> {
    start: *mut T,
    pub(super) len: usize,
}

/// Types of which all zero bits are a value.
trait Zeroable {
    /// `len` zeros.
    fn zeros(arena: &mut Arena, len: usize) -> Result<Storage<Self>>
    where
        Self: Sized,
    {
        Ok(Storage { start: arena.zeros(len)?, len })
    }
}
impl Zeroable for f32 {}
impl Zeroable for u32 {}
impl Zeroable for u16 {}

impl<T> Storage<T> {
    /// The address of a range, after a bounds check.
    fn at(&self, range: &Range<usize>) -> *mut T {
        let len = self.len;
        assert!(range.start <= range.end && range.end <= len, "{range:?} is out of range of a buffer of {len} values");
        // SAFETY: it lies within the storage.
        unsafe { self.start.add(range.start) }
    }
    /// # Safety
    /// Nobody writes this range while the slice lives.
    pub(super) unsafe fn slice(&self, range: Range<usize>) -> &[T] {
        // SAFETY: `at` checks the range; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts(self.at(&range), range.len()) }
    }
    /// # Safety
    /// Nobody else accesses this range while the slice lives.
    #[allow(clippy::mut_from_ref)]
    pub(super) unsafe fn slice_mut(&self, range: Range<usize>) -> &mut [T] {
        // SAFETY: `at` checks the range; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.at(&range), range.len()) }
    }
}

/// A buffer with its derived copies.
pub(super) enum Buffer {
    Floats(Storage<f32>),
    Bytes(Vec<u8>),
    /// A weight in panels; with bf16 also packed forward and backward (see
    /// [`PackedWeight`](crate::backend::cpu::gemm::PackedWeight)).
    Weight(Storage<f32>, Option<[Storage<u32>; 2]>),
    /// `[images, P, width]`.
    Activations(Storage<f32>, Derived),
}

/// Derived copies of an operand of weight gradients.
#[derive(Default)]
pub(super) struct Derived {
    /// With bf16: rows packed together.
    pub(super) packed: Option<Storage<u32>>,
    /// Of input: the tables of [`NonzeroRows`].
    pub(super) nonzero_rows: Option<Storage<u16>>,
}

/// The buffers of a plan.
pub(crate) struct Memory {
    /// The allocation of the buffers.
    arena: Arena,
    pub(super) buffers: Vec<Buffer>,
    pub(super) shapes: Vec<BufferShape>,
    /// The sample indices of the epoch.
    pub(crate) indices: Vec<SampleIndex>,
    /// The range of images in a block.
    pub(crate) max_block: usize,
    pub(crate) min_block: usize,
    /// Images of a batch, rounded up to whole blocks.
    pub(crate) images: usize,
    /// Values of an image in the largest buffer of activations.
    pub(crate) largest_image: usize,
    pub(crate) isa: InstructionSet,
    /// Of weights, and of the operands of gradients.
    pub(crate) packing: Packing,
}
// SAFETY: shared access to the buffers goes through BlockView and TileView only; see the invariants in memory/mod.rs.
unsafe impl Sync for Memory {}
// SAFETY: it owns the allocation that its buffers point into.
unsafe impl Send for Memory {}

impl Memory {
    pub(crate) fn new(plan: &Plan, isa: InstructionSet, precision: Precision) -> Result<Memory> {
        let packing = Packing::new(precision, isa);
        let max_block = plan.block(precision).max(packing.rows());
        let images = plan.batch.next_multiple_of(max_block);
        let mut arena = Arena::new(plan.bytes(precision) as usize);
        let mut buffer = |shape: &BufferShape| -> Result<_> {
            let panels = |size| packing.panels(size, isa.lanes());
            Ok(match *shape {
                BufferShape::Activations(width) => {
                    Buffer::Activations(f32::zeros(&mut arena, images * width)?, Derived::default())
                }
                BufferShape::Patches(rows, conv) => {
                    let padded = images * rows / conv.output_area() * conv.padded_len();
                    Buffer::Activations(f32::zeros(&mut arena, padded)?, Derived::default())
                }
                BufferShape::Param(size) => {
                    let values = f32::zeros(&mut arena, panels(size).values())?;
                    let panels = panels(size);
                    let packed = match packing.weight(panels, panels.count() - 1, 0..panels.inp) {
                        None => None,
                        Some([f, b]) => Some([u32::zeros(&mut arena, f.end)?, u32::zeros(&mut arena, b.end)?]),
                    };
                    Buffer::Weight(values, packed)
                }
                BufferShape::Moment(size) => Buffer::Floats(f32::zeros(&mut arena, panels(size).values())?),
                BufferShape::Table(items, width, PixelType::F32) => {
                    Buffer::Floats(f32::zeros(&mut arena, items * width)?)
                }
                BufferShape::Table(..) => Buffer::Bytes(vec![]),
            })
        };
        // Moments come last, so that inference never touches their pages.
        let is_moment = |shape: &BufferShape| matches!(shape, BufferShape::Moment(_));
        let shape = |shape: &BufferShape| if packing == Packing::F32 { *shape } else { shape.with_patches_in_memory() };
        let shapes: Vec<BufferShape> = plan.shapes().iter().map(shape).collect();
        let mut buffers: Vec<Option<Buffer>> = shapes.iter().map(|_| None).collect();
        for last in [false, true] {
            for (slot, shape) in buffers.iter_mut().zip(&shapes).filter(|(_, shape)| is_moment(shape) == last) {
                *slot = Some(buffer(shape)?);
            }
        }
        let buffers = buffers.into_iter().flatten().collect();
        let least = NonzeroRows::MIN_BLOCK;
        let min_block = if max_block > least { least } else { max_block.min(2) }.max(packing.rows()).min(max_block);
        Ok(Memory {
            arena,
            buffers,
            shapes,
            indices: vec![],
            max_block,
            min_block,
            images,
            largest_image: plan.largest_image(precision),
            isa,
            packing,
        })
    }
    /// Allocates the derived copies of the operands of a program's weight gradients.
    pub(crate) fn prepare(&mut self, program: &Program) -> Result<()> {
        let (images, packing) = (self.images, self.packing);
        let bf16 = packing != Packing::F32;
        for (r, _) in program.operands() {
            let Buffer::Activations(_, derived) = &mut self.buffers[r.buf.0 as usize] else {
                panic!("{r:?} is no buffer of activations");
            };
            if bf16 && derived.packed.is_none() {
                let len = (images * r.per_image).div_ceil(packing.rows()) * packing.row_len(r.width);
                derived.packed = Some(u32::zeros(&mut self.arena, len)?);
            }
            // With bf16 there are half as many k to skip, which is not profitable.
            let table = NonzeroRows::table_len(r.width);
            if !bf16
                && program.is_input(r)
                && derived.nonzero_rows.is_none()
                && table > 0
                && self.min_block == NonzeroRows::MIN_BLOCK
            {
                derived.nonzero_rows = Some(u16::zeros(&mut self.arena, images / self.min_block * table)?);
            }
        }
        Ok(())
    }
    /// The layout of a weight.
    pub(super) fn panels(&self, size: [usize; 2]) -> Panels {
        self.packing.panels(size, self.isa.lanes())
    }
    /// The layout of a weight or a moment; None for a row-major buffer.
    fn layout(&self, buf: Buf) -> Option<Panels> {
        match self.shapes[buf.0 as usize] {
            BufferShape::Param(size) | BufferShape::Moment(size) => Some(self.panels(size)),
            BufferShape::Activations(_) | BufferShape::Patches(..) | BufferShape::Table(..) => None,
        }
    }
    pub(super) fn expect(&self, buf: Buf, shape: BufferShape) {
        let got = self.shapes[buf.0 as usize];
        assert!(got == shape, "{buf:?}: expected {shape:?}, got {got:?}");
    }
    /// Values of an image: of patches in f32, those of a padded image.
    pub(super) fn image_values(&self, r: Activations) -> usize {
        match self.shapes[r.buf.0 as usize] {
            BufferShape::Patches(rows, conv) => {
                assert_eq!([r.per_image, r.width], [rows, conv.patch_len()], "{r:?} is in another shape");
                rows / conv.output_area() * conv.padded_len()
            }
            _ => {
                self.expect(r.buf, BufferShape::Activations(r.per_image * r.width));
                r.per_image * r.width
            }
        }
    }
    /// Whether buffers of patches hold padded images, of which patches are windows.
    pub(crate) fn has_padded_images(&self) -> bool {
        self.packing == Packing::F32
    }
    pub(super) fn floats(&self, buf: Buf) -> &Storage<f32> {
        match &self.buffers[buf.0 as usize] {
            Buffer::Floats(values) | Buffer::Weight(values, _) | Buffer::Activations(values, _) => values,
            Buffer::Bytes(_) => panic!("expected floats, got bytes: {buf:?}"),
        }
    }
    pub(super) fn derived(&self, r: Activations) -> &Derived {
        self.image_values(r);
        match &self.buffers[r.buf.0 as usize] {
            Buffer::Activations(_, derived) => derived,
            _ => panic!("{r:?} is no buffer of activations"),
        }
    }
    /// Writes the first values of a buffer; packs a weight from row-major `[in, out]`.
    pub(crate) fn upload(&mut self, buf: Buf, values: &[f32]) {
        let Some(panels) = self.layout(buf) else {
            // SAFETY: &mut self.
            return unsafe { self.floats(buf).slice_mut(0..values.len()) }.copy_from_slice(values);
        };
        // SAFETY: &mut self.
        let packed = unsafe { self.floats(buf).slice_mut(0..panels.values()) };
        panels.pack(packed, values);
        if let Buffer::Weight(_, Some([forward, backward])) = &self.buffers[buf.0 as usize] {
            // SAFETY: &mut self; two buffers.
            let to = unsafe { [forward.slice_mut(0..forward.len), backward.slice_mut(0..backward.len)] };
            let work = PackWeight { packing: self.packing, panels, to, values: packed };
            self.isa.dispatch(InArithmetic(self.packing, work));
        }
    }
    /// Reads the elements of a buffer from `first`; unpacks a whole weight to row-major `[in, out]`.
    pub(crate) fn download(&self, buf: Buf, first: usize, into: &mut [f32]) {
        // SAFETY: blocks and tiles live only inside a backend's `run`, which holds &mut.
        let values = |range| unsafe { self.floats(buf).slice(range) };
        match self.layout(buf) {
            Some(panels) => panels.unpack(into, values(0..panels.values())),
            None => into.copy_from_slice(values(first..first + into.len())),
        }
    }
    /// Whether no element of a buffer is NaN or infinite; the padding of panels is zero.
    pub(crate) fn all_finite(&self, buf: Buf) -> bool {
        let floats = self.floats(buf);
        // SAFETY: as in `download`.
        unsafe { floats.slice(0..floats.len) }.iter().all(|v| v.is_finite())
    }
    /// Takes a whole table of bytes.
    pub(crate) fn move_bytes(&mut self, buf: Buf, values: Vec<u8>) {
        assert_eq!(values.len(), self.bytes_len(buf), "{buf:?}");
        self.buffers[buf.0 as usize] = Buffer::Bytes(values);
    }
    /// Writes the first elements of a table of bytes.
    pub(crate) fn upload_bytes(&mut self, buf: Buf, values: &[u8]) {
        let len = self.bytes_len(buf);
        let Buffer::Bytes(bytes) = &mut self.buffers[buf.0 as usize] else { panic!("{buf:?} holds floats") };
        bytes.resize(len, 0);
        bytes[..values.len()].copy_from_slice(values);
    }
    fn bytes_len(&self, buf: Buf) -> usize {
        match self.shapes[buf.0 as usize] {
            BufferShape::Table(items, width, PixelType::U8) => items * width,
            other => panic!("{buf:?}: expected a table of bytes, got {other:?}"),
        }
    }
}

/// Packs the panels of a weight, forward and backward.
struct PackWeight<'a> {
    packing: Packing,
    panels: Panels,
    to: [&'a mut [u32]; 2],
    values: &'a [f32],
}

impl WithArithmetic for PackWeight<'_> {
    #[inline(always)]
    fn with_arithmetic<S: Simd, A: Arithmetic>(self, simd: S, arithmetic: A) {
        let PackWeight { packing, panels, to: [forward, backward], values } = self;
        for panel in 0..panels.count() {
            let [at, back] = packing.weight(panels, panel, 0..panels.inp).expect("it is packed");
            let to = [&mut forward[at], &mut backward[back]];
            arithmetic.pack_weight(simd, to, &values[panels.panel(panel)], panels.width(panel));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::backend::{Backend, Cpu, InstructionSet};
    use crate::plan::{Activation, Activations, Op, Plan, Precision, Program};

    #[test]
    #[should_panic(expected = "expected Activations(3), got Param([1, 3])")]
    fn a_handle_forged_onto_a_parameter_is_refused() {
        let mut plan = Plan::new(4);
        let (y, b) = (plan.rows(1, 3), plan.bias("b", 3, 1));
        let forged = Activations { buf: b.buf, ..y };
        let program = Program::forward(vec![Op::ActivationBack { dy: forged, y, act: Activation::Relu }]);
        let mut cpu = Cpu::new(&plan, 1, Precision::Fp32, InstructionSet::available()[0]).unwrap();
        cpu.state().items = 4;
        let program = cpu.compile(&program).unwrap();
        cpu.run(program, 1).unwrap();
    }
}
