//! Page-locked host memory. An allocation ends, up to alignment, at a page that nobody may touch.
#![allow(unsafe_code)] // host memory by its address

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use std::collections::BTreeMap;
use std::ptr::null_mut;

const PAGE: usize = 4096;

/// The first page of an allocation, and the bytes of its pages.
struct Pages {
    base: usize,
    bytes: usize,
}

/// Allocations by address.
#[derive(Default)]
pub(super) struct PageLocked(BTreeMap<usize, Pages>);

impl PageLocked {
    /// The address of memory filled with ones (NaN).
    pub(super) fn allocate(&mut self, size: usize) -> Option<usize> {
        let bytes = size.checked_next_multiple_of(PAGE)?;
        // SAFETY: new pages, of which the last is out of use; all others are written.
        let base = unsafe {
            let base =
                mmap_anonymous(null_mut(), bytes + PAGE, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE).ok()?;
            mprotect(base.byte_add(bytes), PAGE, MprotectFlags::empty()).ok()?;
            base.cast::<u8>().write_bytes(0xff, bytes);
            base as usize
        };
        let address = base + bytes - size.next_multiple_of(16);
        self.0.insert(address, Pages { base, bytes });
        Some(address)
    }
    pub(super) fn free(&mut self, address: usize) -> bool {
        let Some(Pages { base, bytes }) = self.0.remove(&address) else { return false };
        // SAFETY: these pages were mapped by `allocate`, and the program that frees them has no use for them.
        unsafe { munmap(base as *mut _, bytes + PAGE) }.is_ok()
    }
    /// The allocation that a range lies in.
    pub(super) fn find(&self, address: usize, bytes: usize) -> Option<usize> {
        let (allocation, pages) = self.0.range(..=address).next_back()?;
        (address + bytes <= pages.base + pages.bytes).then_some(*allocation)
    }
    pub(super) fn is_allocated(&self, allocation: usize) -> bool {
        self.0.contains_key(&allocation)
    }
}

/// Copies from the host memory of a program under test, as a driver does.
pub(super) fn copy_from_host(to: &mut [u8], address: usize) {
    // SAFETY: the caller of cuMemcpyHtoDAsync keeps `to.len()` bytes there until it synchronizes, and does not write them.
    unsafe { std::ptr::copy_nonoverlapping(address as *const u8, to.as_mut_ptr(), to.len()) }
}

/// Copies to it.
pub(super) fn copy_to_host(address: usize, from: &[u8]) {
    // SAFETY: the caller of cuMemcpyDtoHAsync keeps `from.len()` bytes there until it synchronizes, and does not use them.
    unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), address as *mut u8, from.len()) }
}
