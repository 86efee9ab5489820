//! Operations that gather, copy, scale or sum.

use super::assign;
use crate::backend::SampleIndex;
use crate::backend::cpu::memory::BlockView;
use crate::backend::cpu::simd::{Simd, WithSimd};
use crate::model::Binarize;
use crate::plan::{Activation, Activations, PixelTransform, PixelType, Table};
use std::ops::Range;
use vae_numerics::math::{exp, softplus, tanh};
use vae_numerics::rng::{Purpose, bernoulli};

/// y[n] = transform(from[row of image n]); 0 for padding: from[items, D] y[N, D]
#[inline(always)]
pub(crate) fn gather<S: Simd>(simd: S, at: &BlockView, y: Activations, from: Table, transform: PixelTransform) {
    // Images are scattered in memory: prefetch some images ahead.
    const AHEAD: usize = 4;
    for (n, y) in at.write(y).chunks_exact_mut(y.width).enumerate() {
        if let Some(sample) = at.sample_index(n + AHEAD) {
            prefetch_row(simd, at, from, sample.row as usize);
        }
        match at.sample_index(n) {
            Some(sample) => gather_row(y, at, from, sample, transform),
            None => y.fill(0.0),
        }
    }
}

#[inline(always)]
fn gather_row(y: &mut [f32], at: &BlockView, from: Table, sample: SampleIndex, transform: PixelTransform) {
    let row = sample.row as usize;
    let row = row * from.width..(row + 1) * from.width;
    match from.dtype {
        PixelType::U8 => y.iter_mut().zip(&at.bytes(from)[row]).for_each(|(y, v)| *y = *v as f32 / transform.white),
        PixelType::F32 => y.iter_mut().zip(&at.floats(from)[row]).for_each(|(y, v)| *y = *v / transform.white),
    }
    match transform.binarize {
        Binarize::None => {}
        Binarize::Threshold => y.iter_mut().for_each(|y| *y = if *y > 0.5 { 1.0 } else { 0.0 }),
        Binarize::Static | Binarize::Dynamic => {
            let epoch = if transform.binarize == Binarize::Dynamic { at.state.epoch } else { 0 };
            bernoulli(y, at.state.seed, Purpose::Binarize, [sample.id, epoch]);
        }
    }
    let [black, white] = transform.range;
    if transform.range != [0.0, 1.0] {
        y.iter_mut().for_each(|y| *y = black + (white - black) * *y);
    }
}

/// Prefetches `from[row]`.
#[inline(always)]
fn prefetch_row<S: Simd>(simd: S, at: &BlockView, from: Table, row: usize) {
    const LINE: usize = 64;
    let (start, bytes) = match from.dtype {
        PixelType::U8 => (at.bytes(from)[row * from.width..].as_ptr(), from.width),
        PixelType::F32 => (at.floats(from)[row * from.width..].as_ptr().cast(), 4 * from.width),
    };
    (0..bytes).step_by(LINE).for_each(|line| simd.prefetch(start.wrapping_add(line).cast()));
}

/// y[n, label of image n] = 1, else 0: from[items, 1] y[N, classes]
#[inline(always)]
pub(crate) fn one_hot(at: &BlockView, y: Activations, from: Table) {
    for (n, y) in at.write(y).chunks_exact_mut(y.width).enumerate() {
        y.fill(0.0);
        if let Some(sample) = at.sample_index(n) {
            y[at.bytes(from)[sample.row as usize] as usize] = 1.0;
        }
    }
}

/// y[r] = [a[r], b[n]]: a[R, wa] b[N, wb] y[R, wa + wb]
#[inline(always)]
pub(crate) fn concat(y: &mut [f32], a: &[f32], b: &[f32], [wa, wb]: [usize; 2], per_image: usize) {
    for (r, y) in y.chunks_exact_mut(wa + wb).enumerate() {
        let (to_a, to_b) = y.split_at_mut(wa);
        to_a.copy_from_slice(&a[r * wa..][..wa]);
        to_b.copy_from_slice(&b[r / per_image * wb..][..wb]);
    }
}

/// y[r] = x[r, ..wy], plus y[r] with `add`: x[R, wx] y[R, wy]
#[inline(always)]
pub(crate) fn narrow(y: &mut [f32], x: &[f32], [wy, wx]: [usize; 2], add: bool) {
    for (y, x) in y.chunks_exact_mut(wy).zip(x.chunks_exact(wx)) {
        assign(y, add, |i| x[i]);
    }
}

