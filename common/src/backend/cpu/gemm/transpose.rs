//! Transposition of packed elements, and of a packed weight.

use super::microkernel::Element;
use super::panels::Panels;
use super::{PackedWeight, as_packed, as_packed_mut, bf16};
use crate::backend::cpu::scratch::ScratchVec;
use crate::backend::cpu::simd::Simd;

/// Scratch for W^T. With many rows and a small W, dx = dy @ W^T is a forward GEMM over the transposed weight, in the
/// same order of sums: transposing W once is cheaper than transposing dy and dx.
#[derive(Default)]
pub(crate) struct TransposedWeight {
    values: ScratchVec<f32>,
    pairs: ScratchVec<u32>,
}

impl TransposedWeight {
    /// W^T `[out, in]`, packed for a forward GEMM, from the panels of W `[in, out]`.
    #[inline(always)]
    pub(crate) fn transpose<S: Simd, E: Element>(&mut self, simd: S, w: PackedWeight) -> PackedWeight<'_> {
        let (from, w) = (w.panels, w.values);
        let to = Panels::new([from.out, from.inp], S::LANES);
        assert_eq!(w.len(), from.values());
        let values = self.values.get(to.values());
        for t in 0..to.count() {
            let (columns, width) = (to.columns(t), to.width(t));
            if columns.len() < width {
                values[to.panel(t)].fill(0.0);
            }
            for f in 0..from.count() {
                let rows = from.columns(f);
                let (at, transposed) = (from.rows(f, columns.clone()), to.rows(t, rows.clone()));
                let size = [columns.len(), rows.len()];
                transpose(simd, as_packed_mut(&mut values[transposed]), width, as_packed(&w[at]), from.width(f), size);
            }
        }
        if E::VALUES == 1 {
            return PackedWeight::f32(to, values);
        }
        let packed = to.packed(E::VALUES);
        let pairs = self.pairs.get(packed.values());
        for t in 0..to.count() {
            bf16::vnni_interleave(simd, &mut pairs[packed.panel(t)], &values[to.panel(t)], to.width(t));
        }
        PackedWeight { forward: pairs, backward: &[], ..PackedWeight::f32(to, values) }
    }
}

/// to = from^T: from[m, n] to[n, m], with leading dimensions.
#[inline(always)]
pub(crate) fn transpose<S: Simd>(
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
                // SAFETY: the tile ends at [i + side, j + side], within both by the assertions.
                #[allow(unsafe_code)]
                unsafe {
                    simd.transpose(to.as_mut_ptr(), to_ld, from.as_ptr(), from_ld)
                }
            } else {
                for (i, j) in (i..m.min(i + side)).flat_map(|i| (j..n.min(j + side)).map(move |j| (i, j))) {
                    to[j * to_ld + i] = from[i * from_ld + j];
                }
            }
        }
    }
}
