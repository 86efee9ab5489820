//! The left operands of `forward` and `weight_gradient`: a matrix in memory, or the patches of images, which are windows of
//! padded images and are read where they lie.
//!
//! ```text
//! padded image x[PH, PW, C]            patch r = output position (oy, ox), element k = (kernel row, kernel column, c)
//! . . . . . . .
//! . ┌─────┐ . .    ← positions[r]      x[r, k] = image[positions[r] + elements[k]]
//! . │ a b │ . .                        positions[r] = (oy · stride · PW + ox · stride) · C
//! . │ c d │ . .                        elements[k] = (kernel row · PW + kernel column) · C + c
//! . └─────┘ . .
//! ```
//!
//! So a patch matrix needs no memory, `kernel²` values for each output position, and no time to write and read it.

use super::microkernel::{Layout, Lhs, Strided};
use crate::plan::ConvGeometry;

/// x[R, K], the left operand of `forward`.
pub(crate) trait Rows: Copy {
    /// [R, K].
    fn shape(&self) -> [usize; 2];
    /// MR rows from i.
    fn rows<const MR: usize>(&self, i: usize) -> Lhs<'_, impl Layout>;
}

/// x[R, I], of which `weight_gradient` reads the transpose.
pub(crate) trait Columns: Copy {
    /// Whether a sum is so short that the epilogue waits for memory that is not prefetched.
    const PREFETCH: bool;
    /// MR columns from i as rows, from the given row of x on.
    fn columns<const MR: usize>(&self, first: usize, i: usize) -> Lhs<'_, impl Layout>;
    /// The same if these columns are neighbours in memory: registers that hold no offsets hold operands.
    fn neighbours<const MR: usize>(&self, first: usize, i: usize) -> Option<Lhs<'_, impl Layout>>;
}

/// A matrix in memory, row by row.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) data: &'a [u32],
    /// Elements of a row.
    pub(crate) width: usize,
}

impl Rows for Matrix<'_> {
    #[inline(always)]
    fn shape(&self) -> [usize; 2] {
        [self.data.len() / self.width, self.width]
    }
    #[inline(always)]
    fn rows<const MR: usize>(&self, i: usize) -> Lhs<'_, impl Layout> {
        Lhs { data: &self.data[i * self.width..], layout: Strided { rs: self.width, cs: 1 } }
    }
}

/// Offsets in ascending order.
#[derive(Clone, Copy)]
pub(crate) struct Ascending<'a>(&'a [usize]);

impl<'a> Ascending<'a> {
    pub(crate) fn new(offsets: &'a [usize]) -> Ascending<'a> {
        assert!(offsets.is_sorted());
        Ascending(offsets)
    }
}

/// Rows and columns at any offsets.
#[derive(Clone, Copy)]
struct Scattered<'a, const MR: usize> {
    rows: [usize; MR],
    columns: Ascending<'a>,
}

// SAFETY: of ascending columns the last is the greatest.
#[allow(unsafe_code)]
unsafe impl<const MR: usize> Layout for Scattered<'_, MR> {
    #[inline(always)]
    fn row(&self, i: usize) -> usize {
        self.rows[i]
    }
    #[inline(always)]
    unsafe fn column(&self, k: usize) -> usize {
        // SAFETY: `last` would have panicked if there were no column `end - 1`.
        unsafe { *self.columns.0.get_unchecked(k) }
    }
    #[inline(always)]
    fn last(&self, rows: usize, end: usize) -> usize {
        let last = self.rows[..rows].iter().fold(0, |last, row| last.max(*row));
        last + self.columns.0[end - 1]
    }
}

/// Neighbouring rows, and columns at any offsets.
#[derive(Clone, Copy)]
struct Neighbours<'a> {
    columns: Ascending<'a>,
}

// SAFETY: rows ascend, and of ascending columns the last is the greatest.
#[allow(unsafe_code)]
unsafe impl Layout for Neighbours<'_> {
    #[inline(always)]
    fn row(&self, i: usize) -> usize {
        i
    }
    #[inline(always)]
    unsafe fn column(&self, k: usize) -> usize {
        // SAFETY: as in `Scattered`.
        unsafe { *self.columns.0.get_unchecked(k) }
    }
    #[inline(always)]
    fn last(&self, rows: usize, end: usize) -> usize {
        rows - 1 + self.columns.0[end - 1]
    }
}

/// Where the patches of a convolution lie in padded images.
#[derive(Debug)]
pub(crate) struct Windows {
    pub(crate) conv: ConvGeometry,
    /// Of the patches of an image.
    positions: Vec<usize>,
    /// Of the elements of a patch.
    elements: Vec<usize>,
}