/// y[r] = x[r] - b: x[R, width] b[width] y[R, width]
#[inline(always)]
pub(crate) fn subtract(y: &mut [f32], x: &[f32], b: &[f32], width: usize) {
    for (y, x) in y.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
        assign(y, false, |i| x[i] - b[i]);
    }
}

/// y = act(y), elementwise
#[inline(always)]
pub(crate) fn activation<S: Simd>(simd: S, y: &mut [f32], act: Activation) {
    simd.vectorize(Activate { y, act });
}

struct Activate<'a> {
    y: &'a mut [f32],
    act: Activation,
}

impl WithSimd for Activate<'_> {
    type Output = ();

    // Loops, since closures do not inherit the target features: one that is not inlined computes value by value, and
    // calls a function for each `mul_add`.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        match self.act {
            Activation::None => {}
            Activation::Relu => {
                for y in self.y {
                    *y = y.max(0.0);
                }
            }
            Activation::LeakyRelu(slope) => {
                for y in self.y {
                    *y = y.max(slope * *y);
                }
            }
            Activation::Tanh => {
                for y in self.y {
                    *y = tanh(*y);
                }
            }
            Activation::Softplus => {
                for y in self.y {
                    *y = softplus(*y);
                }
            }
        }
    }
}

/// dy *= act'(x), elementwise, as a function of y = act(x)
#[inline(always)]
pub(crate) fn activation_back<S: Simd>(simd: S, dy: &mut [f32], y: &[f32], act: Activation) {
    simd.vectorize(ActivateBack { dy, y, act });
}

struct ActivateBack<'a> {
    dy: &'a mut [f32],
    y: &'a [f32],
    act: Activation,
}

impl WithSimd for ActivateBack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let both = self.dy.iter_mut().zip(self.y);
        match self.act {
            Activation::None => {}
            Activation::Relu => {
                for (d, y) in both {
                    *d = if *y > 0.0 { *d } else { 0.0 };
                }
            }
            Activation::LeakyRelu(slope) => {
                for (d, y) in both {
                    *d *= if *y > 0.0 { 1.0 } else { slope };
                }
            }
            Activation::Tanh => {
                for (d, y) in both {
                    *d *= 1.0 - y * y;
                }
            }
            // y = ln(1 + exp(x)), so the derivative is 1 / (1 + exp(-x)) = 1 - exp(-y).
            Activation::Softplus => {
                for (d, y) in both {
                    *d *= 1.0 - exp(-y);
                }
            }
        }
    }
}

/// d[r] *= weight[r]: d[R, width] weight[R]
#[inline(always)]
pub(crate) fn scale_rows(d: &mut [f32], weight: &[f32], width: usize) {
    for (d, weight) in d.chunks_exact_mut(width).zip(weight) {
        d.iter_mut().for_each(|d| *d *= weight);
    }
}

/// The derivative of the batch mean with respect to each row: d[r] = scale / (images · P), 0 for padding: d[R], of
/// which `valid` images are no padding
#[inline(always)]
pub(crate) fn mean_back(d: &mut [f32], valid: usize, images: usize, per_image: usize, scale: f32) {
    let (rows, padding) = d.split_at_mut(valid * per_image);
    rows.fill(scale / (images * per_image) as f32);
    padding.fill(0.0);
}

/// losses[n] = mean over the rows of image n of the term: term[R] losses[valid images]
#[inline(always)]
pub(crate) fn mean_rows<'a>(losses: impl Iterator<Item = &'a mut f32>, term: &[f32], per_image: usize) {
    losses.zip(term.chunks_exact(per_image)).for_each(|(loss, rows)| {
        *loss = rows.iter().sum::<f32>() / per_image as f32;
    });
}

