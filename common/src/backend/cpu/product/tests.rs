//! The products against their formulas, and sparse ones against dense ones.

use super::super::bf16;
use super::super::multiply::{Pairs, Singles};
use super::super::simd::{Level, Work};
use super::super::turn::TurnedWeight;
use super::*;

/// The three products of a layer of one shape, each against its formula in f64.
struct Check<'a>([usize; 3], &'a [f32]);

impl Work for Check<'_> {
    type Output = ();

    #[inline(always)]
    fn with<S: Simd>(self, simd: S) {
        check::<S, Singles>(simd, self.0, self.1);
        check::<S, Pairs>(simd, self.0, self.1);
    }
}

/// How far the rows of a gradient are finished.
struct Finished {
    width: usize,
    end: usize,
}

impl Learner for &mut Finished {
    fn needs(&self, _: Range<usize>) -> [&[u32]; 3] {
        [&[]; 3]
    }
    fn done(&mut self, rows: Range<usize>, gradient: &[f32]) {
        assert_eq!((self.end, gradient.len()), (rows.start, rows.len() * self.width));
        self.end = rows.end;
    }
}

/// Operands as cells: [along, across].
fn cells<S: Simd, C: Cells>(simd: S, values: &[f32], width: usize) -> [Vec<u32>; 2] {
    if C::PER == 1 {
        return [as_cells(values).to_vec(), as_cells(values).to_vec()];
    }
    let rows = values.len() / width;
    let (mut along, mut across) = (vec![0; rows * bf16::cells(width)], vec![0; bf16::cells(rows) * width]);
    bf16::along(simd, &mut along, values, width);
    bf16::across(simd, &mut across, values, width);
    [along, across]
}