impl Windows {
    pub(crate) fn new(conv: ConvGeometry) -> Windows {
        let ConvGeometry { channels, output: [rows, columns], kernel, stride, .. } = conv;
        let line = conv.padded()[1] * channels;
        let position = move |oy: usize, ox: usize| oy * stride * line + ox * stride * channels;
        let positions = (0..rows).flat_map(|oy| (0..columns).map(move |ox| position(oy, ox))).collect();
        let elements = (0..kernel).flat_map(|row| (0..kernel * channels).map(move |at| row * line + at));
        let elements: Vec<usize> = elements.collect();
        assert!(elements.is_sorted()); // see `Ascending`
        Windows { conv, positions, elements }
    }
    /// The offsets of `N` patches from patch r of several images on.
    #[inline(always)]
    pub(crate) fn positions<const N: usize>(&self, r: usize) -> [usize; N] {
        let (mut at, mut image) = (r % self.positions.len(), r / self.positions.len() * self.conv.padded_len());
        std::array::from_fn(|_| {
            if at == self.positions.len() {
                (at, image) = (0, image + self.conv.padded_len());
            }
            at += 1;
            image + self.positions[at - 1]
        })
    }
    /// Patches for each image.
    pub(crate) fn per_image(&self) -> usize {
        self.positions.len()
    }
    /// to[N, PH, PW, C] = x[N, H, W, C] with zeros around each image, which are there already.
    #[inline(always)]
    pub(crate) fn pad(conv: &ConvGeometry, to: &mut [f32], x: &[f32]) {
        let (line, width, skip) = (conv.padded()[1] * conv.channels, conv.input[1] * conv.channels, conv.padding);
        let images = x.chunks_exact(conv.input_area() * conv.channels);
        for (to, x) in to.chunks_exact_mut(conv.padded_len()).zip(images) {
            for (to, x) in to.chunks_exact_mut(line).skip(skip).zip(x.chunks_exact(width)) {
                to[skip * conv.channels..][..width].copy_from_slice(x);
            }
        }
    }
    /// to[R, K] = the patches of padded images x.
    #[inline(always)]
    pub(crate) fn gather(&self, to: &mut [f32], x: &[f32]) {
        let run = self.conv.kernel * self.conv.channels;
        let patches = to.chunks_exact_mut(self.elements.len());
        for (r, patch) in patches.enumerate() {
            let [at] = self.positions(r);
            for (to, from) in patch.chunks_exact_mut(run).zip(self.elements.iter().step_by(run)) {
                to.copy_from_slice(&x[at + from..][..run]);
            }
        }
    }
}

/// The patches of padded images, as rows.
#[derive(Clone, Copy)]
pub(crate) struct Patches<'a> {
    /// `[images, PH, PW, C]`.
    pub(crate) images: &'a [u32],
    pub(crate) windows: &'a Windows,
}

impl Rows for Patches<'_> {
    #[inline(always)]
    fn shape(&self) -> [usize; 2] {
        let images = self.images.len() / self.windows.conv.padded_len();
        [images * self.windows.per_image(), self.windows.elements.len()]
    }
    #[inline(always)]
    fn rows<const MR: usize>(&self, i: usize) -> Lhs<'_, impl Layout> {
        let rows = self.windows.positions::<MR>(i);
        Lhs { data: self.images, layout: Scattered { rows, columns: Ascending(&self.windows.elements) } }
    }
}

/// Some patches of padded images, as columns.
#[derive(Clone, Copy)]
pub(crate) struct PatchColumns<'a> {
    /// From the image of the first patch on.
    pub(crate) images: &'a [u32],
    pub(crate) windows: &'a Windows,
    /// The offset of each patch.
    pub(crate) positions: Ascending<'a>,
}

impl Columns for PatchColumns<'_> {
    const PREFETCH: bool = false;
    #[inline(always)]
    fn columns<const MR: usize>(&self, first: usize, i: usize) -> Lhs<'_, impl Layout> {
        let rows = std::array::from_fn::<_, MR, _>(|r| self.windows.elements[i + r]);
        Lhs { data: self.images, layout: Scattered { rows, columns: Ascending(&self.positions.0[first..]) } }
    }
    #[inline(always)]
    fn neighbours<const MR: usize>(&self, first: usize, i: usize) -> Option<Lhs<'_, impl Layout>> {
        let [at, last] = [i, i + MR - 1].map(|i| self.windows.elements[i]);
        let columns = Ascending(&self.positions.0[first..]);
        (last - at == MR - 1).then(|| Lhs { data: &self.images[at..], layout: Neighbours { columns } })
    }
}