/// g = sum over r of dy[r, columns]: dy[R, width] g[columns, zero-padded to whole vectors]. Any number of zero rows at
/// the end changes no bit.
#[inline(always)]
pub(crate) fn bias_gradient(g: &mut [f32], dy: &[f32], width: usize, columns: Range<usize>) {
    const WIDE: usize = 64;
    g.fill(0.0);
    // Short rows, such as the channels at each output position, are summed several at a time.
    let group = WIDE / width.next_power_of_two();
    if group > 1 {
        let mut wide = [0.0; WIDE];
        let wide = &mut wide[..group * width];
        sum_rows(wide, dy, group * width, 0..group * width);
        let rows = wide.chunks_exact(width).map(|row| &row[columns.clone()]);
        rows.for_each(|row| g.iter_mut().zip(row).for_each(|(g, d)| *g += d));
    } else {
        sum_rows(g, dy, width, columns);
    }
}

/// g += sum over r of dy[r, columns], the last row zero-padded: dy[R, width] g[columns]
#[inline(always)]
fn sum_rows(g: &mut [f32], dy: &[f32], width: usize, columns: Range<usize>) {
    // Four rows at a time: each addition to g waits for the one before.
    let mut fours = dy.chunks_exact(4 * width);
    for rows in &mut fours {
        let row = |r: usize| &rows[r * width..][columns.clone()];
        let four = row(0).iter().zip(row(1)).zip(row(2).iter().zip(row(3)));
        g.iter_mut().zip(four).for_each(|(g, ((a, b), (c, d)))| *g += (a + b) + (c + d));
    }
    let rest = fours.remainder();
    if !rest.is_empty() {
        let at = |r: usize, column: usize| rest.get(r * width + column).copied().unwrap_or(0.0);
        let columns = g.iter_mut().zip(columns);
        columns.for_each(|(g, c)| *g += (at(0, c) + at(1, c)) + (at(2, c) + at(3, c)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::simd::InstructionSet;

    /// An activation with its derivative: at each x, against f64 and against the same function of one value.
    struct Check<'a>(&'a [f32], Activation);

    impl WithSimd for Check<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Check(xs, act) = self;
            let mut ys = xs.to_vec();
            activation(simd, &mut ys, act);
            let mut back = vec![1.0; xs.len()];
            activation_back(simd, &mut back, &ys, act);
            for ((&x, &y), &d) in xs.iter().zip(&ys).zip(&back) {
                let (exact, bits) = (x as f64, f32::to_bits);
                // Value, its bound, and derivative; the bound of all derivatives is 3e-7.
                let (value, bound, derivative) = match act {
                    Activation::None => (exact, 0.0, 1.0),
                    Activation::Relu => (exact.max(0.0), 0.0, (x > 0.0) as u8 as f64),
                    Activation::LeakyRelu(slope) => {
                        let slope = slope as f64;
                        (exact.max(slope * exact), 6e-8 * exact.abs(), if x > 0.0 { 1.0 } else { slope })
                    }
                    Activation::Tanh => {
                        assert_eq!(bits(y), bits(tanh(x)));
                        (exact.tanh(), 3e-7, 1.0 - exact.tanh().powi(2))
                    }
                    Activation::Softplus => {
                        assert_eq!(bits(y), bits(softplus(x)));
                        let expected = exact.max(0.0) + (-exact.abs()).exp().ln_1p();
                        (expected, 5e-7 * expected + 2e-38, 1.0 / (1.0 + (-exact).exp()))
                    }
                };
                assert!((y as f64 - value).abs() <= bound, "{act:?}({x}): expected {value}, got {y}");
                assert!((d as f64 - derivative).abs() <= 3e-7, "{act:?}'({x}): expected {derivative}, got {d}");
            }
        }
    }

    #[test]
    fn activations_have_their_stated_error_and_the_same_bits_on_every_instruction_set() {
        // A grid, every size down to the denormals, and a length that fills no whole vector.
        let grid = (-8700..=8700).map(|i| i as f32 / 100.0);
        let sizes = (-140..7).flat_map(|e| [1.0f32, -1.0].map(|sign| sign * 1.7 * 2f32.powi(e)));
        let xs: Vec<f32> = grid.chain(sizes).chain([0.0, -0.0]).collect();
        assert!(!xs.len().is_multiple_of(4));
        let acts =
            [Activation::None, Activation::Relu, Activation::LeakyRelu(0.2), Activation::Tanh, Activation::Softplus];
        for (isa, act) in InstructionSet::available().into_iter().flat_map(|isa| acts.map(|act| (isa, act))) {
            isa.dispatch(Check(&xs, act));
        }
    }
}
