//! The CUDA stream of a plan. It is non-blocking: streams of two plans synchronize neither with each other nor with the
//! legacy default stream, so that one may copy while the other computes.
#![allow(unsafe_code)] // cust clears the flag of non-blocking streams

use super::args::Address;
use super::gpu::failed;
use crate::Result;
use cust::function::{BlockSize, Function, GridSize};
use cust::memory::{DeviceBuffer, DeviceCopy, DevicePointer};
use cust::sys::{self, CUresult, CUstream, CUstream_flags};
use std::ffi::{CStr, c_char, c_void};
use std::ptr::null_mut;

/// A stream. All methods but [`wait`](Stream::wait) are asynchronous.
pub(super) struct Stream(CUstream);

// SAFETY: a stream may be used from any thread with its context.
unsafe impl Send for Stream {}

impl Stream {
    pub(super) fn new() -> Result<Stream> {
        let mut stream = null_mut();
        let flags = CUstream_flags::CU_STREAM_NON_BLOCKING as u32;
        // SAFETY: `stream` is an out parameter.
        check("create a stream", unsafe { sys::cuStreamCreate(&mut stream, flags) })?;
        Ok(Stream(stream))
    }
    pub(super) fn raw(&self) -> CUstream {
        self.0
    }
    /// Synchronizes. Errors of asynchronous work surface here.
    pub(super) fn wait(&self) -> Result<()> {
        // SAFETY: the stream is valid until it is dropped.
        check("run a step", unsafe { sys::cuStreamSynchronize(self.0) })
    }
    /// Launches a kernel, with the signature that `cust::launch!` expects.
    ///
    /// # Safety
    /// The arguments match the signature of the kernel, and device memory that they point to outlives the launch.
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
        // SAFETY: the caller's; the driver copies the arguments before it returns.
        check("launch a kernel", unsafe {
            sys::cuLaunchKernel(kernel.to_raw(), x, y, z, tx, ty, tz, shared, self.0, arguments, none)
        })
    }
    /// Copies bytes to the device.
    ///
    /// # Safety
    /// Both sides have `bytes` bytes, and `from` is not written until the stream is synchronized.
    pub(super) unsafe fn upload(&self, to: Address, from: *const u8, bytes: usize) -> Result<()> {
        // SAFETY: the caller's.
        check("copy values to its memory", unsafe { sys::cuMemcpyHtoDAsync_v2(to, from.cast(), bytes, self.0) })
    }
    /// Copies bytes from the device.
    ///
    /// # Safety
    /// Both sides have `bytes` bytes, and `to` is not accessed until the stream is synchronized.
    pub(super) unsafe fn download(&self, to: *mut u8, from: Address, bytes: usize) -> Result<()> {
        // SAFETY: the caller's.
        check("copy values from its memory", unsafe { sys::cuMemcpyDtoHAsync_v2(to.cast(), from, bytes, self.0) })
    }
    /// Zeroes a buffer.
    pub(super) fn zero<T: DeviceCopy>(&self, buffer: &DeviceBuffer<T>) -> Result<()> {
        let (at, bytes): (DevicePointer<T>, usize) = (buffer.as_device_ptr(), buffer.len() * size_of::<T>());
        // SAFETY: the buffer has `bytes` bytes, and cuMemFree waits for pending work.
        check("clear its memory", unsafe { sys::cuMemsetD8Async(at.as_raw(), 0, bytes, self.0) })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: destroyed once; the driver completes pending work.
        unsafe { sys::cuStreamDestroy_v2(self.0) };
    }
}

/// The result of a driver call.
pub(super) fn check(doing: &str, result: CUresult) -> Result<()> {
    match result {
        CUresult::CUDA_SUCCESS => Ok(()),
        error => Err(failed(doing, message(error)).into()),
    }
}

/// The driver's message for an error.
fn message(error: CUresult) -> String {
    let mut text = null_mut::<c_char>().cast_const();
    // SAFETY: the driver returns null or a static string.
    unsafe {
        sys::cuGetErrorString(error, &mut text);
        if text.is_null() { format!("{error:?}") } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
    }
}
