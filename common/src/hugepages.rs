//! Anonymous memory on huge pages, where the system has them. The first access to a page of 4 KiB costs about 2 µs,
//! more than reading and hashing it.

use memmap2::{MmapMut, MmapOptions};
use std::io::{self, ErrorKind, Read};
use std::ops::Deref;

/// The size of a huge page. The system aligns maps of this size to it.
const HUGE_PAGE: usize = 2 << 20;

/// The contents of a file.
pub struct Pages {
    map: MmapMut,
    len: usize,
}

impl Pages {
    /// Reads `input` to its end, expecting about that many bytes.
    ///
    /// # Errors
    /// An error of the system.
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

/// At least that many zero bytes. Untouched pages cost nothing.
pub(crate) fn zeros(bytes: usize) -> io::Result<MmapMut> {
    let huge = bytes >= HUGE_PAGE;
    let len = if huge { bytes.checked_next_multiple_of(HUGE_PAGE).unwrap_or(bytes) } else { bytes };
    let map = MmapOptions::new().len(len).map_anon()?;
    #[cfg(target_os = "linux")]
    if huge {
        let _ = map.advise(memmap2::Advice::HugePage); // without, pages are of 4 KiB
    }
    Ok(map)
}
