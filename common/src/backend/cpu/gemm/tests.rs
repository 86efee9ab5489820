//! The GEMMs against their formulas, and sparse ones against dense ones.

use super::microkernel::{Bf16Pair, Element, F32};
use super::sparsity::{GROUP, NonzeroColumns, NonzeroRows};
use super::*;
use crate::backend::cpu::scratch::ScratchVec;
use crate::backend::cpu::simd::{InstructionSet, WithSimd};
use crate::plan::Activation;
use std::ops::Range;

/// The three GEMMs of a layer of one shape, each against its formula in f64.
struct Check<'a>([usize; 3], &'a [f32]);

impl WithSimd for Check<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        check::<S, F32>(simd, self.0, self.1);
        check::<S, Bf16Pair>(simd, self.0, self.1);
    }
}

/// How far the rows of a gradient are finished.
struct Finished {
    width: usize,
    end: usize,
}

impl Epilogue for &mut Finished {
    fn prefetch(&self, _: Range<usize>) -> [&[u32]; 3] {
        [&[]; 3]
    }
    fn apply(&mut self, rows: Range<usize>, gradient: &[f32]) {
        assert_eq!((self.end, gradient.len()), (rows.start, rows.len() * self.width));
        self.end = rows.end;
    }
}

/// Operands as packed elements: [along K, interleaved].
fn pack<S: Simd, E: Element>(simd: S, values: &[f32], width: usize) -> [Vec<u32>; 2] {
    if E::VALUES == 1 {
        return [as_packed(values).to_vec(), as_packed(values).to_vec()];
    }
    let rows = values.len() / width;
    let (mut along, mut interleaved) = (vec![0; rows * bf16::pairs(width)], vec![0; bf16::pairs(rows) * width]);
    bf16::pack_along_k(simd, &mut along, values, width);
    bf16::vnni_interleave(simd, &mut interleaved, values, width);
    [along, interleaved]
}

/// The operands of the gradient of a panel, packed where they are wide.
fn operands<'a>(
    panels: Panels,
    panel: usize,
    [x, dy]: [&'a [u32]; 2],
    [x_scratch, dy_scratch]: &'a mut [ScratchVec<u32>; 2],
    accumulate: bool,
) -> WeightGradient<'a> {
    let x = Columns::all(x, panels.inp).pack(panels.inp / 8 * 4..panels.inp, x_scratch);
    let dy = Columns::all(dy, panels.out).pack(panels.columns(panel), dy_scratch);
    WeightGradient { panels, panel, x, dy, accumulate }
}

