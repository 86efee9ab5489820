//! Copies between host and device, in stream order, through page-locked memory.
//!
//! The device copies from and to page-locked memory by DMA, asynchronously. An upload reserves a range of a
//! bump-allocated buffer, copies its values there and returns; synchronizing the stream frees all ranges. A copy larger
//! than the buffer (a set of images, a large weight), or without one, is made from pageable memory and synchronized.
#![allow(unsafe_code)] // DMA from and to host memory

use super::stream::Stream;
use crate::Result;
use cust::memory::{DeviceCopy, DeviceSlice, cuda_free_locked, cuda_malloc_locked};
use std::cell::Cell;

/// The stream of a plan, with the page-locked buffer of its copies.
pub(super) struct Pinned {
    stream: Stream,
    /// None where the system locks no more pages.
    buffer: Option<Buffer>,
    /// Bytes reserved, from the start of the buffer.
    reserved: Cell<usize>,
}

/// Bytes of the buffer: a few batches of small images, far below the limits of systems.
const CAPACITY: usize = 8 << 20;
/// Ranges are aligned to cache lines.
const ALIGNMENT: usize = 128;

/// Page-locked memory.
struct Buffer(*mut u8);

// SAFETY: only the one `Pinned` that owns it has the pointer.
unsafe impl Send for Buffer {}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated by cuda_malloc_locked, freed once. On failure the context is lost, and the memory with it.
        let _ = unsafe { cuda_free_locked(self.0) };
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // Queued copies read and write the buffer, which cuMemFreeHost does not wait for. On failure the context is
        // lost.
        let _ = self.wait();
    }
}

impl Pinned {
    pub(super) fn new() -> Result<Pinned> {
        // SAFETY: bytes of the buffer are written before they are read.
        let buffer = unsafe { cuda_malloc_locked(CAPACITY) }.ok().map(Buffer);
        Ok(Pinned { stream: Stream::new()?, buffer, reserved: Cell::new(0) })
    }
    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }
    /// Synchronizes the stream.
    pub(super) fn wait(&self) -> Result<()> {
        self.stream.wait()?;
        self.reserved.set(0);
        Ok(())
    }
    /// Reserves `bytes` of the page-locked buffer; None if it can never fit.
    fn reserve(&self, bytes: usize) -> Result<Option<*mut u8>> {
        let Some(Buffer(buffer)) = self.buffer.as_ref().filter(|_| bytes <= CAPACITY) else { return Ok(None) };
        if bytes > CAPACITY - self.reserved.get() {
            self.wait()?;
        }
        let at = self.reserved.get();
        self.reserved.set((at + bytes).next_multiple_of(ALIGNMENT).min(CAPACITY));
        // SAFETY: at + bytes <= CAPACITY.
        Ok(Some(unsafe { buffer.add(at) }))
    }
    /// Copies values to the front of a device slice, asynchronously; `values` may change on return.
    pub(super) fn upload<T: DeviceCopy>(&self, to: &DeviceSlice<T>, values: &[T]) -> Result<()> {
        assert!(values.len() <= to.len(), "expected at most {} values, got {}", to.len(), values.len());
        let (to, from, bytes) = (to.as_device_ptr().as_raw(), values.as_ptr().cast::<u8>(), size_of_val(values));
        if bytes == 0 {
            return Ok(());
        }
        match self.reserve(bytes)? {
            // SAFETY: source, range and destination have `bytes` bytes; the range stays reserved until the stream is
            // synchronized.
            Some(range) => unsafe {
                range.copy_from_nonoverlapping(from, bytes);
                self.stream.upload(to, range, bytes)
            },
            None => {
                // SAFETY: source and destination have `bytes` bytes; `values` is borrowed until the stream is
                // synchronized.
                let copied = unsafe { self.stream.upload(to, from, bytes) };
                copied.and(self.wait())
            }
        }
    }
    /// Copies the first values of a device slice, and synchronizes.
    pub(super) fn download(&self, from: &DeviceSlice<f32>, into: &mut [f32]) -> Result<()> {
        assert!(into.len() <= from.len(), "expected at most {} values, got {}", from.len(), into.len());
        let (from, to, bytes) = (from.as_device_ptr().as_raw(), into.as_mut_ptr().cast::<u8>(), size_of_val(into));
        if bytes == 0 {
            return Ok(());
        }
        let range = self.reserve(bytes)?;
        // SAFETY: source, range and destination have `bytes` bytes, and are not accessed until the stream is
        // synchronized. All bit patterns are valid f32.
        unsafe {
            let copied = self.stream.download(range.unwrap_or(to), from, bytes);
            copied.and(self.wait())?;
            if let Some(range) = range {
                to.copy_from_nonoverlapping(range, bytes);
            }
        }
        Ok(())
    }
}
