//! The assignment of items to cells of the grid: sequential, or a row for each class.

use std::collections::BTreeMap;

/// The occupied cells.
#[derive(Debug)]
pub(crate) enum Cells {
    /// Row by row.
    Sequential { nrow: usize, items: usize },
    /// A row for each class, in ascending order, of at most `nrow` items.
    ByClass { nrow: usize, items: Vec<i64>, sizes: BTreeMap<i64, usize> },
}

impl Cells {
    /// An empty grid.
    pub(crate) fn new(nrow: usize, by_class: bool) -> Cells {
        match by_class {
            false => Cells::Sequential { nrow, items: 0 },
            true => Cells::ByClass { nrow, items: Vec::new(), sizes: BTreeMap::new() },
        }
    }

    /// Appends an item; false if the row of its class is full. A sequential grid ignores the class.
    pub(crate) fn push(&mut self, class: i64) -> bool {
        match self {
            Cells::Sequential { items, .. } => *items += 1,
            Cells::ByClass { nrow, items, sizes } => {
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

    /// Number of items.
    pub(crate) fn len(&self) -> usize {
        match self {
            Cells::Sequential { items, .. } => *items,
            Cells::ByClass { items, .. } => items.len(),
        }
    }

    /// Rows and columns.
    pub(crate) fn shape(&self) -> (usize, usize) {
        match self {
            Cells::Sequential { nrow, items } => (items.div_ceil(*nrow), *nrow.min(items)),
            Cells::ByClass { sizes, .. } => (sizes.len(), sizes.values().copied().max().unwrap_or(0)),
        }
    }

    /// The classes of the rows.
    pub(crate) fn classes(&self) -> Vec<i64> {
        match self {
            Cells::Sequential { .. } => Vec::new(),
            Cells::ByClass { sizes, .. } => sizes.keys().copied().collect(),
        }
    }

    /// Row and column of each item, in stream order.
    pub(crate) fn positions(&self) -> Vec<(usize, usize)> {
        match self {
            Cells::Sequential { nrow, items } => (0..*items).map(|k| (k / nrow, k % nrow)).collect(),
            Cells::ByClass { items, sizes, .. } => {
                let mut rows: BTreeMap<i64, (usize, usize)> =
                    sizes.keys().enumerate().map(|(row, &class)| (class, (row, 0))).collect();
                let position = |class| {
                    let (row, columns) = rows.get_mut(class)?;
                    *columns += 1;
                    Some((*row, *columns - 1))
                };
                items.iter().filter_map(position).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_sequential() {
        let mut cells = Cells::new(2, false);
        assert!((0..3).all(|_| cells.push(9)));
        assert_eq!((cells.len(), cells.shape()), (3, (2, 2)));
        assert_eq!(cells.positions(), [(0, 0), (0, 1), (1, 0)]);
    }

    #[test]
    fn classes_are_rows_in_ascending_order_of_at_most_nrow_items() {
        let mut cells = Cells::new(2, true);
        assert_eq!([7, -1, 7, 7, 3].map(|class| cells.push(class)), [true, true, true, false, true]);
        assert_eq!((cells.len(), cells.shape()), (4, (3, 2)));
        assert_eq!(cells.classes(), [-1, 3, 7]);
        assert_eq!(cells.positions(), [(2, 0), (0, 0), (2, 1), (1, 0)]);
    }
}
