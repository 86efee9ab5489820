//! What a parameter of a plan, `[in, out]`, is in a PyTorch state dict.
//!
//! ```text
//! linear           [out, in]
//! convolution      [out, channels, row, column]     in = (row, column, channel)
//! transposed       [in, channels, row, column]      out = (row, column, channel)
//! ```
//!
//! An image between convolutions is `[H, W, C]` here and `[C, H, W]` there, which a linear layer before or behind them sees.

use super::Param;

/// A parameter of the plan and the tensors of the state dict that lie in it, side by side.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// `[in, out]`.
    pub param: Param,
    /// The names, in a PyTorch state dict, of equal parts of its `out` columns: `mu.weight`, `logvar.weight`.
    pub names: Vec<String>,
    /// What it does.
    pub role: Role,
    /// How it lies in the state dict.
    pub layout: Layout,
}

impl Parameter {
    /// Columns that each of its tensors fills.
    pub fn part(&self) -> usize {
        self.param.out / self.names.len()
    }
}

/// What a parameter does, which says where it starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// A weight, with the values that go into a unit and come out of one, as PyTorch counts them.
    Weight {
        /// Values that go in.
        fan_in: usize,
        /// Values that come out.
        fan_out: usize,
    },
    /// A bias beside a weight.
    Bias {
        /// Of that weight.
        fan_in: usize,
    },
}

/// How each tensor of a parameter lies in the state dict.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Its shape there.
    pub shape: Vec<usize>,
    /// How `in` and `out` are cut.
    pub axes: [Axis; 2],
    /// Whether `in` comes first there.
    pub in_first: bool,
}

/// How the values of a row are cut: `[positions, channels]` here, `[channels, positions]` in the state dict; what is beyond
/// these stays where it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Axis {
    /// Positions of an image, or taps of a window.
    pub positions: usize,
    /// Values at each.
    pub channels: usize,
}

impl Axis {
    /// Of values in no order of their own.
    pub const PLAIN: Axis = Axis { positions: 1, channels: 0 };

    /// Where value i is in the state dict.
    #[inline]
    pub fn place(self, i: usize) -> usize {
        let Axis { positions, channels } = self;
        if positions == 1 || i >= positions * channels { i } else { i % channels * positions + i / channels }
    }
}

impl Layout {
    /// Of a linear layer between rows that are cut like this.
    pub fn linear([inp, out]: [usize; 2], axes: [Axis; 2]) -> Layout {
        Layout { shape: vec![out, inp], axes, in_first: false }
    }
    /// Whether it is `[out, in]`, in the order that it has here.
    pub fn is_plain(&self) -> bool {
        !self.in_first && self.axes.iter().all(|axis| axis.positions == 1)
    }
    /// Calls f(i, j, place in the state dict) for value `[i, j]` of `[in, out]`.
    pub fn each(&self, [inp, out]: [usize; 2], mut f: impl FnMut(usize, usize, usize)) {
        for j in 0..out {
            let to = self.axes[1].place(j);
            for i in 0..inp {
                let from = self.axes[0].place(i);
                f(i, j, if self.in_first { from * out + to } else { to * inp + from });
            }
        }
    }
    /// Of a vector.
    pub fn vector(out: usize, axis: Axis) -> Layout {
        Layout { shape: vec![out], axes: [Axis::PLAIN, axis], in_first: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_and_positions_change_places_and_what_is_beyond_stays() {
        let axis = Axis { positions: 3, channels: 2 };
        let places: Vec<usize> = (0..8).map(|i| axis.place(i)).collect();
        assert_eq!(places, [0, 3, 1, 4, 2, 5, 6, 7]);
        assert!((0..9).all(|i| Axis::PLAIN.place(i) == i));
    }
}
