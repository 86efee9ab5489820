//! The geometry of a convolution.

/// A square window that moves over `[H, W, C]` and stops at `[OH, OW]` positions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// C.
    pub channels: usize,
    /// `[H, W]`.
    pub input: [usize; 2],
    /// `[OH, OW]`.
    pub output: [usize; 2],
    /// Its side, in pixels.
    pub size: usize,
    /// Pixels from one position to the next.
    pub stride: usize,
    /// Pixels by which the first position lies outside.
    pub pad: usize,
}

impl Window {
    /// 5 x 5 pixels at every other one: `[H, W]` becomes half of it, rounded up. In PyTorch's words, kernel 5, stride 2,
    /// padding 2; the transposed convolution with output padding 1 where the side is even.
    pub fn halving(input: [usize; 2], channels: usize) -> Window {
        let (size, stride, pad) = (5, 2, 2);
        let output = input.map(|n| (n + 2 * pad - size) / stride + 1);
        Window { channels, input, output, size, stride, pad }
    }
    /// OH · OW.
    pub fn positions(&self) -> usize {
        self.output[0] * self.output[1]
    }
    /// H · W.
    pub fn places(&self) -> usize {
        self.input[0] * self.input[1]
    }
    /// Pixels under it.
    pub fn taps(&self) -> usize {
        self.size * self.size
    }
    /// Values under it.
    pub fn values(&self) -> usize {
        self.taps() * self.channels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_halved_and_rounded_up() {
        assert_eq!(Window::halving([28, 28], 1).output, [14, 14]);
        assert_eq!(Window::halving([7, 1], 3).output, [4, 1]);
        assert_eq!(Window::halving([7, 1], 3).values(), 75);
    }
}
