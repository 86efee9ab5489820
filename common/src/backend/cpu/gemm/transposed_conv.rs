//! The transposed convolution, and the input gradient of a convolution, as products over windows of padded x.
//!
//! Of the stride² phases of y, pixels whose row and column have the same remainder, each is a convolution of stride 1 with
//! every stride-th row and column of the kernel:
//!
//! ```text
//! stride 2, kernel 5           y[oy, ox]              taps of the phase: kernel rows oy + padding - stride · iy
//!   kernel   a b a b a         a A a A                a: 3 x 3   A: 3 x 2
//!            c d c d c         c d c d                c: 2 x 3   d: 2 x 2
//!            a b a b a  ...    ...                    of x[iy, ix], in the order of iy, then ix
//! ```
//!
//! A tap is a product over the channels of x, a sum by itself, and y the sum of its taps: the order in which col2im adds
//! patches, so the bits are those of col2im(x @ W).

use super::microkernel::{Blocks, Dense, F32, Gemm, Layout, Lhs, Operands, Rhs};
use super::{PackedWeight, Panels, as_packed, forward::activate, load_row};
use crate::backend::cpu::scratch::ScratchVec;
use crate::backend::cpu::simd::Simd;
use crate::plan::{Activation, ConvGeometry};
use std::ops::Range;

/// The fewest output positions of an image for which a weight is transposed, or split into taps, instead of x and y.
pub(crate) const MANY_POSITIONS: usize = 8;

/// Scratch: padded x, and the weight of each tap.
#[derive(Default)]
pub(crate) struct TransposedConvScratch {
    x: ScratchVec<f32>,
    taps: ScratchVec<f32>,
}

/// A transposed convolution from x `[images, OH·OW, inner]` to y `[images, H·W, C]`.
#[derive(Debug)]
pub(crate) struct TransposedConv {
    conv: ConvGeometry,
    inner: usize,
    /// Zeros before each row and column of x.
    front: usize,
    /// Rows and columns of padded x.
    padded: [usize; 2],
    phases: Vec<Phase>,
}

#[derive(Debug)]
struct Phase {
    pixels: Vec<Pixel>,
    taps: Vec<Tap>,
}

/// A pixel of y: offsets in an image of padded x and of y.
#[derive(Clone, Copy, Debug)]
struct Pixel {
    x: usize,
    y: usize,
}

/// A pixel of the kernel: the offset of its channels of x from those of a pixel.
#[derive(Clone, Copy, Debug)]
struct Tap {
    x: usize,
    kernel: usize,
}

/// What y is beside the sum of taps.
#[derive(Clone, Copy)]
pub(crate) struct Output<'a> {
    /// Padded to whole vectors.
    pub(crate) bias: Option<&'a [f32]>,
    /// Whether to add to y.
    pub(crate) add: bool,
    /// Piecewise linear.
    pub(crate) act: Activation,
}

impl TransposedConv {
    /// Padded x and y, in elements, that are computed at a time, so that they stay in the cache.
    const CHUNK: usize = 1 << 16;

    /// Whether it is faster than patches and col2im: where channels fill vectors, so that there are not many more products
    /// than in x @ W, and where there are many positions for each tap's weight.
    pub(crate) fn pays(conv: &ConvGeometry, lanes: usize) -> bool {
        let [patches, taps] = [conv.patch_len().div_ceil(lanes), conv.kernel_area() * conv.channels.div_ceil(lanes)];
        4 * taps <= 5 * patches && conv.output_area() >= MANY_POSITIONS
    }

    pub(crate) fn new(conv: ConvGeometry, inner: usize) -> TransposedConv {
        let ConvGeometry { channels, input: [_, width], kernel, stride, .. } = conv;
        let front = kernel.div_ceil(stride) - 1;
        // Position j of a phase is pixel stride · j + remainder - padding.
        let last = conv.input.map(|n| (n - 1 + conv.padding) / stride);
        let padded = std::array::from_fn(|d| front + last[d].max(conv.output[d] - 1) + 1);
        let line = padded[1];
        // Positions, with their pixels, in one dimension; and the kernel's pixels with their offset, last first.
        let positions = |d: usize, remainder: usize| {
            let pixel = move |j: usize| (stride * j + remainder).checked_sub(conv.padding);
            (0..=last[d]).filter_map(move |j| pixel(j).filter(|at| *at < conv.input[d]).map(|at| (j, at)))
        };
        let taps = |remainder: usize| {
            let count = kernel.saturating_sub(remainder).div_ceil(stride);
            (0..count).rev().map(move |t| (front - t, remainder + stride * t))
        };
        let phase = |[row, column]: [usize; 2]| Phase {
            pixels: positions(0, row)
                .flat_map(|(j, oy)| {
                    positions(1, column)
                        .map(move |(i, ox)| Pixel { x: (j * line + i) * inner, y: (oy * width + ox) * channels })
                })
                .collect(),
            taps: taps(row)
                .flat_map(|(dy, ky)| {
                    taps(column).map(move |(dx, kx)| Tap { x: (dy * line + dx) * inner, kernel: ky * kernel + kx })
                })
                .collect(),
        };
        let phases = (0..stride * stride).map(|at| phase([at / stride, at % stride])).collect();
        TransposedConv { conv, inner, front, padded, phases }
    }

