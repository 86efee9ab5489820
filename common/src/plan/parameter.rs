//! Parameters of a plan, `[in, out]`, and their layout in a PyTorch state dict.
//!
//! ```text
//! linear           [out, in]
//! convolution      [out, channels, row, column]     in = (row, column, channel)
//! transposed       [in, channels, row, column]      out = (row, column, channel)
//! ```
//!
//! Activations of a convolution are `[H, W, C]` here and `[C, H, W]` there; a linear layer next to one is permuted alike.

use super::Param;

/// A parameter of a plan: one tensor of the state dict, or several concatenated along `out`.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// `[in, out]`.
    pub param: Param,
    /// The names of its tensors, equal slices of `out`: `mu.weight`, `logvar.weight`.
    pub names: Vec<String>,
    /// Weight or bias, for initialization.
    pub role: Role,
    /// The layout of each tensor.
    pub layout: Layout,
}

impl Parameter {
    /// The `out` of each of its tensors.
    pub fn part(&self) -> usize {
        self.param.out / self.names.len()
    }
}

/// Weight or bias, with the fans of initialization.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// A weight, with PyTorch's fans.
    Weight {
        /// Inputs of a unit.
        fan_in: usize,
        /// Outputs of an input.
        fan_out: usize,
    },
    /// A bias.
    Bias {
        /// Of its weight.
        fan_in: usize,
    },
}

/// The layout of a tensor in the state dict.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Its shape.
    pub shape: Vec<usize>,
    /// The permutations of `in` and `out`.
    pub axes: [Axis; 2],
    /// Whether the first dimension is `in`.
    pub in_first: bool,
}

/// The permutation of a dimension: `[positions, channels]` here, `[channels, positions]` in the state dict; elements beyond
/// these (labels) keep their place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Axis {
    /// Positions of an image, or pixels of a kernel.
    pub positions: usize,
    /// Channels at each.
    pub channels: usize,
}

impl Axis {
    /// The identity.
    pub const PLAIN: Axis = Axis { positions: 1, channels: 0 };

    /// The index in the state dict of element i.
    #[inline]
    pub fn index(self, i: usize) -> usize {
        let Axis { positions, channels } = self;
        if positions == 1 || i >= positions * channels { i } else { i % channels * positions + i / channels }
    }
}

impl Layout {
    /// The layout of a linear layer with these permutations of `in` and `out`.
    pub fn linear([inp, out]: [usize; 2], axes: [Axis; 2]) -> Layout {
        Layout { shape: vec![out, inp], axes, in_first: false }
    }
    /// Whether it is the plain transpose, `[out, in]`.
    pub fn is_transpose(&self) -> bool {
        !self.in_first && self.axes.iter().all(|axis| axis.positions == 1)
    }
    /// Calls f(i, j, index in the state dict) for each element `[i, j]` of `[in, out]`.
    pub fn for_each(&self, [inp, out]: [usize; 2], mut f: impl FnMut(usize, usize, usize)) {
        for j in 0..out {
            let to = self.axes[1].index(j);
            for i in 0..inp {
                let from = self.axes[0].index(i);
                f(i, j, if self.in_first { from * out + to } else { to * inp + from });
            }
        }
    }
    /// The layout of a vector.
    pub fn vector(out: usize, axis: Axis) -> Layout {
        Layout { shape: vec![out], axes: [Axis::PLAIN, axis], in_first: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_and_positions_are_permuted_and_the_rest_keeps_its_place() {
        let axis = Axis { positions: 3, channels: 2 };
        let indices: Vec<usize> = (0..8).map(|i| axis.index(i)).collect();
        assert_eq!(indices, [0, 3, 1, 4, 2, 5, 6, 7]);
        assert!((0..9).all(|i| Axis::PLAIN.index(i) == i));
    }
}
