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
    /// Of images `[H, W, C]`; the output size is `floor((n + 2 padding - kernel) / stride) + 1` on each side. The transposed
    /// convolution has the output padding that makes its output `[H, W]`.
    ///
    /// # Panics
    /// Where the kernel is larger than the padded image.
    pub fn new(input: [usize; 2], channels: usize, kernel: usize, stride: usize, padding: usize) -> ConvGeometry {
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
    /// `[H + 2 padding, W + 2 padding]`: the image with its zeros around it.
    pub fn padded(&self) -> [usize; 2] {
        self.input.map(|n| n + 2 * self.padding)
    }
    /// Values of a padded image.
    pub fn padded_len(&self) -> usize {
        self.padded().iter().product::<usize>() * self.channels
    }
    /// Values of a patch, the pixels of the kernel with their channels: the columns of im2col.
    pub fn patch_len(&self) -> usize {
        self.kernel_area() * self.channels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn halving(input: [usize; 2], channels: usize) -> ConvGeometry {
        ConvGeometry::new(input, channels, 5, 2, 2)
    }

    #[test]
    fn sides_are_halved_and_rounded_up() {
        assert_eq!(halving([28, 28], 1).output, [14, 14]);
        assert_eq!(halving([7, 1], 3).output, [4, 1]);
        assert_eq!(halving([7, 1], 3).patch_len(), 75);
    }
}
