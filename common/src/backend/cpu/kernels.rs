//! One function for each operation, over slices that hold whole rows. The number of rows is that of the output.
//!
//! Every function is inlined into the caller, which compiles it for each vector width.

use super::simd::Simd;
use crate::backend::SampleIndex;
use crate::backend::memory::Block;
use crate::model::Binarize;
use crate::plan::{Activation, PixelTransform, PixelType, Table};
use std::ops::Range;
use vae_numerics::math::{exp, softplus, tanh};
use vae_numerics::rng::{Purpose, bernoulli};

/// y = from[row of the image], read as pixels
#[inline(always)]
pub(super) fn gather(y: &mut [f32], at: &Block, from: Table, visit: SampleIndex, transform: PixelTransform) {
    let row = visit.row as usize;
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
            bernoulli(y, at.state.seed, Purpose::Binarize, [visit.id, epoch]);
        }
    }
    let [black, white] = transform.range;
    if transform.range != [0.0, 1.0] {
        y.iter_mut().for_each(|y| *y = black + (white - black) * *y);
    }
}

/// y = 1 at the label, else 0
#[inline(always)]
pub(super) fn one_hot(y: &mut [f32], label: u8) {
    y.fill(0.0);
    y[label as usize] = 1.0;
}

/// y[r] = [a[r], b[n]], `per` rows of a to one of b
#[inline(always)]
pub(super) fn concat(y: &mut [f32], a: &[f32], b: &[f32], [wa, wb]: [usize; 2], per: usize) {
    for (r, y) in y.chunks_exact_mut(wa + wb).enumerate() {
        let (to_a, to_b) = y.split_at_mut(wa);
        to_a.copy_from_slice(&a[r * wa..][..wa]);
        to_b.copy_from_slice(&b[r / per * wb..][..wb]);
    }
}

/// y[r] = the first values of x[r]
#[inline(always)]
pub(super) fn first(y: &mut [f32], x: &[f32], [wy, wx]: [usize; 2], add: bool) {
    for (y, x) in y.chunks_exact_mut(wy).zip(x.chunks_exact(wx)) {
        put(y, add, |i| x[i]);
    }
}

/// y[r] = x[r] - b
#[inline(always)]
pub(super) fn centre(y: &mut [f32], x: &[f32], b: &[f32], width: usize) {
    for (y, x) in y.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
        put(y, false, |i| x[i] - b[i]);
    }
}

/// Asks for `from[row]`, which is gathered soon.
#[inline(always)]
pub(super) fn fetch<S: Simd>(simd: S, at: &Block, from: Table, row: usize) {
    const LINE: usize = 64;
    let (start, bytes) = match from.dtype {
        PixelType::U8 => (at.bytes(from)[row * from.width..].as_ptr(), from.width),
        PixelType::F32 => (at.floats(from)[row * from.width..].as_ptr().cast(), 4 * from.width),
    };
    (0..bytes).step_by(LINE).for_each(|line| simd.prefetch(start.wrapping_add(line).cast()));
}

/// y = act(y)
#[inline(always)]
pub(super) fn activate(y: &mut [f32], act: Activation) {
    match act {
        Activation::None => {}
        Activation::Relu => y.iter_mut().for_each(|y| *y = y.max(0.0)),
        Activation::LeakyRelu(slope) => y.iter_mut().for_each(|y| *y = y.max(slope * *y)),
        Activation::Tanh => y.iter_mut().for_each(|y| *y = tanh(*y)),
        Activation::Softplus => y.iter_mut().for_each(|y| *y = softplus(*y)),
    }
}

/// dy *= act', told from the output y
#[inline(always)]
pub(super) fn act_back(dy: &mut [f32], y: &[f32], act: Activation) {
    let both = dy.iter_mut().zip(y);
    match act {
        Activation::None => {}
        Activation::Relu => both.for_each(|(d, y)| *d = if *y > 0.0 { *d } else { 0.0 }),
        Activation::LeakyRelu(slope) => both.for_each(|(d, y)| *d *= if *y > 0.0 { 1.0 } else { slope }),
        Activation::Tanh => both.for_each(|(d, y)| *d *= 1.0 - y * y),
        // y = ln(1 + exp(v)), and the derivative is 1 / (1 + exp(-v)) = 1 - exp(-y).
        Activation::Softplus => both.for_each(|(d, y)| *d *= 1.0 - exp(-y)),
    }
}

/// d[r] *= weight[r]
#[inline(always)]
pub(super) fn weigh(d: &mut [f32], weight: &[f32], width: usize) {
    for (d, weight) in d.chunks_exact_mut(width).zip(weight) {
        d.iter_mut().for_each(|d| *d *= weight);
    }
}

/// weight[r] = scale / (images · per) for the rows of images that exist, 0 for the others
#[inline(always)]
pub(super) fn mean_weights(weight: &mut [f32], live: usize, images: usize, per: usize, scale: f32) {
    let (there, absent) = weight.split_at_mut(live * per);
    there.fill(scale / (images * per) as f32);
    absent.fill(0.0);
}

/// losses[n] = mean over the `per` rows of image n of term, for the images that exist
#[inline(always)]
pub(super) fn mean_rows<'a>(losses: impl Iterator<Item = &'a mut f32>, term: &[f32], per: usize) {
    losses.zip(term.chunks_exact(per)).for_each(|(loss, rows)| *loss = rows.iter().sum::<f32>() / per as f32);
}

/// g = sum over r of dy[r] in some columns; the rest of g, which fills it to whole vectors, is 0. Activations of zeros at the end, of
/// which there may be any number, change no bit.
#[inline(always)]
pub(super) fn bias_gradient(g: &mut [f32], dy: &[f32], width: usize, columns: Range<usize>) {
    const WIDE: usize = 64;
    g.fill(0.0);
    // Short rows, the channels of many positions, are added up side by side.
    let beside = WIDE / width.next_power_of_two();
    if beside > 1 {
        let mut wide = [0.0; WIDE];
        let wide = &mut wide[..beside * width];
        add_rows(wide, dy, beside * width, 0..beside * width);
        let rows = wide.chunks_exact(width).map(|row| &row[columns.clone()]);
        rows.for_each(|row| g.iter_mut().zip(row).for_each(|(g, d)| *g += d));
    } else {
        add_rows(g, dy, width, columns);
    }
}

/// g += sum over r of dy[r] in some columns, the last row filled with zeros
#[inline(always)]
fn add_rows(g: &mut [f32], dy: &[f32], width: usize, columns: Range<usize>) {
    // Four rows at a time: each sum waits for the one before.
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

/// d = f, or d += f
#[inline(always)]
pub(super) fn put(d: &mut [f32], add: bool, f: impl Fn(usize) -> f32) {
    if add {
        d.iter_mut().enumerate().for_each(|(i, d)| *d += f(i));
    } else {
        d.iter_mut().enumerate().for_each(|(i, d)| *d = f(i));
    }
}
