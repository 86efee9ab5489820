//! The buffers of a plan on the device. Each accessor of an address asserts the shape of its buffer.

use super::args::Address;
use super::gpu::{failed, free_memory, text};
use super::pinned::Pinned;
use super::stream::Stream;
use crate::plan::{Activations, Buf, BufferShape, Param, PixelType, Plan, Table};
use crate::{GpuError, Result};
use cust::error::CudaError;
use cust::memory::bytemuck::Zeroable;
use cust::memory::{DeviceBuffer, DeviceCopy, DevicePointer};

enum Buffer {
    Floats(DeviceBuffer<f32>),
    Bytes(DeviceBuffer<u8>),
}

pub(super) struct Memory {
    buffers: Vec<Buffer>,
    shapes: Vec<BufferShape>,
    /// N.
    pub(super) batch: usize,
}

impl Memory {
    /// Zero-initialized buffers.
    ///
    /// # Errors
    /// [`GpuError::Memory`] if the GPU has too little free memory.
    pub(super) fn new(plan: &Plan, stream: &Stream) -> Result<Memory> {
        let values = |shape: &BufferShape| match *shape {
            BufferShape::Activations(width) => plan.batch * width,
            BufferShape::Patches(rows, conv) => plan.batch * rows * conv.patch_len(),
            BufferShape::Param([inp, out]) | BufferShape::Moment([inp, out]) => inp * out,
            BufferShape::Table(items, width, _) => items * width,
        };
        let bytes = |shape: &BufferShape| values(shape) as u64 * if is_bytes(shape) { 1 } else { 4 };
        expect_free(plan.shapes().iter().map(bytes).sum())?;
        let buffer = |shape: &BufferShape| {
            Ok(match is_bytes(shape) {
                true => Buffer::Bytes(zeros(values(shape), stream)?),
                false => Buffer::Floats(zeros(values(shape), stream)?),
            })
        };
        let buffers = plan.shapes().iter().map(buffer).collect::<Result<_>>()?;
        Ok(Memory {
            buffers,
            shapes: plan.shapes().iter().map(|shape| shape.with_patches_in_memory()).collect(),
            batch: plan.batch,
        })
    }
    fn expect(&self, buf: Buf, shape: BufferShape) -> Address {
        let got = self.shapes[buf.0 as usize];
        assert!(got == shape, "{buf:?}: expected {shape:?}, got {got:?}");
        match &self.buffers[buf.0 as usize] {
            Buffer::Floats(values) => values.as_device_ptr().as_raw(),
            Buffer::Bytes(values) => values.as_device_ptr().as_raw(),
        }
    }
    /// `[N, P, width]`.
    pub(super) fn activations(&self, r: Activations) -> Address {
        self.expect(r.buf, BufferShape::Activations(r.per_image * r.width))
    }
    /// `[in, out]`.
    pub(super) fn param(&self, p: Param) -> Address {
        self.expect(p.buf, BufferShape::Param([p.inp, p.out]))
    }
    /// `[in, out]` each.
    pub(super) fn moments(&self, p: Param) -> [Address; 2] {
        [p.first_moment(), p.second_moment()].map(|buf| self.expect(buf, BufferShape::Moment([p.inp, p.out])))
    }
    /// `[items, width]`.
    pub(super) fn table(&self, t: Table) -> Address {
        self.expect(t.buf, BufferShape::Table(t.items, t.width, t.dtype))
    }
    pub(super) fn floats(&self, buf: Buf) -> &DeviceBuffer<f32> {
        match &self.buffers[buf.0 as usize] {
            Buffer::Floats(values) => values,
            Buffer::Bytes(_) => panic!("expected floats, got bytes: {buf:?}"),
        }
    }
    /// Copies values to the front of a buffer.
    pub(super) fn upload(&mut self, buf: Buf, values: &[f32], pinned: &Pinned) -> Result<()> {
        pinned.upload(self.floats(buf), values)
    }
    /// Copies values to the front of a table of bytes.
    pub(super) fn upload_bytes(&mut self, buf: Buf, values: &[u8], pinned: &Pinned) -> Result<()> {
        match &self.buffers[buf.0 as usize] {
            Buffer::Bytes(bytes) => pinned.upload(bytes, values),
            Buffer::Floats(_) => panic!("expected bytes, got floats: {buf:?}"),
        }
    }
    /// Copies values of a buffer, from `first` on.
    pub(super) fn download(&self, buf: Buf, first: usize, into: &mut [f32], pinned: &Pinned) -> Result<()> {
        pinned.download(&self.floats(buf).index(first..first + into.len()), into)
    }
}

fn is_bytes(shape: &BufferShape) -> bool {
    matches!(shape, BufferShape::Table(.., PixelType::U8))
}

/// # Errors
/// [`GpuError::Memory`] if fewer than `needed` bytes are free.
fn expect_free(needed: u64) -> Result<(), GpuError> {
    let free = free_memory()?;
    if needed <= free {
        return Ok(());
    }
    Err(GpuError::Memory { needed, free })
}

/// A zeroed buffer of at least one value, in stream order.
pub(super) fn zeros<T: DeviceCopy + Zeroable>(values: usize, stream: &Stream) -> Result<DeviceBuffer<T>> {
    assert!(values > 0, "a buffer of a plan has a value");
    let bytes = values * size_of::<T>();
    let buffer = uninitialized(values).map_err(|e| GpuError::Allocation { bytes, why: text(e) })?;
    stream.zero(&buffer)?;
    Ok(buffer)
}

/// An uninitialized buffer.
fn uninitialized<T: DeviceCopy>(values: usize) -> Result<DeviceBuffer<T>, CudaError> {
    // SAFETY: callers fill it, in stream order, before it is read.
    #[allow(unsafe_code)]
    unsafe {
        DeviceBuffer::uninitialized(values)
    }
}

/// A growable list on the device.
pub(super) struct List<T: DeviceCopy>(DeviceBuffer<T>);

impl<T: DeviceCopy> List<T> {
    pub(super) fn new() -> List<T> {
        List(uninitialized(0).expect("no allocation for 0 values"))
    }
    /// Values that fit without a reallocation.
    pub(super) fn capacity(&self) -> usize {
        self.0.len()
    }
    pub(super) fn pointer(&self) -> DevicePointer<T> {
        self.0.as_device_ptr()
    }
    /// Replaces the list.
    pub(super) fn write(&mut self, values: &[T], pinned: &Pinned) -> Result<()> {
        if self.0.len() < values.len() {
            pinned.wait()?; // queued kernels may read the old buffer
            self.0 = uninitialized(values.len()).map_err(|e| failed("allocate memory for a run", e))?;
        }
        pinned.upload(&self.0, values)
    }
}
