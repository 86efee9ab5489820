//! The geometry of a convolution.

/// A convolution with a square kernel from `[H, W, C]` to `[OH, OW]` output positions, in PyTorch's terms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConvGeometry {
    /// C.
    pub channels: usize,
    /// `[H, W]`.
    pub input: [usize; 2],
    /// `[OH, OW]`.
    pub output: [usize; 2],
    /// Kernel size, in pixels.
    pub kernel: usize,
    /// Stride, in pixels.
    pub stride: usize,
    /// Zero padding on each side, in pixels.
    pub padding: usize,
}

impl ConvGeometry {
    /// Kernel 5, stride 2, padding 2: `[H, W]` becomes half of it, rounded up. The transposed convolution has output padding
    /// 1 where the side is even.
    pub fn halving(input: [usize; 2], channels: usize) -> ConvGeometry {
        let (kernel, stride, padding) = (5, 2, 2);
        let output = input.map(|n| (n + 2 * padding - kernel) / stride + 1);
        ConvGeometry { channels, input, output, kernel, stride, padding }
    }
    /// OH · OW.
    pub fn output_area(&self) -> usize {
        self.output[0] * self.output[1]
    }
    /// H · W.
    pub fn input_area(&self) -> usize {
        self.input[0] * self.input[1]
    }
    /// Pixels of the kernel.
    pub fn kernel_area(&self) -> usize {
        self.kernel * self.kernel
    }
    /// Values of a patch, the pixels of the kernel with their channels: the columns of im2col.
    pub fn patch_len(&self) -> usize {
        self.kernel_area() * self.channels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_halved_and_rounded_up() {
        assert_eq!(ConvGeometry::halving([28, 28], 1).output, [14, 14]);
        assert_eq!(ConvGeometry::halving([7, 1], 3).output, [4, 1]);
        assert_eq!(ConvGeometry::halving([7, 1], 3).patch_len(), 75);
    }
}
