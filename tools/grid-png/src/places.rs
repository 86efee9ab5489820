//! The place of each item on the grid: one after the other, or in the row of its class.

use std::collections::BTreeMap;

/// The places that are taken so far.
#[derive(Debug)]
pub(crate) enum Places {
    /// Row by row.
    InTurn { nrow: usize, items: usize },
    /// A row for each class, in the order of their values, of at most `nrow` items.
    ByClass { nrow: usize, items: Vec<i64>, sizes: BTreeMap<i64, usize> },
}

impl Places {
    /// No items yet.
    pub(crate) fn new(nrow: usize, by_class: bool) -> Places {
        match by_class {
            false => Places::InTurn { nrow, items: 0 },
            true => Places::ByClass { nrow, items: Vec::new(), sizes: BTreeMap::new() },
        }
    }

    /// Takes a place for one more item; false if its row is full. Its class counts only where there are classes.
    pub(crate) fn take(&mut self, class: i64) -> bool {
        match self {
            Places::InTurn { items, .. } => *items += 1,
            Places::ByClass { nrow, items, sizes } => {
                let size = sizes.entry(class).or_default();
                if *size == *nrow {
                    return false;
                }
                *size += 1;
                items.push(class);
            }
        }
        true
    }

    /// How many are taken.
    pub(crate) fn items(&self) -> usize {
        match self {
            Places::InTurn { items, .. } => *items,
            Places::ByClass { items, .. } => items.len(),
        }
    }

    /// Rows and columns.
    pub(crate) fn size(&self) -> (usize, usize) {
        match self {
            Places::InTurn { nrow, items } => (items.div_ceil(*nrow), *nrow.min(items)),
            Places::ByClass { sizes, .. } => (sizes.len(), sizes.values().copied().max().unwrap_or(0)),
        }
    }

    /// The classes, a row each.
    pub(crate) fn classes(&self) -> Vec<i64> {
        match self {
            Places::InTurn { .. } => Vec::new(),
            Places::ByClass { sizes, .. } => sizes.keys().copied().collect(),
        }
    }

    /// Row and column of every item, in the order in which they came.
    pub(crate) fn each(&self) -> Vec<(usize, usize)> {
        match self {
            Places::InTurn { nrow, items } => (0..*items).map(|k| (k / nrow, k % nrow)).collect(),
            Places::ByClass { items, sizes, .. } => {
                let mut rows: BTreeMap<i64, (usize, usize)> =
                    sizes.keys().enumerate().map(|(row, &class)| (class, (row, 0))).collect();
                let place = |class| {
                    let (row, taken) = rows.get_mut(class)?;
                    *taken += 1;
                    Some((*row, *taken - 1))
                };
                items.iter().filter_map(place).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_lie_one_after_the_other() {
        let mut places = Places::new(2, false);
        assert!((0..3).all(|_| places.take(9)));
        assert_eq!((places.items(), places.size()), (3, (2, 2)));
        assert_eq!(places.each(), [(0, 0), (0, 1), (1, 0)]);
    }

    #[test]
    fn classes_have_a_row_each_in_their_order_and_no_more_than_fits() {
        let mut places = Places::new(2, true);
        assert_eq!([7, -1, 7, 7, 3].map(|class| places.take(class)), [true, true, true, false, true]);
        assert_eq!((places.items(), places.size()), (4, (3, 2)));
        assert_eq!(places.classes(), [-1, 3, 7]);
        assert_eq!(places.each(), [(2, 0), (0, 0), (2, 1), (1, 0)]);
    }
}