#[inline(always)]
fn check<S: Simd, E: Element>(simd: S, [rows, inp, out]: [usize; 3], x: &[f32]) {
    // Sixteenths, which bf16 holds exactly, so that one bound serves both.
    let values = |n: usize, step: usize| (0..n).map(|i| (i * step % 31) as f32 / 16.0 - 1.0).collect::<Vec<f32>>();
    let (dy, w, b) = (values(rows * out, 29), values(inp * out, 37), values(out, 7));
    let panels = Panels::new([inp, out], S::LANES);
    let mut packed = vec![0.0; panels.values()];
    panels.pack(&mut packed, &w);
    let mut pairs = [vec![0; panels.packed(2).values()], vec![0; panels.values() / 2]];
    let [forward_pairs, backward_pairs] = &mut pairs;
    let portable = InstructionSet::available()[0]; // the lanes are those of the panels
    panels.pack_bf16(portable, forward_pairs, backward_pairs, &packed);
    let weight = match E::VALUES {
        1 => PackedWeight::f32(panels, &packed),
        _ => PackedWeight { panels, forward: &pairs[0], backward: &pairs[1] },
    };
    let mut bias = b.clone();
    bias.resize(out.next_multiple_of(S::LANES), 0.0);
    let sum = |n: usize, f: &dyn Fn(usize) -> f32| (0..n).map(|i| f(i) as f64).sum::<f64>();
    // Sums of n products of numbers up to 1, rounded at each step.
    let near = |what: &str, got: f32, expected: f64, n: usize| {
        let error = (got as f64 - expected).abs();
        assert!(error < 1e-6 * (n as f64 + 1.0), "{what} {rows} x {inp} x {out}: expected {expected}, got {got}");
    };

    let [x_along, x_interleaved] = pack::<S, E>(simd, x, inp);
    let mut y = vec![f32::NAN; rows * out];
    forward::<S, E>(simd, &mut y, &x_along, weight, &bias, Activation::Relu, None);
    for (r, o) in (0..rows * out).map(|i| (i / out, i % out)) {
        let expected = sum(inp, &|i| x[r * inp + i] * w[i * out + o]) + b[o] as f64;
        near("forward", y[r * out + o], expected.max(0.0), inp);
    }
    let mut columns = NonzeroColumns::default();
    if columns.scan(simd, &x_along, inp.div_ceil(E::VALUES)) {
        let mut sparse = vec![f32::NAN; rows * out];
        forward::<S, E>(simd, &mut sparse, &x_along, weight, &bias, Activation::Relu, Some(&columns));
        assert!(sparse.iter().zip(&y).all(|(a, b)| a.to_bits() == b.to_bits()), "forward: the same bits");
    }

    let [dy_along, dy_interleaved] = pack::<S, E>(simd, &dy, out);
    let mut dx = vec![1.0; rows * inp];
    for add in [true, false] {
        input_gradient::<S, E>(simd, &mut dx, &dy_along, weight, add, &mut TransposeScratch::default());
        for (r, i) in (0..rows * inp).map(|k| (k / inp, k % inp)) {
            let expected = sum(out, &|o| dy[r * out + o] * w[i * out + o]);
            near("input gradient", dx[r * inp + i], expected + add as u8 as f64, out);
        }
    }
    let mut transposed = TransposedWeight::default();
    let (zeros, mut again) = (vec![0.0; inp.next_multiple_of(S::LANES)], vec![f32::NAN; rows * inp]);
    let weight = transposed.transpose::<S, E>(simd, [inp, out], &packed);
    forward::<S, E>(simd, &mut again, &dy_along, weight, &zeros, Activation::None, None);
    for (i, (a, b)) in again.iter().zip(&dx).enumerate() {
        near("input gradient, transposed weight", *a, *b as f64, out);
        assert!(E::VALUES > 1 || a.to_bits() == b.to_bits(), "input gradient, transposed weight: the same bits at {i}");
    }

    let block = 8; // packed rows
    let mut tables = vec![];
    for rows in x_interleaved.chunks(block * inp) {
        let mut table = vec![0; NonzeroRows::table_len(inp)];
        NonzeroRows::scan(simd, &mut table, rows, inp, &mut vec![]);
        tables.extend(table);
    }
    for panel in 0..panels.count() {
        let (tile, columns) = (inp / 8 * 4..inp, panels.columns(panel));
        let width = panels.width(panel);
        let gradient = |nonzero: Option<NonzeroRows>| {
            let mut g = vec![f32::NAN; tile.len() * width];
            let mut finished = Finished { width, end: tile.start };
            let mut scratch: [[ScratchVec<u32>; 2]; 2] = Default::default();
            let [scratch1, scratch2] = &mut scratch;
            // In two parts, of which the first is some blocks long.
            let part = x_interleaved.len() / inp / 2 / block * block;
            let ((x1, x2), (dy1, dy2)) = (x_interleaved.split_at(part * inp), dy_interleaved.split_at(part * out));
            if part > 0 {
                let none = None::<&mut Finished>;
                let operands = operands(panels, panel, [x1, dy1], scratch1, false);
                weight_gradient::<S, E>(simd, &mut g, &operands, tile.clone(), nonzero, none);
            }
            let nonzero = nonzero.map(|nonzero| nonzero.from(part));
            let epilogue = Some(&mut finished);
            let operands = operands(panels, panel, [x2, dy2], scratch2, part > 0);
            weight_gradient::<S, E>(simd, &mut g, &operands, tile.clone(), nonzero, epilogue);
            assert_eq!(finished.end, tile.end);
            g
        };
        let g = gradient(None);
        for (i, o) in tile.clone().flat_map(|i| columns.clone().map(move |o| (i, o))) {
            let got = g[(i - tile.start) * width + o - columns.start];
            near("weight gradient", got, sum(rows, &|r| x[r * inp + i] * dy[r * out + o]), rows);
        }
        assert!(g.iter().all(|v| v.is_finite()), "padding columns are filled");
        // SAFETY: every table is filled above.
        #[allow(unsafe_code)]
        let sparse = gradient((inp >= GROUP).then(|| unsafe { NonzeroRows::new(&tables, block, inp) }));
        assert!(sparse.iter().zip(&g).all(|(a, b)| a.to_bits() == b.to_bits()), "weight gradient: the same bits");
    }
}

const SHAPES: [[usize; 3]; 11] = [
    [1, 1, 1],
    [31, 257, 31],
    [64, 31, 257],
    [9, 5, 48],
    [64, 49, 40],
    [2, 100, 16],
    [17, 3, 49],
    [8, 33, 20],
    [600, 20, 20],
    [17, 1031, 33],
    [9, 20, 1030],
];

#[test]
fn gemms_agree_with_their_formulas_at_odd_sizes_on_every_instruction_set() {
    for [rows, inp, out] in SHAPES {
        let x: Vec<f32> = (0..rows * inp).map(|i| (i * 41 % 31) as f32 / 16.0 - 1.0).collect();
        InstructionSet::available().into_iter().for_each(|isa| isa.dispatch(Check([rows, inp, out], &x)));
    }
}

#[test]
fn gemms_of_mostly_black_images_have_the_bits_of_dense_ones() {
    for [rows, inp, out] in SHAPES {
        // Strokes: a few neighbours in each row, elsewhere in the next.
        let x = (0..rows * inp).map(|k| (k / inp, k % inp)).map(|(r, i)| {
            let ink = (i + r * 3) % 40 < 7 && r % 5 != 4;
            if ink { ((i * 7 + r) % 16) as f32 / 16.0 } else { 0.0 }
        });
        let x: Vec<f32> = x.collect();
        InstructionSet::available().into_iter().for_each(|isa| isa.dispatch(Check([rows, inp, out], &x)));
    }
}
