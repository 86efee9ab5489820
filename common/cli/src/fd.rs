//! The one file that handles raw descriptors.
//!
//! `tool >&-` must be an error before any work, but Rust's runtime opens `/dev/null` in the place of a closed standard
//! descriptor before `main` runs. So the state of descriptor 1 is recorded earlier, by an initialiser of the program.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

static STDOUT_WAS_OPEN: AtomicBool = AtomicBool::new(true);

extern "C" fn record_stdout() {
    // SAFETY: the descriptor is only asked for its flags; if it is closed, the answer is an error and nothing more.
    let stdout = unsafe { BorrowedFd::borrow_raw(1) };
    STDOUT_WAS_OPEN.store(rustix::io::fcntl_getfd(stdout).is_ok(), Ordering::Relaxed);
}

// SAFETY: the section holds functions of this type, which the loader calls once before `main`; this one needs nothing of
// Rust's runtime: a system call and a store.
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

/// Lets go of standard output, so that whoever reads it sees its end now and not only when the program ends.
pub(crate) fn close_stdout() -> io::Result<()> {
    let nowhere = File::options().write(true).open("/dev/null")?;
    Ok(rustix::stdio::dup2_stdout(nowhere)?)
}

/// Standard input without the lock and the buffer of [`std::io::stdin`].
pub(crate) fn stdin() -> io::Result<File> {
    own(io::stdin().as_fd())
}

fn own(descriptor: BorrowedFd<'_>) -> io::Result<File> {
    let file = File::from(descriptor.try_clone_to_owned()?);
    // 1 MiB, which Linux allows everyone, gives several times the throughput of the usual 64 KiB. What is no pipe says so.
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(&file, 1 << 20);
    Ok(file)
}
