//! Main memory for buffers, in pages as large as the system has: products walk through megabytes of weights, and a page
//! that the CPU has to look up is waited for.

use crate::pages;
use crate::{Error, Result};
use memmap2::MmapRaw;

/// What buffers are cut from. It is given back when the arena is dropped.
pub(super) struct Arena {
    chunks: Vec<MmapRaw>,
    /// Where the free part of the last chunk begins.
    at: usize,
    least: usize,
}

impl Arena {
    /// The size of a cache line, to which buffers are aligned: no vector straddles two.
    const LINE: usize = 64;

    /// Takes `least` bytes from the system at first, or more. Pages that nothing touches cost nothing.
    pub(super) fn new(least: usize) -> Arena {
        Arena { chunks: vec![], at: 0, least }
    }

    /// The start of `len` values of zero bits, and of nothing else.
    ///
    /// # Errors
    /// [`Error::Allocation`] where the system refuses.
    pub(super) fn zeros<T>(&mut self, len: usize) -> Result<*mut T> {
        assert!(align_of::<T>() <= Self::LINE);
        let bytes = len.saturating_mul(size_of::<T>());
        if self.chunks.last().is_none_or(|chunk| bytes > chunk.len().saturating_sub(self.at)) {
            let size = bytes.max(std::mem::replace(&mut self.least, 1));
            let chunk = pages::zeros(size).map_err(|source| Error::Allocation { bytes: size, source })?;
            self.at = 0;
            self.chunks.push(MmapRaw::from(chunk));
        }
        let chunk = self.chunks.last().expect("there is one now");
        // It lies within the chunk, whose length was compared.
        let start = chunk.as_mut_ptr().wrapping_add(self.at);
        self.at = (self.at + bytes).next_multiple_of(Self::LINE);
        Ok(start.cast())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_zero_aligned_and_apart() {
        let mut arena = Arena::new(1000);
        let lens = [0, 1, 17, 1 << 20, 5, 300_000];
        let starts: Vec<(usize, usize)> =
            lens.iter().map(|len| (arena.zeros::<f32>(*len).unwrap() as usize, *len * 4)).collect();
        for (i, (start, bytes)) in starts.iter().enumerate() {
            assert_eq!(start % 64, 0);
            assert!(starts[..i].iter().all(|(other, len)| start + bytes <= *other || other + len <= *start));
        }
        for (start, bytes) in starts {
            // SAFETY: so much was asked for there.
            #[allow(unsafe_code)]
            let values = unsafe { std::slice::from_raw_parts(start as *const u8, bytes) };
            assert!(values.iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn memory_that_the_system_refuses_is_an_error() {
        for len in [1 << 45, 1 << 62, usize::MAX] {
            let error = Arena::new(0).zeros::<f32>(len).unwrap_err().to_string();
            assert!(error.contains("the system gives no"), "{error}");
        }
    }
}
