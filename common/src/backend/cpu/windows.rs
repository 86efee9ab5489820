//! Convolutions as products: images to the rows of values under a window, and back.
//!
//! ```text
//! image [H, W, C]      columns [OH · OW][row][column, C]
//! ```
//!
//! A line of a window, `[column, C]`, lies in one piece in both.

use crate::plan::Window;

/// y[position] = the values of x under the window there, 0 outside
#[inline(always)]
pub(super) fn im2col(y: &mut [f32], x: &[f32], w: &Window) {
    let line = w.size * w.channels;
    let images = x.chunks_exact(w.places() * w.channels);
    for (y, x) in y.chunks_exact_mut(w.positions() * w.values()).zip(images) {
        for (at, to) in y.chunks_exact_mut(line).enumerate() {
            match Line::at(w, at) {
                None => to.fill(0.0),
                Some(Line { skip, from, len }) => {
                    if len < line {
                        to.fill(0.0);
                    }
                    copy(&mut to[skip..][..len], &x[from..][..len]);
                }
            }
        }
    }
}

/// y = the sum of what each row of x lays under its window; added to y
#[inline(always)]
pub(super) fn col2im(y: &mut [f32], x: &[f32], w: &Window) {
    let line = w.size * w.channels;
    let columns = x.chunks_exact(w.positions() * w.values());
    for (y, x) in y.chunks_exact_mut(w.places() * w.channels).zip(columns) {
        for (at, from) in x.chunks_exact(line).enumerate() {
            if let Some(Line { skip, from: to, len }) = Line::at(w, at) {
                y[to..][..len].iter_mut().zip(&from[skip..][..len]).for_each(|(y, x)| *y += x);
            }
        }
    }
}

/// The part of a line of a window that lies inside the image.
struct Line {
    /// Values of it that lie before the image.
    skip: usize,
    /// Where the others are in the image.
    from: usize,
    len: usize,
}

impl Line {
    /// Of line `at` of all windows; none where it lies outside.
    #[inline(always)]
    fn at(w: &Window, at: usize) -> Option<Line> {
        let (position, row) = (at / w.size, at % w.size);
        let (oy, ox) = (position / w.output[1], position % w.output[1]);
        let [height, width] = w.input;
        let y = (oy * w.stride + row).checked_sub(w.pad).filter(|y| *y < height)?;
        let first = ox * w.stride;
        let skip = w.pad.saturating_sub(first);
        let (start, end) = (first + skip - w.pad, (first + w.size).saturating_sub(w.pad).min(width));
        (start < end).then(|| Line {
            skip: skip * w.channels,
            from: (y * width + start) * w.channels,
            len: (end - start) * w.channels,
        })
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
    fn under(x: &[f32], w: &Window, [oy, ox, i, j, c]: [usize; 5]) -> Option<usize> {
        let (y, left) = ((oy * w.stride + i) as isize - w.pad as isize, (ox * w.stride + j) as isize - w.pad as isize);
        let inside = (0..w.input[0] as isize).contains(&y) && (0..w.input[1] as isize).contains(&left);
        let at = (y * w.input[1] as isize + left) * w.channels as isize + c as isize;
        inside.then_some(at as usize).filter(|at| *at < x.len())
    }

    fn each(w: &Window, mut f: impl FnMut(usize, [usize; 5])) {
        let sizes = [w.output[0], w.output[1], w.size, w.size, w.channels];
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
            let w = Window::halving(input, channels);
            let image: Vec<f32> = (1..=w.places() * channels).map(|v| v as f32).collect();
            let x = [&image[..], &image[..]].concat(); // two images
            let columns = w.positions() * w.values();
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
