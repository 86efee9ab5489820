//! The GEMMs against their formulas, and sparse ones against dense ones.

use super::sparsity::{GROUP, NonzeroColumns, NonzeroRows};
use super::*;
use crate::backend::cpu::scratch::ScratchVec;
use crate::backend::cpu::simd::InstructionSet;
use crate::plan::{Activation, Precision, Side};
use std::ops::Range;

/// At least a page of the system.
const PAGE: usize = 1 << 16;

/// Values that end where memory ends: an access beyond them is a fault.
struct Guarded {
    map: memmap2::MmapMut,
    len: usize,
}

impl Guarded {
    fn new(values: impl ExactSizeIterator<Item = f32>) -> Guarded {
        let len = values.len();
        let mut map = memmap2::MmapMut::map_anon((4 * len).next_multiple_of(PAGE) + PAGE).expect("memory");
        let guard = map[(4 * len).next_multiple_of(PAGE)..].as_mut_ptr();
        // SAFETY: nothing refers to the last page of the map.
        #[allow(unsafe_code)]
        let result = unsafe { libc::mprotect(guard.cast(), PAGE, libc::PROT_NONE) };
        assert_eq!(result, 0);
        let mut guarded = Guarded { map, len };
        guarded.iter_mut().zip(values).for_each(|(to, value)| *to = value);
        guarded
    }
    fn filled(value: f32, len: usize) -> Guarded {
        Guarded::new(vec![value; len].into_iter())
    }
    fn of(values: &[f32]) -> Guarded {
        Guarded::new(values.iter().copied())
    }
    fn start(&self) -> *mut f32 {
        self.map.as_ptr().wrapping_add((4 * self.len).next_multiple_of(PAGE) - 4 * self.len).cast_mut().cast()
    }
}

impl std::ops::Deref for Guarded {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        // SAFETY: they lie in the map, before its last page.
        #[allow(unsafe_code)]
        unsafe {
            std::slice::from_raw_parts(self.start(), self.len)
        }
    }
}

impl std::ops::DerefMut for Guarded {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and the map is borrowed.
        #[allow(unsafe_code)]
        unsafe {
            std::slice::from_raw_parts_mut(self.start(), self.len)
        }
    }
}

/// The three GEMMs of a layer of one shape, each against its formula in f64.
#[derive(Clone, Copy)]
struct Check<'a> {
    packing: Packing,
    /// Of the panels: those of `packing`, or in f32 those of bricks.
    layout: Packing,
    shape: [usize; 3],
    x: &'a [f32],
}

impl WithArithmetic for Check<'_> {
    #[inline(always)]
    fn with_arithmetic<S: Simd, A: Arithmetic>(self, simd: S, arithmetic: A) {
        check_rows(simd, arithmetic, self);
        if self.layout == self.packing {
            check_gradient(simd, arithmetic, self);
        }
    }
}

/// Sixteenths, which bf16 holds exactly, so that one bound serves all: dy[rows, out].
fn sixteenths(n: usize, step: usize) -> Vec<f32> {
    (0..n).map(|i| (i * step % 31) as f32 / 16.0 - 1.0).collect()
}

fn sum(n: usize, f: impl Fn(usize) -> f32) -> f64 {
    (0..n).map(|i| f(i) as f64).sum()
}

impl Check<'_> {
    fn dy(&self) -> Vec<f32> {
        sixteenths(self.shape[0] * self.shape[2], 29)
    }
    /// A sum of n products of numbers up to 1, rounded at each step.
    fn near(&self, what: &str, got: f32, expected: f64, n: usize) {
        let ([rows, inp, out], error) = (self.shape, (got as f64 - expected).abs());
        assert!(error < 1e-6 * (n as f64 + 1.0), "{what} {rows} x {inp} x {out}: expected {expected}, got {got}");
    }
}

