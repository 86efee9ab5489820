//! The GEMMs against their formulas, and sparse ones against dense ones.

use super::amx::TileUnit;
use super::sparsity::{GROUP, NonzeroColumns, NonzeroRows};
use super::*;
use crate::backend::cpu::scratch::ScratchVec;
use crate::backend::cpu::simd::InstructionSet;
use crate::plan::{Activation, Precision, Side};
use std::ops::Range;

/// The three GEMMs of a layer of one shape, each against its formula in f64.
struct Check<'a> {
    packing: Packing,
    shape: [usize; 3],
    x: &'a [f32],
}

impl WithArithmetic for Check<'_> {
    #[inline(always)]
    fn with_arithmetic<S: Simd, A: Arithmetic>(self, simd: S, arithmetic: A) {
        check(simd, arithmetic, self);
    }
}

/// Runs `check` in every arithmetic of this CPU, and on the model of AMX's tiles.
fn check_all(shape: [usize; 3], x: &[f32]) {
    for isa in InstructionSet::available().into_iter().chain(InstructionSet::amx_models()) {
        let _tiles = isa.tiles().map(TileUnit::configure);
        let split = isa.tiles().map(|_| Precision::Bf16x3);
        for precision in [Some(Precision::Fp32), Some(Precision::Bf16), split].into_iter().flatten() {
            let packing = Packing::new(precision, isa);
            isa.dispatch(InArithmetic(packing, Check { packing, shape, x }));
        }
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
    fn apply<S: Simd>(&mut self, _: S, rows: Range<usize>, gradient: &[f32]) {
        assert_eq!((self.end, gradient.len()), (rows.start, rows.len() * self.width));
        self.end = rows.end;
    }
}

#[inline(always)]
fn check<S: Simd, A: Arithmetic>(simd: S, arithmetic: A, Check { packing, shape: [rows, inp, out], x }: Check) {
    // Sixteenths, which bf16 holds exactly, so that one bound serves all.
    let values = |n: usize, step: usize| (0..n).map(|i| (i * step % 31) as f32 / 16.0 - 1.0).collect::<Vec<f32>>();
    let (dy, w, b) = (values(rows * out, 29), values(inp * out, 37), values(out, 7));
    let panels = packing.panels([inp, out], S::LANES);
    let mut values = vec![0.0; panels.values()];
    panels.pack(&mut values, &w);
    let mut packed = [vec![], vec![]];
    for panel in 0..panels.count() {
        // In two parts, as tiles of a parameter are.
        let middle = inp / 2 / packing.rows() * packing.rows();
        for rows in [0..middle, middle..inp] {
            let Some(at) = packing.weight(panels, panel, rows.clone()) else { continue };
            std::iter::zip(&mut packed, &at).for_each(|(packed, at)| packed.resize(at.end.max(packed.len()), 0));
            let [forward, backward] = &mut packed;
            let to = [&mut forward[at[0].clone()], &mut backward[at[1].clone()]];
            arithmetic.pack_weight(simd, to, &values[panels.rows(panel, rows)], panels.width(panel));
        }
    }
    let mut weight = PackedWeight::f32(panels, &values);
    if packing != Packing::F32 {
        (weight.forward, weight.backward) = (&packed[0], &packed[1]);
    }
    let mut bias = b.clone();
    bias.resize(out.next_multiple_of(S::LANES), 0.0);
    let sum = |n: usize, f: &dyn Fn(usize) -> f32| (0..n).map(|i| f(i) as f64).sum::<f64>();
    // Sums of n products of numbers up to 1, rounded at each step.
    let near = |what: &str, got: f32, expected: f64, n: usize| {
        let error = (got as f64 - expected).abs();
        assert!(error < 1e-6 * (n as f64 + 1.0), "{what} {rows} x {inp} x {out}: expected {expected}, got {got}");
    };

    let mut scratch = ScratchVec::default();
    let x_along = arithmetic.pack_rows(simd, x, inp, &mut scratch);
    let mut y = vec![f32::NAN; rows * out];
    arithmetic.forward(simd, &mut y, x_along, weight, &bias, Activation::Relu, None);
    for (r, o) in (0..rows * out).map(|i| (i / out, i % out)) {
        let expected = sum(inp, &|i| x[r * inp + i] * w[i * out + o]) + b[o] as f64;
        near("forward", y[r * out + o], expected.max(0.0), inp);
    }
    let mut columns = NonzeroColumns::default();
    if A::SPARSE && columns.scan(simd, x_along, x_along.len() / rows) {
        let mut sparse = vec![f32::NAN; rows * out];
        arithmetic.forward(simd, &mut sparse, x_along, weight, &bias, Activation::Relu, Some(&columns));
        assert!(sparse.iter().zip(&y).all(|(a, b)| a.to_bits() == b.to_bits()), "forward: the same bits");
    }

    let mut scratch = ScratchVec::default();
    let dy_along = arithmetic.pack_rows(simd, &dy, out, &mut scratch);
    let mut dx = vec![1.0; rows * inp];
    for add in [true, false] {
        arithmetic.input_gradient(simd, &mut dx, dy_along, weight, add, &mut TransposeScratch::default());
        for (r, i) in (0..rows * inp).map(|k| (k / inp, k % inp)) {
            let expected = sum(out, &|o| dy[r * out + o] * w[i * out + o]);
            near("input gradient", dx[r * inp + i], expected + add as u8 as f64, out);
        }
    }
    let mut transposed = TransposedWeight::default();
    let (zeros, mut again) = (vec![0.0; inp.next_multiple_of(S::LANES)], vec![f32::NAN; rows * inp]);
    let weight = arithmetic.transposed(simd, weight, &mut transposed);
    arithmetic.forward(simd, &mut again, dy_along, weight, &zeros, Activation::None, None);
    for (i, (a, b)) in again.iter().zip(&dx).enumerate() {
        near("input gradient, transposed weight", *a, *b as f64, out);
        assert!(
            packing == Packing::Pairs || a.to_bits() == b.to_bits(),
            "input gradient, transposed weight: the same bits at {i}"
        );
    }

    let operand = |values: &[f32], width: usize, side: Side| {
        let mut packed = vec![0; rows.div_ceil(packing.rows()) * packing.row_len(width)];
        arithmetic.pack_operand(simd, &mut packed, values, width, side);
        if packing == Packing::F32 { as_packed(values).to_vec() } else { packed }
    };
    let (x_packed, dy_packed) = (operand(x, inp, Side::Left), operand(&dy, out, Side::Right));
    let [x_len, dy_len] = [inp, out].map(|width| packing.row_len(width));
    let block = if A::SPARSE { 8 } else { 1 }; // packed rows
    let mut tables = vec![];
    if A::SPARSE {
        for rows in x_packed.chunks(block * inp) {
            let mut table = vec![0; NonzeroRows::table_len(inp)];
            NonzeroRows::scan(simd, &mut table, rows, inp, &mut vec![]);
            tables.extend(table);
        }
    }
    for panel in 0..panels.count() {
        let together = packing.rows().max(GROUP);
        let (tile, columns) = (inp / 2 / together * together..inp, panels.columns(panel));
        let width = panels.width(panel);
        let gradient = |nonzero: Option<NonzeroRows>| {
            let mut g = vec![f32::NAN; tile.len() * width];
            let mut finished = Finished { width, end: tile.start };
            let operands = |x, dy, accumulate| WeightGradient { panels, panel, x, dy, accumulate };
            // In two parts, of which the first is some blocks long.
            let count = x_packed.len() / x_len;
            let part = count / 2 / block * block;
            let ((x1, x2), (dy1, dy2)) = (x_packed.split_at(part * x_len), dy_packed.split_at(part * dy_len));
            if part > 0 {
                let none = None::<&mut Finished>;
                let nonzero = nonzero.map(|nonzero| nonzero.part(0..part));
                arithmetic.weight_gradient(simd, &mut g, &operands(x1, dy1, false), tile.clone(), nonzero, none);
            }
            let nonzero = nonzero.map(|nonzero| nonzero.part(part..count));
            let epilogue = Some(&mut finished);
            arithmetic.weight_gradient(simd, &mut g, &operands(x2, dy2, part > 0), tile.clone(), nonzero, epilogue);
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
        let sparse = gradient((A::SPARSE && inp >= GROUP).then(|| unsafe { NonzeroRows::new(&tables, block, inp) }));
        assert!(sparse.iter().zip(&g).all(|(a, b)| a.to_bits() == b.to_bits()), "weight gradient: the same bits");
    }
}

const SHAPES: [[usize; 3]; 9] = [
    [1, 1, 1],
    [31, 257, 31],
    [64, 31, 257],
    [9, 5, 48],
    [64, 49, 40],
    [2, 100, 16],
    [17, 3, 49],
    [8, 33, 20],
    [600, 20, 20],
];

#[test]
fn gemms_agree_with_their_formulas_at_odd_sizes_in_every_arithmetic() {
    for [rows, inp, out] in SHAPES {
        let x: Vec<f32> = (0..rows * inp).map(|i| (i * 41 % 31) as f32 / 16.0 - 1.0).collect();
        check_all([rows, inp, out], &x);
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
        check_all([rows, inp, out], &x);
    }
}
