//! The stream of a plan: what the device does, in turn. Streams of two plans wait for nothing of each other, nor for the
//! legacy default stream, so that one may copy while the other computes.
#![allow(unsafe_code)] // cust makes no such stream: it takes the flag away

use super::call::Address;
use super::gpu::failed;
use crate::Result;
use cust::function::{BlockSize, Function, GridSize};
use cust::memory::{DeviceBuffer, DeviceCopy, DevicePointer};
use cust::sys::{self, CUresult, CUstream, CUstream_flags};
use std::ffi::{CStr, c_char, c_void};
use std::ptr::null_mut;

/// A stream. All of its methods but [`wait`](Stream::wait) may return before what they ask for is done.
pub(super) struct Stream(CUstream);

// SAFETY: a stream may be used from any thread that has its context.
unsafe impl Send for Stream {}

impl Stream {
    pub(super) fn new() -> Result<Stream> {
        let mut stream = null_mut();
        let flags = CUstream_flags::CU_STREAM_NON_BLOCKING as u32;
        // SAFETY: it writes a stream.
        check("make a stream", unsafe { sys::cuStreamCreate(&mut stream, flags) })?;
        Ok(Stream(stream))
    }
    pub(super) fn raw(&self) -> CUstream {
        self.0
    }
    /// Waits until all is done. Here the faults of steps come out.
    pub(super) fn wait(&self) -> Result<()> {
        // SAFETY: the stream lives.
        check("run a step", unsafe { sys::cuStreamSynchronize(self.0) })
    }
    /// Launches a kernel, as `cust::launch!` asks.
    ///
    /// # Safety
    /// The arguments are those of the kernel, and what they point to on the device lives until they are used.
    pub(super) unsafe fn launch(
        &self,
        kernel: &Function,
        blocks: impl Into<GridSize>,
        threads: impl Into<BlockSize>,
        shared: u32,
        arguments: &[*mut c_void],
    ) -> Result<()> {
        let (GridSize { x, y, z }, BlockSize { x: tx, y: ty, z: tz }) = (blocks.into(), threads.into());
        let (arguments, none) = (arguments.as_ptr().cast_mut(), null_mut());
        // SAFETY: as above; the driver copies the arguments.
        check("launch a kernel", unsafe {
            sys::cuLaunchKernel(kernel.to_raw(), x, y, z, tx, ty, tz, shared, self.0, arguments, none)
        })
    }
    /// Copies so many bytes to the device.
    ///
    /// # Safety
    /// Both are so large, and nobody writes to `from` until they are copied.
    pub(super) unsafe fn upload(&self, to: Address, from: *const u8, bytes: usize) -> Result<()> {
        // SAFETY: as above.
        check("take values", unsafe { sys::cuMemcpyHtoDAsync_v2(to, from.cast(), bytes, self.0) })
    }
    /// Copies so many bytes from the device.
    ///
    /// # Safety
    /// Both are so large, and nobody uses `to` until they are copied.
    pub(super) unsafe fn download(&self, to: *mut u8, from: Address, bytes: usize) -> Result<()> {
        // SAFETY: as above.
        check("give values", unsafe { sys::cuMemcpyDtoHAsync_v2(to.cast(), from, bytes, self.0) })
    }
    /// Fills a buffer with zero bits.
    pub(super) fn zero<T: DeviceCopy>(&self, buffer: &DeviceBuffer<T>) -> Result<()> {
        let (at, bytes): (DevicePointer<T>, usize) = (buffer.as_device_ptr(), buffer.len() * size_of::<T>());
        // SAFETY: it has so many bytes, and cuMemFree waits for what the device still does.
        check("clear its memory", unsafe { sys::cuMemsetD8Async(at.as_raw(), 0, bytes, self.0) })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: nobody has it any more; what it has still to do will be done.
        unsafe { sys::cuStreamDestroy_v2(self.0) };
    }
}

/// What a call of the driver has come to.
pub(super) fn check(doing: &str, result: CUresult) -> Result<()> {
    match result {
        CUresult::CUDA_SUCCESS => Ok(()),
        error => Err(failed(doing, said(error)).into()),
    }
}

/// What the driver says of an error.
fn said(error: CUresult) -> String {
    let mut text = null_mut::<c_char>().cast_const();
    // SAFETY: the driver gives null, or a text that lives as long as it does.
    unsafe {
        sys::cuGetErrorString(error, &mut text);
        if text.is_null() { format!("{error:?}") } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
    }
}
