//! Turning rows into columns.

use super::bf16;
use super::multiply::Cells;
use super::panels::Panels;
use super::product::{Weight, as_cells, as_cells_mut};
use super::simd::Simd;

/// Room for W^T, where many rows are multiplied with a small W^T: then `dy W^T` is a product like `x W`, in the same order of
/// sums, and neither dy nor dx need be turned.
#[derive(Default)]
pub(super) struct TurnedWeight {
    values: Vec<f32>,
    pairs: Vec<u32>,
}

impl TurnedWeight {
    /// W^T `[out, in]` from the panels of W `[in, out]`, for forward products.
    #[inline(always)]
    pub(super) fn of<S: Simd, C: Cells>(&mut self, simd: S, [inp, out]: [usize; 2], w: &[f32]) -> Weight<'_> {
        let (from, to) = (Panels::new([inp, out], S::LANES), Panels::new([out, inp], S::LANES));
        assert_eq!(w.len(), from.values());
        self.values.resize(self.values.len().max(to.values()), 0.0);
        let values = &mut self.values[..to.values()];
        for t in 0..to.count() {
            let (columns, width) = (to.columns(t), to.width(t));
            if columns.len() < width {
                values[to.panel(t)].fill(0.0);
            }
            for f in 0..from.count() {
                let rows = from.columns(f);
                let (at, turned) = (from.rows(f, columns.clone()), to.rows(t, rows.clone()));
                let size = [columns.len(), rows.len()];
                transpose(simd, as_cells_mut(&mut values[turned]), width, as_cells(&w[at]), from.width(f), size);
            }
        }
        if C::PER == 1 {
            return Weight { panels: to, forward: as_cells(values), backward: &[] };
        }
        let cells = to.of_cells(C::PER);
        self.pairs.resize(self.pairs.len().max(cells.values()), 0);
        for t in 0..to.count() {
            bf16::across(simd, &mut self.pairs[cells.panel(t)], &values[to.panel(t)], to.width(t));
        }
        Weight { panels: to, forward: &self.pairs[..cells.values()], backward: &[] }
    }
}

/// to[j, i] = from[i, j] for [m, n] cells i, j.
#[inline(always)]
pub(super) fn transpose<S: Simd>(
    simd: S,
    to: &mut [u32],
    to_ld: usize,
    from: &[u32],
    from_ld: usize,
    [m, n]: [usize; 2],
) {
    assert!(m > 0 && n > 0 && to_ld >= m && from_ld >= n);
    assert!((m - 1) * from_ld + n <= from.len() && (n - 1) * to_ld + m <= to.len());
    let side = S::LANES;
    for i in (0..m).step_by(side) {
        for j in (0..n).step_by(side) {
            if i + side <= m && j + side <= n {
                let (to, from) = (&mut to[j * to_ld + i..], &from[i * from_ld + j..]);
                // SAFETY: the square ends at [i + side, j + side], within both by the assertions.
                #[allow(unsafe_code)]
                unsafe {
                    simd.turn(to.as_mut_ptr(), to_ld, from.as_ptr(), from_ld)
                }
            } else {
                for (i, j) in (i..m.min(i + side)).flat_map(|i| (j..n.min(j + side)).map(move |j| (i, j))) {
                    to[j * to_ld + i] = from[i * from_ld + j];
                }
            }
        }
    }
}
