//! The products of a layer on the rows of a block: forwards, and the gradient of what goes in.

use super::multiply::{CellWork, Cells};
use super::product::{self, Turned, as_cells};
use super::simd::Simd;
use super::turn::TurnedWeight;
use super::zeros::Columns;
use super::{bf16, kernels as k, windows};
use crate::backend::memory::Block;
use crate::plan::{Activation, Activations, ConvGeometry, Op, Param, Program};

/// Room that a thread uses again and again.
#[derive(Default)]
pub(super) struct Scratch {
    along: Vec<u32>,
    turned: Turned,
    columns: Columns,
    pub(super) bits: Vec<u64>,
    zeros: Vec<f32>,
    laid: Vec<f32>,
    turned_weight: TurnedWeight,
}

/// Values of a weight that is turned round rather than all the rows that it is multiplied with.
const SMALL: usize = 1 << 16;
/// Values that are laid under windows at a time.
const LAID: usize = 1 << 16;

/// The cells of rows along their width.
#[inline(always)]
fn along<'a, S: Simd, C: Cells>(simd: S, values: &'a [f32], width: usize, room: &'a mut Vec<u32>) -> &'a [u32] {
    if C::PER == 1 {
        return as_cells(values);
    }
    let cells = values.len() / width * bf16::cells(width);
    room.resize(room.len().max(cells), 0);
    bf16::along(simd, &mut room[..cells], values, width);
    &room[..cells]
}

/// A product of rows with a weight or its W^T, whose result is put somewhere. All are one kind, since the code of a forward
/// product is large and there should be one copy of it for each level.
pub(super) struct Forward {
    y: Activations,
    x: Activations,
    w: Param,
    transpose_w: bool,
    b: Option<Param>,
    act: Activation,
    /// Each row is laid under its window, onto what is there if `add`.
    col2im: Option<(ConvGeometry, bool)>,
}

impl Forward {
    /// What an operation is, if it is one.
    pub(super) fn of(op: &Op) -> Option<Forward> {
        match *op {
            Op::Linear { y, x, w, b, act } => Some(Forward { y, x, w, transpose_w: false, b, act, col2im: None }),
            Op::ConvTranspose { y, x, w, transpose_w, b, act, conv, add } => {
                Some(Forward { y, x, w, transpose_w, b, act, col2im: Some((conv, add)) })
            }
            // Many rows of a small weight: it is turned round rather than they.
            Op::LinearBack { dx: y, dy: x, w, add: false } if y.per_image > 1 && w.values() <= SMALL => {
                Some(Forward { y, x, w, transpose_w: true, b: None, act: Activation::None, col2im: None })
            }
            _ => None,
        }
    }

    /// On the rows of a block.
    pub(super) fn on<'a, 'm>(self, at: Block<'m>, program: &Program, scratch: &'a mut Scratch) -> Multiply<'a, 'm> {
        let gathered = program.is_input(self.x);
        Multiply { product: self, at, gathered, scratch }
    }
}

/// A forward product on the rows of a block.
pub(super) struct Multiply<'a, 'm> {
    product: Forward,
    at: Block<'m>,
    /// Whether x comes from the data, so that most of it may be zero.
    gathered: bool,
    scratch: &'a mut Scratch,
}

impl CellWork for Multiply<'_, '_> {
    #[inline(always)]
    fn on<S: Simd, C: Cells>(self, simd: S) {
        let Multiply { product, at, gathered, scratch } = self;
        let Forward { y, x, w, transpose_w, b, act, col2im } = product;
        let cells = along::<S, C>(simd, at.read(x), x.width, &mut scratch.along);
        let listed = gathered && scratch.columns.find(simd, cells, x.width.div_ceil(C::PER));
        let lit = listed.then_some(&scratch.columns);
        let weight = match transpose_w {
            true => scratch.turned_weight.of::<S, C>(simd, [w.inp, w.out], at.bias(w)),
            false => at.weight(w, C::PRECISION),
        };
        let (out, bias) = (weight.panels.out, b.map(|b| at.bias(b)));
        let zeros = out.next_multiple_of(S::LANES);
        scratch.zeros.resize(scratch.zeros.len().max(zeros), 0.0);
        // The product keeps its sums in registers through what is a few instructions.
        let fused = col2im.is_none() && !matches!(act, Activation::Tanh | Activation::Softplus);
        let (within, after) = if fused { (act, Activation::None) } else { (Activation::None, act) };
        let added = if col2im.is_some() { None } else { bias };
        let added = added.unwrap_or(&scratch.zeros[..zeros]);
        let y = at.write(y);
        // What is laid under windows is used at once: a few images of it stay in the cache.
        let (part, image) = match col2im {
            None => (y.len(), y.len()),
            Some((conv, add)) => {
                match bias {
                    Some(b) => y.chunks_exact_mut(conv.channels).for_each(|y| y.copy_from_slice(&b[..y.len()])),
                    None if !add => y.fill(0.0),
                    None => {}
                }
                let image = conv.input_area() * conv.channels;
                ((LAID / (conv.output_area() * conv.patch_len())).max(1) * image, image)
            }
        };
        let cells_of_part = cells.len() / (y.len() / image) * (part / image);
        for (y, x) in y.chunks_mut(part).zip(cells.chunks(cells_of_part)) {
            let laid = col2im.map_or(0, |(conv, _)| y.len() / image * conv.output_area() * conv.patch_len());
            scratch.laid.resize(scratch.laid.len().max(laid), 0.0);
            let to = if col2im.is_some() { &mut scratch.laid[..laid] } else { &mut *y };
            product::forward::<S, C>(simd, to, x, weight, added, within, lit);
            if let Some((conv, _)) = &col2im {
                windows::col2im(y, &scratch.laid[..laid], conv);
            }
        }
        k::activate(y, after);
    }
}

/// dx = dy W^T, added to dx if `add`.
pub(super) struct Back<'a, 'm> {
    pub(super) dx: Activations,
    pub(super) dy: Activations,
    pub(super) w: Param,
    pub(super) add: bool,
    pub(super) at: Block<'m>,
    pub(super) scratch: &'a mut Scratch,
}

impl CellWork for Back<'_, '_> {
    #[inline(always)]
    fn on<S: Simd, C: Cells>(self, simd: S) {
        let Back { dx, dy, w, add, at, scratch } = self;
        let cells = along::<S, C>(simd, at.read(dy), dy.width, &mut scratch.along);
        let w = at.weight(w, C::PRECISION);
        product::input_gradient::<S, C>(simd, at.write(dx), cells, w, add, &mut scratch.turned)
    }
}
