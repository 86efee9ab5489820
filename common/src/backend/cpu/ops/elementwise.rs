//! Operations that gather, copy, scale or sum.

use super::assign;
use crate::backend::SampleIndex;
use crate::backend::cpu::memory::BlockView;
use crate::backend::cpu::simd::Simd;
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
pub(crate) fn activation(y: &mut [f32], act: Activation) {
    match act {
        Activation::None => {}
        Activation::Relu => y.iter_mut().for_each(|y| *y = y.max(0.0)),
        Activation::LeakyRelu(slope) => y.iter_mut().for_each(|y| *y = y.max(slope * *y)),
        Activation::Tanh => y.iter_mut().for_each(|y| *y = tanh(*y)),
        Activation::Softplus => y.iter_mut().for_each(|y| *y = softplus(*y)),
    }
}

/// dy *= act'(x), elementwise, as a function of y = act(x)
#[inline(always)]
pub(crate) fn activation_back(dy: &mut [f32], y: &[f32], act: Activation) {
    let both = dy.iter_mut().zip(y);
    match act {
        Activation::None => {}
        Activation::Relu => both.for_each(|(d, y)| *d = if *y > 0.0 { *d } else { 0.0 }),
        Activation::LeakyRelu(slope) => both.for_each(|(d, y)| *d *= if *y > 0.0 { 1.0 } else { slope }),
        Activation::Tanh => both.for_each(|(d, y)| *d *= 1.0 - y * y),
        // y = ln(1 + exp(x)), so the derivative is 1 / (1 + exp(-x)) = 1 - exp(-y).
        Activation::Softplus => both.for_each(|(d, y)| *d *= 1.0 - exp(-y)),
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
