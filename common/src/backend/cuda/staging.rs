//! Copies between the host and the device, in the order of the stream.
//!
//! They go through a room of page-locked memory, which the device reads and writes by itself while the host goes on. An
//! upload takes the next place in it and returns; a place is free again when the stream has passed it, which is known
//! whenever the stream was waited for: then all of it is. What is larger than the room (a set of images, a large weight), or
//! finds none, is copied from where it lies, and waited for.
#![allow(unsafe_code)] // the device reads and writes memory of the host

use super::stream::Stream;
use crate::Result;
use cust::memory::{DeviceCopy, DeviceSlice, cuda_free_locked, cuda_malloc_locked};
use std::cell::Cell;

/// The stream of a plan, and the room of its copies.
pub(super) struct Staging {
    stream: Stream,
    /// None where the system locks no more pages.
    room: Option<Room>,
    /// Bytes from its start that the stream may not have passed.
    taken: Cell<usize>,
}

/// Bytes of the room: some batches of small images, and far less than a system gives.
pub(super) const ROOM: usize = 8 << 20;
/// A place begins on a cache line of its own.
const LINE: usize = 128;

/// Page-locked memory.
struct Room(*mut u8);

// SAFETY: it is used through the one `Staging` that owns it.
unsafe impl Send for Room {}

impl Drop for Room {
    fn drop(&mut self) {
        // SAFETY: it was allocated so, and is not used afterwards. If it fails, the GPU is lost with it.
        let _ = unsafe { cuda_free_locked(self.0) };
    }
}

impl Staging {
    pub(super) fn new() -> Result<Staging> {
        // SAFETY: what is in the room is only read where it was written.
        let room = unsafe { cuda_malloc_locked(ROOM) }.ok().map(Room);
        Ok(Staging { stream: Stream::new()?, room, taken: Cell::new(0) })
    }
    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }
    /// Waits until all is done that was asked for.
    pub(super) fn wait(&self) -> Result<()> {
        self.stream.wait()?;
        self.taken.set(0);
        Ok(())
    }
    /// A place in the room; none where there is none so large.
    fn place(&self, bytes: usize) -> Result<Option<*mut u8>> {
        let Some(Room(room)) = self.room.as_ref().filter(|_| bytes <= ROOM) else { return Ok(None) };
        if bytes > ROOM - self.taken.get() {
            self.wait()?;
        }
        let at = self.taken.get();
        self.taken.set((at + bytes).next_multiple_of(LINE).min(ROOM));
        // SAFETY: the place ends in the room.
        Ok(Some(unsafe { room.add(at) }))
    }
    /// Copies values to the front of a place on the device. They are taken at once, and arrive before what is asked for next.
    pub(super) fn upload<T: DeviceCopy>(&self, to: &DeviceSlice<T>, values: &[T]) -> Result<()> {
        assert!(values.len() <= to.len(), "expected at most {} values, got {}", to.len(), values.len());
        let (to, from, bytes) = (to.as_device_ptr().as_raw(), values.as_ptr().cast::<u8>(), size_of_val(values));
        if bytes == 0 {
            return Ok(());
        }
        match self.place(bytes)? {
            // SAFETY: the place has so many bytes, and nobody has it until the stream has passed it.
            Some(place) => unsafe {
                place.copy_from_nonoverlapping(from, bytes);
                self.stream.upload(to, place, bytes)
            },
            None => {
                // SAFETY: the values stay until they are copied.
                let asked = unsafe { self.stream.upload(to, from, bytes) };
                asked.and(self.wait())
            }
        }
    }
    /// Copies the first values of a place on the device, after all that was asked for before.
    pub(super) fn download(&self, from: &DeviceSlice<f32>, into: &mut [f32]) -> Result<()> {
        assert!(into.len() <= from.len(), "expected at most {} values, got {}", from.len(), into.len());
        let (from, to, bytes) = (from.as_device_ptr().as_raw(), into.as_mut_ptr().cast::<u8>(), size_of_val(into));
        if bytes == 0 {
            return Ok(());
        }
        let place = self.place(bytes)?;
        // SAFETY: both have so many bytes, and nobody uses them until they are copied. Any bits are a float.
        unsafe {
            let asked = self.stream.download(place.unwrap_or(to), from, bytes);
            asked.and(self.wait())?;
            if let Some(place) = place {
                to.copy_from_nonoverlapping(place, bytes);
            }
        }
        Ok(())
    }
}