    /// y = act(bias + taps): x[images, OH·OW, inner] W[inner, kernel area · C] y[images, H·W, C]
    #[inline(always)]
    pub(crate) fn compute<S: Simd>(
        &self,
        simd: S,
        y: &mut [f32],
        x: &[f32],
        w: PackedWeight,
        output: Output,
        scratch: &mut TransposedConvScratch,
    ) {
        let ConvGeometry { channels, .. } = self.conv;
        let panels = Panels::new([self.inner, channels], S::LANES);
        let taps = scratch.taps.get(self.conv.kernel_area() * panels.values());
        assert_eq!([w.panels.inp, w.panels.out], [self.inner, self.conv.patch_len()]);
        self.split(taps, panels, w);
        let [x_len, y_len] = [self.conv.output_area() * self.inner, self.conv.input_area() * channels];
        let padded_len = self.padded[0] * self.padded[1] * self.inner;
        assert!(x.len() / x_len * y_len == y.len() && x.len().is_multiple_of(x_len));
        let images = (Self::CHUNK / (padded_len + y_len)).max(1);
        for (y, x) in y.chunks_mut(images * y_len).zip(x.chunks(images * x_len)) {
            let padded = scratch.x.get(x.len() / x_len * padded_len);
            self.pad(padded, x);
            for (phase, panel) in self.phases.iter().flat_map(|phase| (0..panels.count()).map(move |p| (phase, p))) {
                let (x, y, rows) = (as_packed(padded), &mut *y, x.len() / x_len * phase.pixels.len());
                let (columns, ld) = (panels.columns(panel), panels.width(panel));
                let w = &as_packed(taps)[panels.panel(panel).start..];
                let lens = [padded_len, y_len, panels.values()];
                let mut gemm = PhaseGemm { phase, y, x, w, inner: self.inner, columns, ld, lens, output };
                gemm.compute(simd, 0..rows, ld / S::LANES, &Dense(self.inner));
            }
        }
    }

    /// taps[kernel pixel, panels of [inner, C]] = w[inner, kernel pixel, C]
    #[inline(always)]
    fn split(&self, taps: &mut [f32], panels: Panels, w: PackedWeight) {
        let (from, channels) = (w.panels, self.conv.channels);
        for (kernel, tap) in taps.chunks_exact_mut(panels.values()).enumerate() {
            for panel in 0..panels.count() {
                let (columns, ld) = (panels.columns(panel), panels.width(panel));
                let tap = &mut tap[panels.panel(panel)];
                if columns.len() < ld {
                    tap.fill(0.0);
                }
                // Columns of a panel may lie in two panels of W.
                let mut at = kernel * channels + columns.start;
                let end = at + columns.len();
                while at < end {
                    let source = at / from.width;
                    let (first, width) = (from.columns(source).start, from.width(source));
                    let (len, skip) = ((end - at).min(from.columns(source).end - at), columns.len() - (end - at));
                    let rows = w.values[from.panel(source)].chunks_exact(width);
                    for (to, row) in tap.chunks_exact_mut(ld).zip(rows) {
                        to[skip..][..len].copy_from_slice(&row[at - first..][..len]);
                    }
                    at += len;
                }
            }
        }
    }

    /// to[images, padded] = x[images, OH, OW, inner] with zeros around.
    #[inline(always)]
    fn pad(&self, to: &mut [f32], x: &[f32]) {
        let ([rows, columns], inner) = (self.conv.output, self.inner);
        let line = self.padded[1] * inner;
        let (before, len) = (self.front * inner, columns * inner);
        for (to, x) in to.chunks_exact_mut(self.padded[0] * line).zip(x.chunks_exact(rows * len)) {
            let (top, rest) = to.split_at_mut(self.front * line);
            let (middle, bottom) = rest.split_at_mut(rows * line);
            top.fill(0.0);
            bottom.fill(0.0);
            for (to, x) in middle.chunks_exact_mut(line).zip(x.chunks_exact(len)) {
                to[..before].fill(0.0);
                to[before..][..len].copy_from_slice(x);
                to[before + len..].fill(0.0);
            }
        }
    }
}

