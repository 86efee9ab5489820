//! Convolutions as products: images to the rows of values under a window, and back.
//!
//! ```text
//! image [H, W, C]      columns [OH · OW][row][column, C]
//! ```
//!
//! A line of a window, `[column, C]`, lies in one piece in both.

use crate::plan::ConvGeometry;

/// y[position] = the values of x under the window there, 0 outside
#[inline(always)]
pub(super) fn im2col(y: &mut [f32], x: &[f32], w: &ConvGeometry) {
    let images = x.chunks_exact(w.input_area() * w.channels);
    for (y, x) in y.chunks_exact_mut(w.output_area() * w.patch_len()).zip(images) {
        let mut lines = y.chunks_exact_mut(w.kernel * w.channels);
        each_line(w, |inside| {
            let to = lines.next().expect("each line of each window");
            match inside {
                None => to.fill(0.0),
                Some(Line { skip, from, len }) => {
                    if len < to.len() {
                        to.fill(0.0);
                    }
                    copy(&mut to[skip..][..len], &x[from..][..len]);
                }
            }
        });
    }
}

/// y = the sum of what each row of x lays under its window; added to y
#[inline(always)]
pub(super) fn col2im(y: &mut [f32], x: &[f32], w: &ConvGeometry) {
    let columns = x.chunks_exact(w.output_area() * w.patch_len());
    for (y, x) in y.chunks_exact_mut(w.input_area() * w.channels).zip(columns) {
        let mut lines = x.chunks_exact(w.kernel * w.channels);
        each_line(w, |inside| {
            let from = lines.next().expect("each line of each window");
            if let Some(Line { skip, from: to, len }) = inside {
                add(&mut y[to..][..len], &from[skip..][..len]);
            }
        });
    }
}

/// The part of a line of a window that lies inside the image.
#[derive(Clone, Copy)]
struct Line {
    /// Values of it that lie before the image.
    skip: usize,
    /// Where the others are in the image.
    from: usize,
    len: usize,
}

/// Calls f for each line of each window, with none where it lies outside.
#[inline(always)]
fn each_line(w: &ConvGeometry, mut f: impl FnMut(Option<Line>)) {
    let ([height, width], [rows, columns]) = (w.input, w.output);
    for oy in 0..rows {
        for ox in 0..columns {
            let left = ox * w.stride;
            let skip = w.padding.saturating_sub(left);
            let (start, end) = (left + skip - w.padding, (left + w.kernel).saturating_sub(w.padding).min(width));
            let len = end.saturating_sub(start) * w.channels;
            for row in 0..w.kernel {
                let y = (oy * w.stride + row).wrapping_sub(w.padding);
                let inside = y < height && len > 0;
                f(inside.then(|| Line { skip: skip * w.channels, from: (y * width + start) * w.channels, len }));
            }
        }
    }
}

/// y += x
#[inline(always)]
fn add(y: &mut [f32], x: &[f32]) {
    match (<&mut [f32; 5]>::try_from(&mut *y), <&[f32; 5]>::try_from(x)) {
        (Ok(y), Ok(x)) => (0..5).for_each(|i| y[i] += x[i]),
        _ => y.iter_mut().zip(x).for_each(|(y, x)| *y += x),
    }
}

/// Without a call where the length is that of a whole line of one channel.
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

    /// The value under tap (i, j) at position (oy, ox), straight from the definition.
    fn under(x: &[f32], w: &ConvGeometry, [oy, ox, i, j, c]: [usize; 5]) -> Option<usize> {
        let (y, left) =
            ((oy * w.stride + i) as isize - w.padding as isize, (ox * w.stride + j) as isize - w.padding as isize);
        let inside = (0..w.input[0] as isize).contains(&y) && (0..w.input[1] as isize).contains(&left);
        let at = (y * w.input[1] as isize + left) * w.channels as isize + c as isize;
        inside.then_some(at as usize).filter(|at| *at < x.len())
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
    fn windows_see_what_lies_under_them_and_lay_it_back() {
        let sizes = [[28, 28], [7, 7], [1, 1], [2, 3], [5, 1], [6, 9]];
        for (input, channels) in sizes.into_iter().flat_map(|input| [(input, 1), (input, 3)]) {
            let w = ConvGeometry::halving(input, channels);
            let image: Vec<f32> = (1..=w.input_area() * channels).map(|v| v as f32).collect();
            let x = [&image[..], &image[..]].concat(); // two images
            let columns = w.output_area() * w.patch_len();
            let mut y = vec![7.0; 2 * columns];
            im2col(&mut y, &x, &w);
            let mut laid = vec![0.0; image.len()];
            each(&w, |k, at| {
                let from = under(&image, &w, at);
                assert_eq!(y[columns + k], from.map_or(0.0, |from| image[from]), "{w:?} {at:?}");
                if let Some(to) = from {
                    laid[to] += y[k];
                }
            });
            let mut back = vec![1.0; x.len()];
            col2im(&mut back, &y, &w);
            assert!(back.iter().zip(laid.iter().chain(&laid)).all(|(got, expected)| *got == 1.0 + expected), "{w:?}");
        }
    }
}
