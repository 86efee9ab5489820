//! Convolutions as GEMMs: im2col, and its adjoint, col2im.
//!
//! ```text
//! image x[N, H, W, C]      columns y[N, OH · OW, kernel row, kernel column, C]
//! ```
//!
//! A row of a patch, `[kernel column, C]`, is contiguous in both.

use crate::plan::ConvGeometry;

/// y[n, output position] = the patch of x[n] there, zero-padded
#[inline(always)]
pub(crate) fn im2col(y: &mut [f32], x: &[f32], conv: &ConvGeometry) {
    let images = x.chunks_exact(conv.input_area() * conv.channels);
    for (y, x) in y.chunks_exact_mut(conv.output_area() * conv.patch_len()).zip(images) {
        let mut rows = y.chunks_exact_mut(conv.kernel * conv.channels);
        for_each_patch_row(conv, |valid| {
            let to = rows.next().expect("a row of each patch");
            match valid {
                None => to.fill(0.0),
                Some(Span { skip, from, len }) => {
                    if len < to.len() {
                        to.fill(0.0);
                    }
                    copy(&mut to[skip..][..len], &x[from..][..len]);
                }
            }
        });
    }
}

/// y[n] += the patches x[n, output position], each at its place
#[inline(always)]
pub(crate) fn col2im(y: &mut [f32], x: &[f32], conv: &ConvGeometry) {
    let columns = x.chunks_exact(conv.output_area() * conv.patch_len());
    for (y, x) in y.chunks_exact_mut(conv.input_area() * conv.channels).zip(columns) {
        let mut rows = x.chunks_exact(conv.kernel * conv.channels);
        for_each_patch_row(conv, |valid| {
            let from = rows.next().expect("a row of each patch");
            if let Some(Span { skip, from: to, len }) = valid {
                add(&mut y[to..][..len], &from[skip..][..len]);
            }
        });
    }
}

/// The part of a patch row inside the image; the rest is padding.
#[derive(Clone, Copy)]
struct Span {
    /// Values of left padding.
    skip: usize,
    /// Offset in the image.
    from: usize,
    len: usize,
}

/// Calls f for each row of each patch, with None where it is all padding.
#[inline(always)]
fn for_each_patch_row(conv: &ConvGeometry, mut f: impl FnMut(Option<Span>)) {
    let &ConvGeometry { channels, input: [height, width], output: [rows, columns], kernel, stride, padding } = conv;
    for oy in 0..rows {
        for ox in 0..columns {
            let left = ox * stride;
            let skip = padding.saturating_sub(left);
            let (start, end) = (left + skip - padding, (left + kernel).saturating_sub(padding).min(width));
            let len = end.saturating_sub(start) * channels;
            for row in 0..kernel {
                let y = (oy * stride + row).wrapping_sub(padding);
                let valid = y < height && len > 0;
                f(valid.then(|| Span { skip: skip * channels, from: (y * width + start) * channels, len }));
            }
        }
    }
}

/// y += x; unrolled for a patch row of kernel 5 and one channel.
#[inline(always)]
fn add(y: &mut [f32], x: &[f32]) {
    match (<&mut [f32; 5]>::try_from(&mut *y), <&[f32; 5]>::try_from(x)) {
        (Ok(y), Ok(x)) => (0..5).for_each(|i| y[i] += x[i]),
        _ => y.iter_mut().zip(x).for_each(|(y, x)| *y += x),
    }
}

/// to = from; inline, without a call of memcpy, for a patch row of kernel 5 and one channel.
#[inline(always)]
fn copy(to: &mut [f32], from: &[f32]) {
    match (<&mut [f32; 5]>::try_from(&mut *to), <&[f32; 5]>::try_from(from)) {
        (Ok(to), Ok(from)) => *to = *from,
        _ => to.copy_from_slice(from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The index in the image of kernel pixel (i, j) at output position (oy, ox), by the definition.
    fn index(x: &[f32], w: &ConvGeometry, [oy, ox, i, j, c]: [usize; 5]) -> Option<usize> {
        let (y, left) =
            ((oy * w.stride + i) as isize - w.padding as isize, (ox * w.stride + j) as isize - w.padding as isize);
        let valid = (0..w.input[0] as isize).contains(&y) && (0..w.input[1] as isize).contains(&left);
        let at = (y * w.input[1] as isize + left) * w.channels as isize + c as isize;
        valid.then_some(at as usize).filter(|at| *at < x.len())
    }

    fn each(w: &ConvGeometry, mut f: impl FnMut(usize, [usize; 5])) {
        let sizes = [w.output[0], w.output[1], w.kernel, w.kernel, w.channels];
        for k in 0..sizes.iter().product() {
            let mut rest = k;
            let mut at = [0; 5];
            for (a, n) in at.iter_mut().zip(sizes).rev() {
                (*a, rest) = (rest % n, rest / n);
            }
            f(k, at);
        }
    }

    #[test]
    fn im2col_takes_the_patches_and_col2im_adds_them_back() {
        let sizes = [[28, 28], [7, 7], [1, 1], [2, 3], [5, 1], [6, 9]];
        for (input, channels) in sizes.into_iter().flat_map(|input| [(input, 1), (input, 3)]) {
            let w = ConvGeometry::new(input, channels, 5, 2, 2);
            let image: Vec<f32> = (1..=w.input_area() * channels).map(|v| v as f32).collect();
            let x = [&image[..], &image[..]].concat(); // two images
            let columns = w.output_area() * w.patch_len();
            let mut y = vec![7.0; 2 * columns];
            im2col(&mut y, &x, &w);
            let mut folded = vec![0.0; image.len()];
            each(&w, |k, at| {
                let from = index(&image, &w, at);
                assert_eq!(y[columns + k], from.map_or(0.0, |from| image[from]), "{w:?} {at:?}");
                if let Some(to) = from {
                    folded[to] += y[k];
                }
            });
            let mut back = vec![1.0; x.len()];
            col2im(&mut back, &y, &w);
            assert!(
                back.iter().zip(folded.iter().chain(&folded)).all(|(got, expected)| *got == 1.0 + expected),
                "{w:?}"
            );
        }
    }
}
