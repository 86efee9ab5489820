//! The buffers of a plan on the device. An address is handed out only to who names the kind and the geometry of its buffer.

use super::call::Address;
use super::gpu::{failed, free_memory, text};
use super::staging::Staging;
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
    pub(super) images: usize,
}

impl Memory {
    /// All zero.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the GPU has not so much.
    pub(super) fn new(plan: &Plan, stream: &Stream) -> Result<Memory> {
        let values = |kind: &BufferShape| match *kind {
            BufferShape::Activations(width) => plan.batch * width,
            BufferShape::Param([inp, out]) | BufferShape::Moment([inp, out]) => inp * out,
            BufferShape::Table(items, width, _) => items * width,
        };
        let bytes = |kind: &BufferShape| values(kind) as u64 * if is_bytes(kind) { 1 } else { 4 };
        expect_free(plan.shapes().iter().map(bytes).sum())?;
        let buffer = |kind: &BufferShape| {
            Ok(match is_bytes(kind) {
                true => Buffer::Bytes(zeros(values(kind), stream)?),
                false => Buffer::Floats(zeros(values(kind), stream)?),
            })
        };
        let buffers = plan.shapes().iter().map(buffer).collect::<Result<_>>()?;
        Ok(Memory { buffers, shapes: plan.shapes().to_vec(), images: plan.batch })
    }
    fn expect(&self, buf: Buf, kind: BufferShape) -> Address {
        let got = self.shapes[buf.0 as usize];
        assert!(got == kind, "{buf:?}: expected {kind:?}, got {got:?}");
        match &self.buffers[buf.0 as usize] {
            Buffer::Floats(values) => values.as_device_ptr().as_raw(),
            Buffer::Bytes(values) => values.as_device_ptr().as_raw(),
        }
    }
    /// `[N, per, width]`.
    pub(super) fn rows(&self, r: Activations) -> Address {
        self.expect(r.buf, BufferShape::Activations(r.per_image * r.width))
    }
    /// `[in, out]`.
    pub(super) fn param(&self, p: Param) -> Address {
        self.expect(p.buf, BufferShape::Param([p.inp, p.out]))
    }
    /// The same.
    pub(super) fn moments(&self, p: Param) -> [Address; 2] {
        [p.first_moment(), p.second_moment()].map(|buf| self.expect(buf, BufferShape::Moment([p.inp, p.out])))
    }
    /// `[items, width]`.
    pub(super) fn table(&self, t: Table) -> Address {
        self.expect(t.buf, BufferShape::Table(t.items, t.width, t.dtype))
    }
    fn floats(&self, buf: Buf) -> &DeviceBuffer<f32> {
        match &self.buffers[buf.0 as usize] {
            Buffer::Floats(values) => values,
            Buffer::Bytes(_) => panic!("expected floats, got bytes: {buf:?}"),
        }
    }
    /// Writes the first values of a buffer.
    pub(super) fn fill(&mut self, buf: Buf, values: &[f32], staging: &Staging) -> Result<()> {
        staging.upload(self.floats(buf), values)
    }
    /// Writes the first elements of a table of bytes.
    pub(super) fn fill_bytes(&mut self, buf: Buf, values: &[u8], staging: &Staging) -> Result<()> {
        match &self.buffers[buf.0 as usize] {
            Buffer::Bytes(bytes) => {
                assert!(values.len() <= bytes.len(), "{buf:?}: expected {} bytes, got {}", bytes.len(), values.len());
                staging.upload(bytes, values)
            }
            Buffer::Floats(_) => panic!("expected bytes, got floats: {buf:?}"),
        }
    }
    /// Elements of a buffer from `first` on.
    pub(super) fn copy(&self, buf: Buf, first: usize, into: &mut [f32], staging: &Staging) -> Result<()> {
        staging.download(&self.floats(buf).index(first..first + into.len()), into)
    }
    /// Whether no element of a buffer is NaN or infinite.
    pub(super) fn all_finite(&self, buf: Buf, staging: &Staging) -> Result<bool> {
        let mut values = vec![0.0; self.floats(buf).len()];
        self.copy(buf, 0, &mut values, staging)?;
        Ok(values.iter().all(|v| v.is_finite()))
    }
}

fn is_bytes(kind: &BufferShape) -> bool {
    matches!(kind, BufferShape::Table(.., PixelType::U8))
}

/// # Errors
/// [`GpuError::Memory`] where so many bytes are not free.
fn expect_free(needed: u64) -> Result<(), GpuError> {
    let free = free_memory()?;
    if needed <= free {
        return Ok(());
    }
    Err(GpuError::Memory { needed, free })
}

/// So many values of zero bits, at least one, for what comes next on the stream.
pub(super) fn zeros<T: DeviceCopy + Zeroable>(values: usize, stream: &Stream) -> Result<DeviceBuffer<T>> {
    let bytes = values * size_of::<T>();
    let buffer = uninitialized(values).map_err(|e| GpuError::Allocation { bytes, why: text(e) })?;
    stream.zero(&buffer)?;
    Ok(buffer)
}

/// Whatever the bits of so many values are.
fn uninitialized<T: DeviceCopy>(values: usize) -> Result<DeviceBuffer<T>, CudaError> {
    // SAFETY: its callers fill it before anything on the stream reads it.
    #[allow(unsafe_code)]
    unsafe {
        DeviceBuffer::uninitialized(values)
    }
}

/// A list on the device, for which a buffer as long as the longest yet is kept.
pub(super) struct List<T: DeviceCopy>(DeviceBuffer<T>);

impl<T: DeviceCopy> List<T> {
    pub(super) fn new() -> List<T> {
        List(uninitialized(0).expect("nothing is allocated"))
    }
    /// How long it may be where it lies.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
    pub(super) fn pointer(&self) -> DevicePointer<T> {
        self.0.as_device_ptr()
    }
    /// Writes it anew.
    pub(super) fn write(&mut self, values: &[T], staging: &Staging) -> Result<()> {
        if self.0.len() < values.len() {
            staging.wait()?; // somebody may still read the old one
            self.0 = uninitialized(values.len()).map_err(|e| failed("take what a run is", e))?;
        }
        staging.upload(&self.0, values)
    }
}
