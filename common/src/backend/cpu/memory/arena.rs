//! A bump allocator of zeroed, cache-line aligned memory on huge pages: GEMMs stream megabytes of weights, and a TLB
//! miss stalls them.

use crate::hugepages;
use crate::{Error, Result};
use memmap2::MmapRaw;

/// Chunks of anonymous memory, unmapped on drop.
pub(crate) struct Arena {
    chunks: Vec<MmapRaw>,
    /// The offset of the free part of the last chunk.
    at: usize,
    /// The smallest size of the next chunk.
    capacity: usize,
}

impl Arena {
    /// The alignment of buffers, a cache line, so that no vector straddles two.
    const LINE: usize = 64;

    /// The first chunk will have `capacity` bytes or more. Untouched pages cost nothing.
    pub(crate) fn new(capacity: usize) -> Arena {
        Arena { chunks: vec![], at: 0, capacity }
    }

    /// Allocates `len` values of zero bits.
    ///
    /// # Errors
    /// [`Error::Allocation`] where the system has no memory.
    pub(crate) fn zeros<T>(&mut self, len: usize) -> Result<*mut T> {
        assert!(align_of::<T>() <= Self::LINE);
        let bytes = len.saturating_mul(size_of::<T>());
        if self.chunks.last().is_none_or(|chunk| bytes > chunk.len().saturating_sub(self.at)) {
            let size = bytes.max(std::mem::replace(&mut self.capacity, 1));
            let chunk = hugepages::zeros(size).map_err(|source| Error::Allocation { bytes: size, source })?;
            self.at = 0;
            self.chunks.push(MmapRaw::from(chunk));
        }
        let chunk = self.chunks.last().expect("there is one now");
        // Within the chunk, by the comparison of its length.
        let start = chunk.as_mut_ptr().wrapping_add(self.at);
        self.at = (self.at + bytes).next_multiple_of(Self::LINE);
        Ok(start.cast())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_zero_aligned_and_disjoint() {
        let mut arena = Arena::new(1000);
        let lens = [0, 1, 17, 1 << 20, 5, 300_000];
        let starts: Vec<(usize, usize)> =
            lens.iter().map(|len| (arena.zeros::<f32>(*len).unwrap() as usize, *len * 4)).collect();
        for (i, (start, bytes)) in starts.iter().enumerate() {
            assert_eq!(start % 64, 0);
            assert!(starts[..i].iter().all(|(other, len)| start + bytes <= *other || other + len <= *start));
        }
        for (start, bytes) in starts {
            // SAFETY: that many bytes were allocated there.
            #[allow(unsafe_code)]
            let values = unsafe { std::slice::from_raw_parts(start as *const u8, bytes) };
            assert!(values.iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn memory_that_the_system_has_not_is_an_error() {
        for len in [1 << 45, 1 << 62, usize::MAX] {
            let error = Arena::new(0).zeros::<f32>(len).unwrap_err().to_string();
            assert!(error.contains("the system gives no"), "{error}");
        }
    }
}
