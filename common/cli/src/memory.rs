//! Main memory.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Cursor, Write};

use crate::error::UNAVAILABLE;
use crate::{Error, Result, program};

/// The system's allocator, which ends the program where memory is missing. The standard library would abort it, and other
/// libraries panic.
struct Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller holds the contract.
        expect(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller holds the contract.
        expect(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller holds the contract.
        expect(unsafe { System.realloc(memory, layout, size) }, size)
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller holds the contract.
        unsafe { System.dealloc(memory, layout) }
    }
}

fn expect(memory: *mut u8, bytes: usize) -> *mut u8 {
    if memory.is_null() { exhausted(bytes) } else { memory }
}

/// Ends the program without a single allocation.
#[cold]
fn exhausted(bytes: usize) -> ! {
    let mut line = Cursor::new([0; 256]);
    let tool = program::known_name();
    let remedy = "give it more (ulimit -v), or less to do";
    let _ = writeln!(line, "{tool}: out of memory: the system refused {bytes} bytes; {remedy}");
    let length = line.position() as usize;
    let _ = rustix::io::write(rustix::stdio::stderr(), &line.get_ref()[..length]);
    signal_hook::low_level::exit(UNAVAILABLE.into())
}

/// Checks that the machine has `needed` bytes of memory.
///
/// # Errors
/// [`Error::Unavailable`], with the remedy, if it has less.
pub fn expect_memory(needed: u64, remedy: &str) -> Result<()> {
    let total = total();
    if needed <= total {
        return Ok(());
    }
    Err(Error::Unavailable(format!(
        "this needs {} MB of memory: expected at most the {} MB of this machine; {remedy}",
        needed >> 20,
        total >> 20
    )))
}

/// Bytes of main memory; u64::MAX, unknown, outside Linux.
pub fn total() -> u64 {
    #[cfg(target_os = "linux")]
    {
        let info = rustix::system::sysinfo();
        info.totalram as u64 * info.mem_unit as u64
    }
    #[cfg(not(target_os = "linux"))]
    u64::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_no_machine_has_is_refused_with_a_remedy() {
        assert!(expect_memory(1 << 20, "").is_ok());
        let error = expect_memory(u64::MAX, "make it smaller").unwrap_err();
        assert_eq!(error.exit_code(), 69);
        assert!(error.to_string().ends_with("MB of this machine; make it smaller"), "{error}");
    }
}