#[inline(always)]
fn check<S: Simd, C: Cells>(simd: S, [rows, inp, out]: [usize; 3], x: &[f32]) {
    // Sixteenths, which bf16 holds exactly, so that one bound serves both.
    let values = |n: usize, step: usize| (0..n).map(|i| (i * step % 31) as f32 / 16.0 - 1.0).collect::<Vec<f32>>();
    let (dy, w, b) = (values(rows * out, 29), values(inp * out, 37), values(out, 7));
    let panels = Panels::new([inp, out], S::LANES);
    let mut packed = vec![0.0; panels.values()];
    panels.pack(&mut packed, &w);
    let mut pairs = [vec![0; panels.of_cells(2).values()], vec![0; panels.values() / 2]];
    let [forward_cells, backward_cells] = &mut pairs;
    let portable = Level::available()[0]; // the lanes are those of the panels
    panels.pair(portable, forward_cells, backward_cells, &packed);
    let weight = match C::PER {
        1 => Weight::of(panels, &packed),
        _ => Weight { panels, forward: &pairs[0], backward: &pairs[1] },
    };
    let mut bias = b.clone();
    bias.resize(out.next_multiple_of(S::LANES), 0.0);
    let sum = |n: usize, f: &dyn Fn(usize) -> f32| (0..n).map(|i| f(i) as f64).sum::<f64>();
    // Sums of n products of numbers up to 1, rounded at each step.
    let near = |what: &str, got: f32, expected: f64, n: usize| {
        let error = (got as f64 - expected).abs();
        assert!(error < 1e-6 * (n as f64 + 1.0), "{what} {rows} x {inp} x {out}: expected {expected}, got {got}");
    };

    let [x_along, x_across] = cells::<S, C>(simd, x, inp);
    let mut y = vec![f32::NAN; rows * out];
    forward::<S, C>(simd, &mut y, &x_along, weight, &bias, Activation::Relu, None);
    for (r, o) in (0..rows * out).map(|i| (i / out, i % out)) {
        let expected = sum(inp, &|i| x[r * inp + i] * w[i * out + o]) + b[o] as f64;
        near("forward", y[r * out + o], expected.max(0.0), inp);
    }
    let mut columns = Columns::default();
    if columns.find(simd, &x_along, inp.div_ceil(C::PER)) {
        let mut sparse = vec![f32::NAN; rows * out];
        forward::<S, C>(simd, &mut sparse, &x_along, weight, &bias, Activation::Relu, Some(&columns));
        assert!(sparse.iter().zip(&y).all(|(a, b)| a.to_bits() == b.to_bits()), "forward: the same bits");
    }

    let [dy_along, dy_across] = cells::<S, C>(simd, &dy, out);
    let mut dx = vec![1.0; rows * inp];
    for add in [true, false] {
        input_gradient::<S, C>(simd, &mut dx, &dy_along, weight, add, &mut Turned::default());
        for (r, i) in (0..rows * inp).map(|k| (k / inp, k % inp)) {
            let expected = sum(out, &|o| dy[r * out + o] * w[i * out + o]);
            near("input gradient", dx[r * inp + i], expected + add as u8 as f64, out);
        }
    }
    let mut turned = TurnedWeight::default();
    let (zeros, mut again) = (vec![0.0; inp.next_multiple_of(S::LANES)], vec![f32::NAN; rows * inp]);
    let weight = turned.of::<S, C>(simd, [inp, out], &packed);
    forward::<S, C>(simd, &mut again, &dy_along, weight, &zeros, Activation::None, None);
    for (i, (a, b)) in again.iter().zip(&dx).enumerate() {
        near("input gradient, the weight turned", *a, *b as f64, out);
        assert!(C::PER > 1 || a.to_bits() == b.to_bits(), "input gradient, the weight turned: the same bits at {i}");
    }

    let block = 8; // rows of cells
    let mut lit = vec![];
    for cells in x_across.chunks(block * inp) {
        let mut part = vec![0; Lit::room(inp)];
        Lit::find(simd, &mut part, cells, inp, &mut vec![]);
        lit.extend(part);
    }
    for panel in 0..panels.count() {
        let (tile, columns) = (inp / 8 * 4..inp, panels.columns(panel));
        let width = panels.width(panel);
        let gradient = |lit: Option<Blocks>| {
            let mut g = vec![f32::NAN; tile.len() * width];
            let mut finished = Finished { width, end: tile.start };
            let at = |x, dy, begun| WeightGradient { panels, panel, x, dy, begun };
            // In two parts, of which the first is some blocks long.
            let part = x_across.len() / inp / 2 / block * block;
            let ((x1, x2), (dy1, dy2)) = (x_across.split_at(part * inp), dy_across.split_at(part * out));
            if part > 0 {
                let none = None::<&mut Finished>;
                weight_gradient::<S, C>(simd, &mut g, &at(x1, dy1, false), tile.clone(), lit, none);
            }
            let lit = lit.map(|lit| lit.from(part));
            let learn = Some(&mut finished);
            weight_gradient::<S, C>(simd, &mut g, &at(x2, dy2, part > 0), tile.clone(), lit, learn);
            assert_eq!(finished.end, tile.end);
            g
        };
        let g = gradient(None);
        for (i, o) in tile.clone().flat_map(|i| columns.clone().map(move |o| (i, o))) {
            let got = g[(i - tile.start) * width + o - columns.start];
            near("weight gradient", got, sum(rows, &|r| x[r * inp + i] * dy[r * out + o]), rows);
        }
        assert!(g.iter().all(|v| v.is_finite()), "columns beyond the last are filled");
        // SAFETY: it did.
        #[allow(unsafe_code)]
        let sparse = gradient((inp >= zeros::TILE).then(|| unsafe { Blocks::new(&lit, block, inp) }));
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
fn products_agree_with_their_formulas_at_odd_sizes_on_every_level() {
    for [rows, inp, out] in SHAPES {
        let x: Vec<f32> = (0..rows * inp).map(|i| (i * 41 % 31) as f32 / 16.0 - 1.0).collect();
        Level::available().into_iter().for_each(|level| level.run(Check([rows, inp, out], &x)));
    }
}

#[test]
fn products_of_mostly_black_images_have_the_bits_of_dense_ones() {
    for [rows, inp, out] in SHAPES {
        // Strokes: a few neighbours in each row, elsewhere in the next.
        let x = (0..rows * inp).map(|k| (k / inp, k % inp)).map(|(r, i)| {
            let lit = (i + r * 3) % 40 < 7 && r % 5 != 4;
            if lit { ((i * 7 + r) % 16) as f32 / 16.0 } else { 0.0 }
        });
        let x: Vec<f32> = x.collect();
        Level::available().into_iter().for_each(|level| level.run(Check([rows, inp, out], &x)));
    }
}
