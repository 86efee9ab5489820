//! The packed layout of a weight: `[in, out]` cut into panels of columns, each as wide as one microkernel tile.
//!
//! ```text
//! panel 0            panel 1            last panel
//! [in, W]            [in, W]       …    [in, w]      w: whole vectors, up to W, zero-padded beyond `out`
//! ```
//!
//! W is 3 vectors, or the 32 columns of a block for the tiles of AMX.
//!
//! A GEMM streams a panel from front to back. Adam's moments have the same layout, so the optimizer is elementwise. A
//! bias is a weight with one row: contiguous, zero-padded to whole vectors.

use std::ops::Range;

/// Width of a panel, and of the widest forward tile, in vectors.
pub(crate) const VECTORS: usize = 3;

/// The layout of a weight `[inp, out]` for vectors of `lanes`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Panels {
    pub(crate) inp: usize,
    pub(crate) out: usize,
    pub(crate) lanes: usize,
    /// W.
    pub(crate) width: usize,
}

impl Panels {
    pub(crate) fn new([inp, out]: [usize; 2], lanes: usize) -> Panels {
        Panels { inp, out, lanes, width: VECTORS * lanes }
    }
    /// Number of values, padding included.
    pub(crate) fn values(self) -> usize {
        self.inp * self.out.next_multiple_of(self.lanes)
    }
    /// Number of panels.
    pub(crate) fn count(self) -> usize {
        self.out.div_ceil(self.width)
    }
    /// The columns of a panel, without padding.
    pub(crate) fn columns(self, panel: usize) -> Range<usize> {
        let first = panel * self.width;
        first..self.out.min(first + self.width)
    }
    /// Width of a panel in values, padding included.
    pub(crate) fn width(self, panel: usize) -> usize {
        self.columns(panel).len().next_multiple_of(self.lanes)
    }
    /// The range of some rows of a panel.
    pub(crate) fn rows(self, panel: usize, rows: Range<usize>) -> Range<usize> {
        let (start, width) = (panel * self.width * self.inp, self.width(panel));
        start + rows.start * width..start + rows.end * width
    }
    /// The range of a whole panel.
    pub(crate) fn panel(self, panel: usize) -> Range<usize> {
        self.rows(panel, 0..self.inp)
    }
    /// Each row of each panel: its range in the panels, and in row-major `[in, out]`.
    fn segments(self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        (0..self.count()).flat_map(move |panel| {
            let columns = self.columns(panel);
            (0..self.inp).map(move |i| {
                let at = self.rows(panel, i..i + 1).start;
                (at..at + columns.len(), i * self.out + columns.start..i * self.out + columns.end)
            })
        })
    }
    /// The layout after packing `values` rows into each element.
    pub(crate) fn packed(self, values: usize) -> Panels {
        Panels { inp: self.inp.div_ceil(values), ..self }
    }
    /// Packs row-major `[in, out]` into panels.
    pub(crate) fn pack(self, panels: &mut [f32], row_major: &[f32]) {
        assert_eq!((panels.len(), row_major.len()), (self.values(), self.inp * self.out));
        self.segments().for_each(|(at, from)| panels[at].copy_from_slice(&row_major[from]));
    }
    /// Unpacks panels to row-major `[in, out]`.
    pub(crate) fn unpack(self, row_major: &mut [f32], panels: &[f32]) {
        assert_eq!((panels.len(), row_major.len()), (self.values(), self.inp * self.out));
        self.segments().for_each(|(at, to)| row_major[to].copy_from_slice(&panels[at]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_and_unpacking_give_the_weight_back_and_pad_with_zeros() {
        for (inp, out, lanes) in [(1, 1, 16), (3, 48, 16), (5, 49, 16), (2, 784, 16), (7, 40, 8), (4, 5, 1)] {
            let panels = Panels::new([inp, out], lanes);
            let plain: Vec<f32> = (1..=inp * out).map(|i| i as f32).collect();
            let (mut packed, mut back) = (vec![0.0; panels.values()], vec![0.0; inp * out]);
            panels.pack(&mut packed, &plain);
            panels.unpack(&mut back, &packed);
            assert_eq!(back, plain);
            assert_eq!(packed.iter().filter(|v| **v != 0.0).count(), inp * out);
            let covered: usize = (0..panels.count()).map(|p| panels.panel(p).len()).sum();
            assert_eq!(covered, panels.values());
        }
    }
}
