//! Bytes on large pages, where the system has them. A page of 4 KiB costs about 2 µs when it is first touched, more than to
//! read it and to hash it.

use memmap2::{MmapMut, MmapOptions};
use std::io::{self, ErrorKind, Read};
use std::ops::Deref;

/// A large page. The system aligns maps of this size to it.
const LARGE: usize = 2 << 20;

/// Bytes that were read.
pub struct Pages {
    map: MmapMut,
    len: usize,
}

impl Pages {
    /// All that `input` gives: about so many bytes.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(mut input: impl Read, expected: usize) -> io::Result<Pages> {
        let (mut map, mut len) = (zeros((expected + 1).max(1 << 16))?, 0);
        loop {
            if len == map.len() {
                let mut larger = zeros(2 * len)?;
                larger[..len].copy_from_slice(&map);
                map = larger;
            }
            match input.read(&mut map[len..]) {
                Ok(0) => return Ok(Pages { map, len }),
                Ok(n) => len += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

impl Deref for Pages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map[..self.len]
    }
}

/// Zeros, at least so many. Pages that nothing touches cost nothing.
pub(crate) fn zeros(bytes: usize) -> io::Result<MmapMut> {
    let large = bytes >= LARGE;
    let len = if large { bytes.checked_next_multiple_of(LARGE).unwrap_or(bytes) } else { bytes };
    let map = MmapOptions::new().len(len).map_anon()?;
    #[cfg(target_os = "linux")]
    if large {
        let _ = map.advise(memmap2::Advice::HugePage); // or small ones do
    }
    Ok(map)
}
