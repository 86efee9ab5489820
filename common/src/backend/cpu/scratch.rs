//! Scratch memory of a thread.

/// An array that grows to the largest need, aligned to cache lines, so that no vector straddles two.
#[derive(Default)]
pub(crate) struct ScratchVec<T>(Vec<T>);

impl<T: Copy + Default> ScratchVec<T> {
    const LINE: usize = 64;

    /// The first `len` elements: zeros, or what was last written there.
    pub(crate) fn get(&mut self, len: usize) -> &mut [T] {
        let needed = len + Self::LINE / size_of::<T>();
        if self.0.len() < needed {
            self.0 = vec![T::default(); needed];
        }
        let start = self.0.as_ptr().align_offset(Self::LINE);
        &mut self.0[start..start + len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_is_aligned_and_keeps_what_is_written() {
        let mut scratch = ScratchVec::default();
        for len in [0, 1, 1000, 17, 300_000, 5] {
            let values: &mut [f32] = scratch.get(len);
            assert!(values.len() == len && values.as_ptr().addr().is_multiple_of(64));
            values.fill(1.0);
        }
        assert_eq!(scratch.get(300_000)[17..], [1.0; 300_000 - 17]);
    }
}
