//! A file in memory, for readers that take a path.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{MemfdFlags, memfd_create};

/// A file that is gone when it is dropped.
pub struct MemoryFile(File);

impl MemoryFile {
    /// A file with these bytes.
    pub fn new(bytes: &[u8]) -> MemoryFile {
        let file: OwnedFd = memfd_create("fuzz", MemfdFlags::CLOEXEC).expect("a file in memory");
        let mut file = File::from(file);
        file.write_all(bytes).expect("memory");
        MemoryFile(file)
    }

    /// Its path, for this process.
    pub fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.as_raw_fd()).into()
    }
}
