//! How a weight lies in memory: `[in, out]` cut into panels of columns, each as wide as the registers of one product.
//!
//! ```text
//! panel 0            panel 1            last panel
//! [in][W]            [in][W]       …    [in][w]      W = 3 vectors; w = 1 to 3 vectors, zero beyond `out`
//! ```
//!
//! A product reads a panel from front to end. The moments of the optimizer lie likewise, so that it need not know. A bias
//! is a weight with one row, and lies as it is, zero filled to whole vectors.

use super::bf16;
use super::simd::{Level, Simd, Work};
use std::ops::Range;

/// Vectors across a panel.
pub(super) const VECTORS: usize = 3;

/// The panels of one weight, for vectors of so many lanes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Panels {
    pub(super) inp: usize,
    pub(super) out: usize,
    pub(super) lanes: usize,
}

impl Panels {
    pub(crate) fn new([inp, out]: [usize; 2], lanes: usize) -> Panels {
        Panels { inp, out, lanes }
    }
    /// Values in all, those beyond `out` included.
    pub(crate) fn values(self) -> usize {
        self.inp * self.out.next_multiple_of(self.lanes)
    }
    pub(super) fn count(self) -> usize {
        self.out.div_ceil(VECTORS * self.lanes)
    }
    /// The columns of a panel that exist.
    pub(super) fn columns(self, panel: usize) -> Range<usize> {
        let first = panel * VECTORS * self.lanes;
        first..self.out.min(first + VECTORS * self.lanes)
    }
    /// Values across a panel.
    pub(super) fn width(self, panel: usize) -> usize {
        self.columns(panel).len().next_multiple_of(self.lanes)
    }
    /// Where some rows of a panel lie.
    pub(crate) fn rows(self, panel: usize, rows: Range<usize>) -> Range<usize> {
        let (start, width) = (panel * VECTORS * self.lanes * self.inp, self.width(panel));
        start + rows.start * width..start + rows.end * width
    }
    /// Where a whole panel lies.
    pub(super) fn panel(self, panel: usize) -> Range<usize> {
        self.rows(panel, 0..self.inp)
    }
    /// Each row of each panel: where it lies, and where its columns lie in `[in, out]`.
    fn pieces(self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        (0..self.count()).flat_map(move |panel| {
            let columns = self.columns(panel);
            (0..self.inp).map(move |i| {
                let at = self.rows(panel, i..i + 1).start;
                (at..at + columns.len(), i * self.out + columns.start..i * self.out + columns.end)
            })
        })
    }
    /// The panels of cells that hold `per` rows each.
    pub(crate) fn of_cells(self, per: usize) -> Panels {
        Panels { inp: self.inp.div_ceil(per), ..self }
    }
    /// Fills the two forms in pairs of bf16 (see [`product`](super::product)) from panels.
    pub(crate) fn pair(self, level: Level, forward: &mut [u32], backward: &mut [u32], panels: &[f32]) {
        level.run(Pair { panels: self, forward, backward, values: panels });
    }
    /// Fills panels from `[in, out]`.
    pub(crate) fn pack(self, panels: &mut [f32], plain: &[f32]) {
        assert_eq!((panels.len(), plain.len()), (self.values(), self.inp * self.out));
        self.pieces().for_each(|(at, from)| panels[at].copy_from_slice(&plain[from]));
    }
    /// Fills `[in, out]` from panels.
    pub(crate) fn unpack(self, plain: &mut [f32], panels: &[f32]) {
        assert_eq!((panels.len(), plain.len()), (self.values(), self.inp * self.out));
        self.pieces().for_each(|(at, to)| plain[to].copy_from_slice(&panels[at]));
    }
}

/// Fills the two forms of a weight in pairs.
struct Pair<'a> {
    panels: Panels,
    forward: &'a mut [u32],
    backward: &'a mut [u32],
    values: &'a [f32],
}

impl Work for Pair<'_> {
    type Output = ();

    #[inline(always)]
    fn with<S: Simd>(self, simd: S) {
        for panel in 0..self.panels.count() {
            let (at, half) = (self.panels.panel(panel), self.panels.of_cells(2).panel(panel));
            let (width, values) = (self.panels.width(panel), &self.values[at.clone()]);
            bf16::across(simd, &mut self.forward[half], values, width);
            bf16::along(simd, &mut self.backward[at.start / 2..at.end / 2], values, width);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_and_unpacking_give_the_weight_back_and_fill_with_zeros() {
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
