//! Standard input and output as files, and reads and writes that wait.
//!
//! `tool >&-` must be an error before any work, but Rust's runtime replaces a closed standard descriptor by `/dev/null` before
//! `main` runs. So an initialiser of the program records the state of descriptor 1 before that.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, poll};

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
    Ok(rustix::io::retry_on_intr(|| rustix::stdio::dup2_stdout(&null))?)
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

/// A descriptor whose reads and writes wait until they can be done. Another process that shares its description, such as one
/// at the same terminal, may have set O_NONBLOCK; the flag is its own, and stays.
pub(crate) struct Blocking<F>(pub(crate) F);

impl<F: AsFd> Blocking<F> {
    fn wait<T>(&mut self, event: PollFlags, mut act: impl FnMut(&mut F) -> io::Result<T>) -> io::Result<T> {
        loop {
            match act(&mut self.0) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    rustix::io::retry_on_intr(|| poll(&mut [PollFd::new(&self.0, event)], None))?;
                }
                result => return result,
            }
        }
    }
}

impl<F: Read + AsFd> Read for Blocking<F> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.wait(PollFlags::IN, |file| file.read(bytes))
    }
}

impl<F: Write + AsFd> Write for Blocking<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wait(PollFlags::OUT, |file| file.write(bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.wait(PollFlags::OUT, |file| file.write_vectored(slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.wait(PollFlags::OUT, F::flush)
    }
}