/// Runs `check` in every arithmetic of this CPU, and on the model of AMX's tiles.
fn check_all(shape: [usize; 3], x: &[f32]) {
    for isa in InstructionSet::available().into_iter().chain(InstructionSet::amx_models()) {
        let split = isa.tiles().map(|_| Precision::Bf16x3);
        for precision in [Some(Precision::Fp32), Some(Precision::Bf16), split].into_iter().flatten() {
            let packing = Packing::new(precision, isa);
            let _tiles = packing.configure();
            isa.dispatch(InArithmetic(packing, Check { packing, layout: packing, shape, x }));
        }
        // A test loss is in f32 beside bricks.
        if isa.tiles().is_some() {
            let (packing, layout) = (Packing::F32, Packing::new(Precision::Bf16, isa));
            isa.dispatch(InArithmetic(packing, Check { packing, layout, shape, x }));
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

/// forward and input_gradient.
#[inline(always)]
fn check_rows<S: Simd, A: Arithmetic>(simd: S, arithmetic: A, check: Check) {
    let Check { packing, layout, shape: [rows, inp, out], x } = check;
    let (dy, w, b) = (Guarded::of(&check.dy()), sixteenths(inp * out, 37), sixteenths(out, 7));
    let panels = layout.panels([inp, out], S::LANES);
    let (x, mut values) = (Guarded::of(x), Guarded::filled(0.0, panels.values()));
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
    let mut bias = Guarded::filled(0.0, out.next_multiple_of(S::LANES));
    bias[..out].copy_from_slice(&b);

    let mut scratch = ScratchVec::default();
    let x_along = arithmetic.pack_rows(simd, &x, inp, &mut scratch);
    let mut y = Guarded::filled(f32::NAN, rows * out);
    arithmetic.forward(simd, &mut y, x_along, weight, &bias, Activation::Relu, None);
    for (r, o) in (0..rows * out).map(|i| (i / out, i % out)) {
        let expected = sum(inp, |i| x[r * inp + i] * w[i * out + o]) + b[o] as f64;
        check.near("forward", y[r * out + o], expected.max(0.0), inp);
    }
    let mut columns = NonzeroColumns::default();
    if A::SPARSE && columns.scan(simd, x_along, x_along.len() / rows) {
        let mut sparse = Guarded::filled(f32::NAN, rows * out);
        arithmetic.forward(simd, &mut sparse, x_along, weight, &bias, Activation::Relu, Some(&columns));
        assert!(sparse.iter().zip(&*y).all(|(a, b)| a.to_bits() == b.to_bits()), "forward: the same bits");
    }

    let mut scratch = ScratchVec::default();
    let dy_along = arithmetic.pack_rows(simd, &dy, out, &mut scratch);
    let mut dx = Guarded::filled(1.0, rows * inp);
    for add in [true, false] {
        arithmetic.input_gradient(simd, &mut dx, dy_along, weight, add, &mut TransposeScratch::default());
        for (r, i) in (0..rows * inp).map(|k| (k / inp, k % inp)) {
            let expected = sum(out, |o| dy[r * out + o] * w[i * out + o]);
            check.near("input gradient", dx[r * inp + i], expected + add as u8 as f64, out);
        }
    }
    let mut transposed = TransposedWeight::default();
    let (zeros, mut again) = (vec![0.0; inp.next_multiple_of(S::LANES)], Guarded::filled(f32::NAN, rows * inp));
    let weight = arithmetic.transposed(simd, weight, &mut transposed);
    arithmetic.forward(simd, &mut again, dy_along, weight, &zeros, Activation::None, None);
    for (i, (a, b)) in again.iter().zip(&*dx).enumerate() {
        check.near("input gradient, transposed weight", *a, *b as f64, out);
        assert!(
            packing == Packing::Pairs || a.to_bits() == b.to_bits(),
            "input gradient, transposed weight: the same bits at {i}"
        );
    }
}

/// weight_gradient.
#[inline(always)]
fn check_gradient<S: Simd, A: Arithmetic>(simd: S, arithmetic: A, check: Check) {
    let Check { packing, shape: [rows, inp, out], x, .. } = check;
    let (dy, panels) = (check.dy(), packing.panels([inp, out], S::LANES));
    let operand = |values: &[f32], width: usize, side: Side| {
        let mut packed = vec![0; rows.div_ceil(packing.rows()) * packing.row_len(width)];
        arithmetic.pack_operand(simd, &mut packed, values, width, side);
        let packed = if packing == Packing::F32 { as_packed(values) } else { &packed };
        Guarded::new(packed.iter().map(|element| f32::from_bits(*element)))
    };
    let (x_packed, dy_packed) = (operand(x, inp, Side::Left), operand(&dy, out, Side::Right));
    let (x_packed, dy_packed) = (as_packed(&x_packed), as_packed(&dy_packed));
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
            let mut g = Guarded::filled(f32::NAN, tile.len() * width);
            let mut finished = Finished { width, end: tile.start };
            let mut scratch: [ScratchVec<u32>; 4] = Default::default();
            let [x1_scratch, dy1_scratch, x2_scratch, dy2_scratch] = &mut scratch;
            let pack_x = |x, scratch| arithmetic.pack_columns(ColumnRange::all(x, x_len), tile.clone(), scratch);
            let pack_dy = |dy, scratch| arithmetic.pack_columns(ColumnRange::all(dy, dy_len), columns.clone(), scratch);
            // In two parts, of which the first is some blocks long.
            let count = x_packed.len() / x_len;
            let part = count / 2 / block * block;
            let ((x1, x2), (dy1, dy2)) = (x_packed.split_at(part * x_len), dy_packed.split_at(part * dy_len));
            if part > 0 {
                let none = None::<&mut Finished>;
                let nonzero = nonzero.map(|nonzero| nonzero.part(0..part));
                let (x, dy) = (pack_x(x1, x1_scratch), pack_dy(dy1, dy1_scratch));
                let operands = WeightGradient { panels, panel, x, dy, accumulate: false };
                arithmetic.weight_gradient(simd, &mut g, &operands, tile.clone(), nonzero, none);
            }
            let nonzero = nonzero.map(|nonzero| nonzero.part(part..count));
            let epilogue = Some(&mut finished);
            let (x, dy) = (pack_x(x2, x2_scratch), pack_dy(dy2, dy2_scratch));
            let operands = WeightGradient { panels, panel, x, dy, accumulate: part > 0 };
            arithmetic.weight_gradient(simd, &mut g, &operands, tile.clone(), nonzero, epilogue);
            assert_eq!(finished.end, tile.end);
            g
        };
        let g = gradient(None);
        for (i, o) in tile.clone().flat_map(|i| columns.clone().map(move |o| (i, o))) {
            let got = g[(i - tile.start) * width + o - columns.start];
            check.near("weight gradient", got, sum(rows, |r| x[r * inp + i] * dy[r * out + o]), rows);
        }
        assert!(g.iter().all(|v| v.is_finite()), "padding columns are filled");
        // SAFETY: every table is filled above.
        #[allow(unsafe_code)]
        let sparse = gradient((A::SPARSE && inp >= GROUP).then(|| unsafe { NonzeroRows::new(&tables, block, inp) }));
        assert!(sparse.iter().zip(&*g).all(|(a, b)| a.to_bits() == b.to_bits()), "weight gradient: the same bits");
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
fn gemms_agree_with_their_formulas_at_odd_sizes_in_every_arithmetic() {
    for [rows, inp, out] in SHAPES {
        check_all([rows, inp, out], &sixteenths(rows * inp, 41));
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

/// Sizes at which a tile of some rows, vectors or blocks begins or ends, for vectors of 4, 8 and 16 lanes.
#[test]
fn every_tile_is_right_at_every_edge() {
    const ROWS: [usize; 18] = [1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 16, 17, 31, 32, 33, 48, 49, 65];
    const WIDTHS: [usize; 17] = [1, 3, 4, 5, 8, 9, 12, 13, 16, 17, 24, 25, 32, 33, 47, 48, 49];
    let rows_by_out = ROWS.into_iter().flat_map(|rows| WIDTHS.map(|out| [rows, 13, out]));
    let rows_by_inp = ROWS.into_iter().flat_map(|rows| WIDTHS.map(|inp| [rows, inp, 20]));
    let inp_by_out = WIDTHS.into_iter().flat_map(|inp| WIDTHS.map(|out| [9, inp, out]));
    for shape in rows_by_out.chain(rows_by_inp).chain(inp_by_out) {
        check_all(shape, &sixteenths(shape[0] * shape[1], 41));
    }
}