/// A phase of y, and a panel of its channels.
struct PhaseGemm<'a> {
    phase: &'a Phase,
    y: &'a mut [f32],
    x: &'a [u32],
    /// Of the first tap.
    w: &'a [u32],
    inner: usize,
    columns: Range<usize>,
    /// Values of a row of w.
    ld: usize,
    /// Values of an image of x, of an image of y, and of the weight of a tap.
    lens: [usize; 3],
    output: Output<'a>,
}

impl PhaseGemm<'_> {
    /// A row as an image and its pixel.
    #[inline(always)]
    fn pixel(&self, row: usize) -> (usize, Pixel) {
        let pixels = &self.phase.pixels;
        (row / pixels.len(), pixels[row % pixels.len()])
    }
    /// The channels of a row in y.
    #[inline(always)]
    fn range(&self, row: usize) -> Range<usize> {
        let (image, pixel) = self.pixel(row);
        let at = image * self.lens[1] + pixel.y;
        at + self.columns.start..at + self.columns.end
    }
}

/// Rows at any offset.
#[derive(Clone, Copy)]
struct RowOffsets<const MR: usize>([usize; MR]);

// SAFETY: columns ascend.
#[allow(unsafe_code)]
unsafe impl<const MR: usize> Layout for RowOffsets<MR> {
    #[inline(always)]
    fn row(&self, i: usize) -> usize {
        self.0[i]
    }
    #[inline(always)]
    unsafe fn column(&self, k: usize) -> usize {
        k
    }
    #[inline(always)]
    fn last(&self, rows: usize, end: usize) -> usize {
        self.0[..rows].iter().fold(0, |last, row| last.max(*row)) + end - 1
    }
}

impl Gemm for PhaseGemm<'_> {
    #[inline(always)]
    fn sums<S: Simd, const MR: usize, const NV: usize>(&self, simd: S, i: usize, _: &impl Blocks) -> [[S::V; NV]; MR] {
        let mut sums = [[simd.splat(0.0); NV]; MR];
        if let Some(bias) = self.output.bias {
            sums = [load_row(simd, &bias[self.columns.start..]); MR];
        } else if self.output.add {
            for (r, sums) in sums.iter_mut().enumerate() {
                *sums = load_part(simd, &self.y[self.range(i + r)]);
            }
        }
        let offset = |r: usize| {
            let (image, pixel) = self.pixel(i + r);
            image * self.lens[0] + pixel.x
        };
        let layout = RowOffsets::<MR>(std::array::from_fn(offset));
        for tap in &self.phase.taps {
            let operands = Operands {
                k: Dense(self.inner),
                a: Lhs { data: &self.x[tap.x..], layout },
                b: Rhs::<false> { data: &self.w[tap.kernel * self.lens[2]..], ld: self.ld, columns: NV * S::LANES },
                next: [&[][..]; 0],
            };
            let product = operands.accumulate::<S, F32, MR, NV>(simd, [[simd.splat(0.0); NV]; MR]);
            for (sums, product) in sums.iter_mut().zip(product) {
                for (sum, product) in sums.iter_mut().zip(product) {
                    *sum = simd.add(*sum, product);
                }
            }
        }
        sums
    }
    #[inline(always)]
    fn epilogue<S: Simd, const MR: usize, const NV: usize>(&self, simd: S, sums: &mut [[S::V; NV]; MR]) {
        activate(simd, sums, self.output.act);
    }
    #[inline(always)]
    fn row(&mut self, i: usize) -> &mut [f32] {
        let range = self.range(i);
        &mut self.y[range]
    }
}

/// Loads a row of up to NV vectors.
#[inline(always)]
fn load_part<S: Simd, const NV: usize>(simd: S, row: &[f32]) -> [S::V; NV] {
    std::array::from_fn(|v| {
        let row = as_packed(&row[v * S::LANES..]);
        // SAFETY: the slice has that many values; of none at all there is no vector.
        #[allow(unsafe_code)]
        unsafe {
            match row.len() >= S::LANES {
                true => simd.load(row.as_ptr()),
                false => simd.partial_load(row.as_ptr(), row.len()),
            }
        }
    })
}
