//! Indices of the images of a source.

use std::ops::Range;

/// Indices of images: a range, which takes no memory, or a list.
#[derive(Debug, PartialEq, Eq)]
pub enum Indices {
    /// Consecutive indices.
    Range(Range<usize>),
    /// Any indices.
    List(Vec<usize>),
}

impl Indices {
    /// The number of indices.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        match self {
            Indices::Range(range) => range.end - range.start,
            Indices::List(list) => list.len(),
        }
    }

    /// The index at position `k`.
    ///
    /// # Panics
    /// At or beyond the [length](Indices::len) of a list.
    pub fn get(&self, k: usize) -> usize {
        match self {
            Indices::Range(range) => range.start + k,
            Indices::List(list) => list[k],
        }
    }

    pub(crate) fn slice(self, part: Range<usize>) -> Indices {
        match self {
            Indices::Range(range) => Indices::Range(range.start + part.start..range.start + part.end),
            Indices::List(list) => Indices::List(list[part].to_vec()),
        }
    }
}
