//! Standard input and output as files.
//!
//! `tool >&-` must be an error before any work, but Rust's runtime replaces a closed standard descriptor by `/dev/null` before
//! `main` runs. So an initialiser of the program records the state of descriptor 1 before that.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

static STDOUT_WAS_OPEN: AtomicBool = AtomicBool::new(true);

extern "C" fn record_stdout() {
    // SAFETY: fcntl only reads the flags of the descriptor; a closed one gives an error.
    let stdout = unsafe { BorrowedFd::borrow_raw(1) };
    STDOUT_WAS_OPEN.store(rustix::io::fcntl_getfd(stdout).is_ok(), Ordering::Relaxed);
}

// SAFETY: the loader calls the functions of this section once, before `main`. This one makes a system call and a store, which
// need nothing of Rust's runtime.
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
static RECORD_STDOUT: extern "C" fn() = record_stdout;

/// Standard output without the lock and the line buffer of [`std::io::stdout`]; an error if it was closed at start.
pub(crate) fn stdout() -> io::Result<File> {
    if !STDOUT_WAS_OPEN.load(Ordering::Relaxed) {
        return Err(io::Error::other("it was closed at the start; give the program a pipe or a file to write to"));
    }
    own(io::stdout().as_fd())
}

/// Closes standard output, so that its reader sees the end before the program ends.
pub(crate) fn close_stdout() -> io::Result<()> {
    let null = File::options().write(true).open("/dev/null")?;
    Ok(rustix::stdio::dup2_stdout(null)?)
}

/// Standard input without the lock and the buffer of [`std::io::stdin`].
pub(crate) fn stdin() -> io::Result<File> {
    own(io::stdin().as_fd())
}

fn own(descriptor: BorrowedFd<'_>) -> io::Result<File> {
    let file = File::from(descriptor.try_clone_to_owned()?);
    // A pipe of 1 MiB, the limit for any user, has several times the throughput of the default 64 KiB. Other files refuse it.
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(&file, 1 << 20);
    Ok(file)
}
